"""Make the tiny ONNX files of this folder; needs onnx. Run it from anywhere; the files are the same every time."""

import json
from pathlib import Path

import numpy as np
from onnx import ModelProto, TensorProto, helper, numpy_helper, save_model

HERE = Path(__file__).parent


def model(name, nodes, weights=(), *, multiple, halo, inputs="image", metadata=True, frames=1, joined=1, beyond=0):
    """Return a model with a dynamic batch, height and width."""
    seen, shape = (["batch", count, "height", "width"] for count in (frames, 1))
    graph = helper.make_graph(
        nodes,
        name,
        [helper.make_tensor_value_info(inputs, TensorProto.FLOAT, seen)],
        [helper.make_tensor_value_info("restored", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(array, key) for key, array in weights],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    if metadata:
        facts = {
            "format": 3 if beyond else 1 if frames == 1 else 2,
            "name": name,
            "family": "test",
            "summary": "for tests",
            "levels": [0.05, 0.4],
            "pixel_sizes": [0.03, 0.4],
            "normalisation": {"method": "percentile", "low": 0.5, "high": 99.5},
            "multiple": multiple,
            "halo": halo,
            "training": {"command": "make_models.py"},
            "data": "none",
            "scores": {},
            "licence": "BSD-3-Clause",
        }
        if frames > 1:
            facts["frames"] = frames
        if joined > 1:
            facts["joined"] = joined
        if beyond:
            facts["beyond"] = beyond
        helper.set_model_props(made, {"temclean": json.dumps(facts), "other": "kept"})
    return made


def conv(source, weight, bias, out, width):
    return helper.make_node("Conv", [source, weight, bias], [out], pads=[width // 2] * 4)


def identity() -> ModelProto:
    return model("identity", [helper.make_node("Identity", ["image"], ["restored"])], multiple=1, halo=0)


def joined() -> ModelProto:
    """Return its input, and want three frames of a movie together."""
    return model("joined", [helper.make_node("Identity", ["image"], ["restored"])], multiple=1, halo=0, joined=3)


def beyond() -> ModelProto:
    """Return what lies 8 pixels above and left of each pixel, of an input that is 8 pixels larger on each side."""
    cut = [("first", [0, 0]), ("last", [-16, -16]), ("axes", [2, 3])]
    weights = [(name, np.array(values, np.int64)) for name, values in cut]
    nodes = [helper.make_node("Slice", ["image", "first", "last", "axes"], ["restored"])]
    return model("beyond", nodes, weights, multiple=4, halo=0, beyond=8)


def network() -> ModelProto:
    """Unshuffle by 2, two 3x3 convolutions padded with zeros, shuffle back.

    It reaches 5 pixels, tells the image's border from its inside, and depends on where the blocks of 2x2 lie: tiles
    that are padded, misplaced or too close to a cut show.
    """
    draw = np.random.default_rng(0)
    kernels = [(draw.standard_normal((4, 4, 3, 3)) / 6).astype(np.float32) for _ in range(2)]
    biases = [np.full(4, value, dtype=np.float32) for value in (0.5, 0.1)]
    names = ["w0", "w1", "b0", "b1"]
    nodes = [
        helper.make_node("SpaceToDepth", ["image"], ["deep"], blocksize=2),
        conv("deep", "w0", "b0", "c0", 3),
        helper.make_node("Relu", ["c0"], ["r0"]),
        conv("r0", "w1", "b1", "c1", 3),
        helper.make_node("Add", ["deep", "c1"], ["sum"]),
        helper.make_node("DepthToSpace", ["sum"], ["restored"], blocksize=2),
    ]
    return model("network", nodes, zip(names, kernels + biases, strict=True), multiple=2, halo=6)


def amplifier() -> ModelProto:
    """Return 3 image - 1: beyond the range at both ends, to see integers clipped."""
    nodes = [
        helper.make_node("Mul", ["image", "three"], ["more"]),
        helper.make_node("Sub", ["more", "one"], ["restored"]),
    ]
    constants = [("three", np.float32(3)), ("one", np.float32(1))]
    return model("amplifier", nodes, [(k, np.array(v)) for k, v in constants], multiple=8, halo=0)


def movie() -> ModelProto:
    """Add up five frames, each under a 3x3 kernel of its own; these sum to 1, 2, 4, 8 and 16 over 31."""
    draw = np.random.default_rng(1).random((1, 5, 3, 3))
    kernels = draw / draw.sum(axis=(2, 3), keepdims=True) * (2.0 ** np.arange(5) / 31)[:, None, None]
    weights = [("w", kernels.astype(np.float32)), ("b", np.zeros(1, np.float32))]
    return model("movie", [conv("image", "w", "b", "restored", 3)], weights, multiple=2, halo=2, frames=5)


def foreign() -> ModelProto:
    nodes = [helper.make_node("Identity", ["image"], ["restored"])]
    return model("foreign", nodes, multiple=1, halo=0, metadata=False)


def misnamed() -> ModelProto:
    nodes = [helper.make_node("Identity", ["picture"], ["restored"])]
    return model("misnamed", nodes, multiple=1, halo=0, inputs="picture")


if __name__ == "__main__":
    for make in (identity, joined, beyond, network, amplifier, movie, foreign, misnamed):
        save_model(make(), HERE / f"{make.__name__}.onnx")
