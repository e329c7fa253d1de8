"""A network as an ONNX graph: exported, checked against torch, its weights stored in half the space."""

import io
import logging
import warnings

import numpy as np
import onnx
import onnxruntime
import onnxscript
import torch
from onnx import numpy_helper
from onnxscript import opset18

from temclean.errors import ModelError
from temclean.training import data
from temclean.training.networks import Network

OPSET = 18
LARGEST_EXPORT_ERROR = 2e-4


def space_to_depth(plane: onnxscript.FLOAT, factor: int) -> onnxscript.FLOAT:
    """Fold one plane by one ONNX operator; of a single channel it is what torch's pixel unshuffle does."""
    folded: onnxscript.FLOAT = opset18.SpaceToDepth(plane, blocksize=factor)
    return folded


def to_onnx(network: Network) -> onnx.ModelProto:
    """Export a network with named dynamic axes, and check its structure."""
    logging.getLogger("torch.onnx").setLevel(logging.ERROR)  # it warns that torchvision is absent
    buffer = io.BytesIO()
    multiple, around = network.multiple, 2 * network.beyond
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)  # of torch against itself
        program = torch.onnx.export(
            network.eval(),
            (torch.zeros(2, network.frames, 2 * multiple + around, 4 * multiple + around),),
            dynamo=True,
            input_names=["image"],
            output_names=["restored"],
            dynamic_shapes={
                "x": {
                    0: torch.export.Dim("batch"),
                    2: multiple * torch.export.Dim("rows", min=1, max=4096) + around,
                    3: multiple * torch.export.Dim("columns", min=1, max=4096) + around,
                }
            },
            opset_version=OPSET,
            custom_translation_table={torch.ops.aten.pixel_unshuffle.default: space_to_depth},
            verbose=False,
        )
    program.save(buffer)
    model = onnx.load_from_string(buffer.getvalue())
    for value, more in ((model.graph.input[0], around), (model.graph.output[0], 0)):
        for axis, name in ((0, "batch"), (2, "height"), (3, "width")):
            value.type.tensor_type.shape.dim[axis].dim_param = f"{name} + {more}" if axis and more else name
    for name, _ in network.named_buffers():
        if name not in network.state_dict():
            rename(model, name, name.replace(".", "_"))
    # The exporter leaves stack traces, which name files of the machine it ran on.
    for part in (model, model.graph, *model.graph.node, *model.graph.value_info, *model.graph.initializer):
        del part.metadata_props[:]
        part.ClearField("doc_string")
    for value in (*model.graph.input, *model.graph.output):
        del value.metadata_props[:]
    onnx.checker.check_model(model, full_check=True)
    return model


def rename(model: onnx.ModelProto, before: str, after: str) -> None:
    """Rename a constant; with a point in its name it would be taken for a weight."""
    for tensor in model.graph.initializer:
        if tensor.name == before:
            tensor.name = after
    for node in model.graph.node:
        node.input[:] = [after if name == before else name for name in node.input]


def store_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Store the weights as float16, each followed by a cast to float32 that ONNX Runtime folds when it loads."""
    half = onnx.ModelProto()
    half.CopyFrom(model)
    casts = []
    for tensor in half.graph.initializer:
        weight = "." in tensor.name and tensor.data_type == onnx.TensorProto.FLOAT
        if not weight or np.prod(tensor.dims) < 64:
            continue
        name = tensor.name
        values = numpy_helper.to_array(tensor).astype(np.float16)
        tensor.CopyFrom(numpy_helper.from_array(values, name + "_half"))
        casts.append(onnx.helper.make_node("Cast", [name + "_half"], [name], to=onnx.TensorProto.FLOAT))
    nodes = [*casts, *half.graph.node]
    del half.graph.node[:]
    half.graph.node.extend(nodes)
    del half.graph.value_info[:]
    onnx.checker.check_model(half)
    return half


class Runner:
    """Restore one image with a model that is still in memory, normalised as in training.

    A network that looks ``beyond`` its images is given their reflection there.
    """

    def __init__(self, model: onnx.ModelProto, beyond: int = 0) -> None:
        self.beyond = beyond
        self.session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])

    def raw(self, batch: np.ndarray) -> np.ndarray:
        """Run the network alone."""
        restored: np.ndarray = self.session.run(None, {"image": batch})[0]
        return restored

    def __call__(self, noisy: np.ndarray) -> np.ndarray:
        low, high = np.percentile(noisy, data.PERCENTILES)
        span = max(high - low, 1e-6)
        seen = np.pad((noisy - low) / span, self.beyond, mode="symmetric").astype(np.float32)
        restored = self.raw(seen[None, None])[0, 0]
        return (restored * span + low).astype(np.float32)


def verify(network: Network, runner: Runner) -> None:
    """Fail unless ONNX Runtime and torch agree on shapes other than the one exported with."""
    generator = torch.Generator().manual_seed(0)
    for batch, rows, columns in ((1, 1, 1), (1, 3, 8), (3, 5, 4)):
        sides = (count * network.multiple + 2 * network.beyond for count in (rows, columns))
        image = torch.rand(batch, network.frames, *sides, generator=generator)
        with torch.no_grad():
            expected = network(image).numpy()
        error = float(np.abs(runner.raw(image.numpy()) - expected).max())
        if not error <= LARGEST_EXPORT_ERROR:
            raise ModelError(f"ONNX and torch differ by {error:.2e} on {tuple(image.shape)}")
