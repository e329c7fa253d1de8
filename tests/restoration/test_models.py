"""Models: what their files say, files that are damaged or foreign, and devices, with and without onnxruntime."""

import builtins
import json
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from temclean.errors import DeviceError, MissingExtraError, ModelError, ParameterError, TemcleanWarning
from temclean.restoration import models, onnx_outline, proof, replay

DATA = Path(__file__).parents[1] / "data"
NETWORK = DATA / "network.onnx"


def varint(number):
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def with_metadata(path, **changes):
    """Write a copy of the network whose metadata differ; later entries win, as they do in a protocol buffer's map."""
    facts = {
        "format": 1, "name": "n", "family": "f", "summary": "s", "levels": [0.1, 0.2], "pixel_sizes": [0.1, 0.2],
        "normalisation": {"method": "percentile", "low": 0.5, "high": 99.5}, "multiple": 2, "halo": 6,
        "training": {}, "data": "d", "scores": {}, "licence": "l", **changes,
    }  # fmt: skip
    value = json.dumps({key: item for key, item in facts.items() if item is not None}).encode()
    entry = b"\x0a\x08temclean\x12" + varint(len(value)) + value
    path.write_bytes(NETWORK.read_bytes() + b"\x72" + varint(len(entry)) + entry)
    return path


def test_a_model_says_all_about_itself_without_onnxruntime(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    model = models.load(NETWORK)
    assert (model.name, model.family, model.multiple, model.halo) == ("network", "test", 2, 6)
    assert model.levels == (0.05, 0.4)
    assert model.pixel_sizes == (0.03, 0.4)
    assert model.normalisation == models.Normalisation("percentile", 0.5, 99.5)
    assert model.training == {"command": "make_models.py"}
    assert model.licence == "BSD-3-Clause"
    assert model.path == NETWORK
    assert len(model.sha256) == 64
    assert models.load(str(NETWORK)) == model


def test_metadata_agree_with_onnx():
    onnx = pytest.importorskip("onnx", reason="the train extra is not installed")
    for path in DATA.glob("*.onnx"):
        expected = {entry.key: entry.value.encode() for entry in onnx.load(path).metadata_props}
        assert onnx_outline.Outline(path.read_bytes()).entries == expected


def test_shipped_models_are_found_by_name():
    shipped = models.available()
    assert all(path.suffix == ".onnx" and path.stem == name for name, path in shipped.items())
    for name in shipped:
        assert models.load(name).name == name


def test_unknown_names_list_the_known(monkeypatch):
    monkeypatch.setattr(models, "available", lambda: {"g": NETWORK, "sp": NETWORK})
    assert models.load("sp").path == NETWORK
    with pytest.raises(ModelError, match=r"no model is called 'pepper'.*g, sp"):
        models.load("pepper")
    with pytest.raises(ModelError, match="no such file"):
        models.load("models/absent.onnx")


def test_foreign_files_get_one_clear_line(tmp_path):
    with pytest.raises(ModelError, match="not a model of temclean"):
        models.load(DATA / "foreign.onnx")
    for name, content in {
        "empty": b"",
        "text": b"this is no model, it is text\n" * 40,
        "png": b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 8,
        "zeros": bytes(1000),
    }.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(ModelError, match="damaged, or not an ONNX file") as caught:
            models.load(tmp_path / name)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("keep", [1, 10, 100, 500, 1000, 1500, -1])
def test_truncated_files_get_one_clear_line(tmp_path, keep):
    path = tmp_path / "short.onnx"
    path.write_bytes(NETWORK.read_bytes()[:keep])
    with pytest.raises(ModelError, match=r"short\.onnx: "):
        models.load(path)


def test_flipped_bytes_are_refused_or_harmless(tmp_path):
    pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")
    content = bytearray(NETWORK.read_bytes())
    path = tmp_path / "flipped.onnx"
    for position in range(0, len(content), 23):
        damaged = content.copy()
        damaged[position] ^= 0x5A
        path.write_bytes(damaged)
        # Anything else that is raised, or a crash, fails the test.
        with suppress(ModelError, ParameterError, DeviceError):
            models.open_session(models.load(path), "cpu", 1).run(np.zeros((1, 1, 8, 8), np.float32))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"format": 4}, "format 4.*update"),
        ({"format": 3}, "beyond"),
        ({"format": 3, "beyond": -1}, "beyond -1"),
        ({"format": None}, "format None"),
        ({"halo": None}, "halo"),
        ({"levels": [0.1]}, "damaged"),
        ({"levels": "ab"}, "damaged"),
        ({"multiple": 0}, "multiple 0"),
        ({"training": 3}, "damaged"),
        ({"normalisation": {"method": "histogram", "low": 1, "high": 2}}, "histogram"),
        ({"normalisation": {"method": "percentile", "low": 99, "high": 1}}, "does not know"),
        ({"normalisation": None}, "damaged"),
        ({"normalisation": {"method": "percentile", "low": 1, "high": 99, "room": -1}}, "does not know"),
        ({"graph_sha256": "0" * 64}, "the network in it is damaged"),
    ],
)
def test_metadata_that_cannot_be_right(tmp_path, changes, message):
    with pytest.raises(ModelError, match=message):
        models.load(with_metadata(tmp_path / "m.onnx", **changes))


def test_changed_metadata_are_read(tmp_path):
    assert models.load(with_metadata(tmp_path / "m.onnx", name="other", new="ignored")).name == "other"


def test_run(tmp_path, capfd):
    pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")
    session = models.open_session(models.load(DATA / "identity.onnx"), "cpu", threads=1)
    batch = np.random.default_rng(0).random((2, 1, 5, 7), dtype=np.float32)
    np.testing.assert_array_equal(session.run(batch), batch)
    assert session.device == "cpu"
    session = models.open_session(models.load(NETWORK), "cpu")
    for shape in ((1, 1, 5, 8), (1, 2, 8, 8), (8, 8)):
        with pytest.raises(ParameterError, match="multiples of 2"):
            session.run(np.zeros(shape, np.float32))
    with pytest.raises(ModelError, match="takes float32 'image'"):
        models.open_session(models.load(DATA / "misnamed.onnx"), "cpu")
    path = tmp_path / "broken.onnx"
    path.write_bytes(NETWORK.read_bytes().replace(b"SpaceToDepth", b"SpaceToDeath"))
    broken = models.load(path)
    with pytest.raises(ModelError, match="cannot load"):
        models.open_session(broken, "cpu")
    assert capfd.readouterr() == ("", "")  # onnxruntime keeps quiet


def test_without_onnxruntime_the_extra_is_named(monkeypatch):
    model = models.load(NETWORK)
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(MissingExtraError, match=r"temclean\[cpu\].*temclean\[gpu\]"):
        models.open_session(model, "cpu")
    monkeypatch.setitem(sys.modules, "onnxruntime", SimpleNamespace())  # what removing one of two wheels leaves
    with pytest.raises(MissingExtraError, match="onnxruntime"):
        models.open_session(model, "cpu")


def test_options_that_do_not_exist_are_refused():
    model = models.load(NETWORK)
    with pytest.raises(ParameterError, match=r"'gpu'.*auto, cpu or cuda"):
        models.open_session(model, "gpu")  # type: ignore[arg-type]
    with pytest.raises(ParameterError, match="threads"):
        models.open_session(model, "cpu", threads=0)


class Buffer:
    """Memory of the GPU."""

    def __init__(self, shape, dtype, device, number):
        assert (device, number) == ("cuda", 0)
        self.content = np.full(shape, np.nan, dtype)

    def update_inplace(self, array):
        assert (array.shape, array.dtype) == (self.content.shape, self.content.dtype)
        self.content = array.copy()

    def numpy(self):
        return self.content.copy()  # as memory of the GPU is


class Binding:
    """What one run reads and writes."""

    def bind_ortvalue_input(self, name, value):
        assert name == "image"
        self.image = value

    def bind_ortvalue_output(self, name, value):
        assert name == "restored"
        self.restored = value

    def synchronize_inputs(self):
        pass

    def synchronize_outputs(self):
        pass


class FakeRuntime:
    """What of onnxruntime is used, on a machine of our making."""

    def __init__(self, *, listed=True, loads=True, result=0.0, create=None, run=None):
        self.listed, self.loads, self.result = listed, loads, result
        self.create_error, self.run_error = create, run
        self.sessions: list[SimpleNamespace] = []
        self.calls: list[object] = []
        self.GraphOptimizationLevel = SimpleNamespace(ORT_ENABLE_ALL=99)
        self.graph, self.settings = None, {}  # how CUDA graphs fail; what the last session of a GPU was given
        self.OrtValue = SimpleNamespace(ortvalue_from_shape_and_type=Buffer)

    def set_default_logger_severity(self, level):
        self.calls.append(("severity", level))

    def preload_dlls(self, directory=None):
        print("WARNING: chatter")
        self.calls.append(("preload", directory))

    def get_available_providers(self):
        return [*([models.CUDA] if self.listed else []), models.CPU]

    def SessionOptions(self):  # noqa: N802
        entries = {}
        return SimpleNamespace(entries=entries, add_session_config_entry=entries.__setitem__)

    def RunOptions(self):  # noqa: N802
        entries = {}
        return SimpleNamespace(entries=entries, add_run_config_entry=entries.__setitem__)

    def InferenceSession(self, path, options, *, providers, enable_fallback=1):  # noqa: N802
        names = [item[0] if isinstance(item, tuple) else item for item in providers]
        cuda = models.CUDA in names
        self.settings = providers[0][1] if cuda else {}
        if self.graph == "cannot open" and "enable_cuda_graph" in self.settings:
            raise RuntimeError("the graph has nodes on the CPU")
        self.calls.append(("session", names, dict(options.entries), enable_fallback))
        if cuda and self.create_error:
            raise self.create_error
        value = SimpleNamespace(name="image", type="tensor(float)", shape=["batch", 1, "height", "width"])

        def run(outputs, inputs, options=None):
            self.calls.append(("run", names, inputs["image"].shape))
            if cuda and self.run_error:
                raise self.run_error
            return [inputs["image"] + np.float32(self.result)]

        graphs = {}

        def replay(binding, options):
            """Record what is bound when an id is new; then read and write that, whatever is bound."""
            self.calls.append(("replay", options.entries["gpu_graph_id"]))
            if self.graph == "cannot record" or (self.graph == "breaks" and len(self.calls) > 12):
                raise RuntimeError("operation not permitted when stream is capturing")
            image, restored = graphs.setdefault(options.entries["gpu_graph_id"], (binding.image, binding.restored))
            restored.content = image.content + np.float32(self.result + (self.graph == "wrong"))

        return SimpleNamespace(
            io_binding=Binding,
            run_with_iobinding=replay,
            get_providers=lambda: [models.CUDA, models.CPU] if cuda and self.loads else [models.CPU],
            get_inputs=lambda: [value],
            get_outputs=lambda: [SimpleNamespace(**{**vars(value), "name": "restored"})],
            disable_fallback=lambda: self.calls.append("no fallback"),
            run=run,
        )


@pytest.fixture
def fake(monkeypatch):
    def install(**behaviour):
        runtime = FakeRuntime(**behaviour)
        monkeypatch.setitem(sys.modules, "onnxruntime", runtime)
        monkeypatch.setattr(proof, "run", lambda ort, model: None)
        return runtime

    return install


@pytest.mark.parametrize("device", ["auto", "cuda"])
def test_a_gpu_that_works_is_taken_and_proved(fake, device, capfd):
    runtime = fake()
    session = models.open_session(models.load(NETWORK), device)
    assert (session.device, session.fallback) == ("cuda", None)
    assert runtime.calls[1] == ("preload", "")
    kind, names, entries, fallback = runtime.calls[2]
    assert (kind, names, fallback) == ("session", [models.CUDA, models.CPU], 0)
    assert "session.disable_cpu_ep_fallback" not in entries  # shape computations belong on the CPU
    assert ("run", [models.CUDA, models.CPU], (1, 1, 2, 2)) in runtime.calls
    assert "no fallback" in runtime.calls
    assert capfd.readouterr().out == ""


BROKEN = {
    "not loaded": {"loads": False},
    "cannot start": {"create": RuntimeError("CUDA failure 35: driver too old\nmore\nlines")},
    "cannot run": {"run": RuntimeError("cuDNN: not supported")},
    "nonsense": {"result": np.nan},
}


@pytest.mark.parametrize("behaviour", BROKEN.values(), ids=BROKEN)
def test_a_gpu_that_does_not_work_is_not_taken(fake, behaviour):
    fake(**behaviour)
    model = models.load(NETWORK)
    with pytest.raises(DeviceError, match=r"CUDA does not work here.*--device cpu") as caught:
        models.open_session(model, "cuda")
    assert "\n" not in str(caught.value)
    session = models.open_session(model, "auto")
    assert session.device == "cpu"
    assert session.fallback == str(caught.value)
    assert models.open_session(model, "cpu").fallback is None


def test_a_gpu_without_its_driver_is_one_short_line(fake):
    """What onnxruntime-gpu 1.26 says on a machine without one, in full."""
    call = (
        "std::conditional_t<THRW, void, onnxruntime::common::Status> onnxruntime::CudaCall(ERRTYPE, const char*, const "
        "char*, SUCCTYPE, const char*, const char*, int) [with ERRTYPE = cudaError; bool THRW = true; SUCCTYPE = "
        "cudaError; std::conditional_t<THRW, void, common::Status> = void] "
    )
    said = (
        f"/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:122 {call}"
        f"/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_call.cc:114 {call}"
        "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version ; GPU=-1 ; hostname=vm ; "
        "file=/onnxruntime_src/onnxruntime/core/providers/cuda/cuda_execution_provider.cc ; line=336 ; "
        "expr=cudaSetDevice(info_.device_id); "
    )
    fake(create=RuntimeError(said))
    with pytest.raises(DeviceError) as caught:
        models.open_session(models.load(NETWORK), "cuda")
    cause = "CUDA failure 35: CUDA driver version is insufficient for CUDA runtime version; check the driver"
    assert f"CUDA does not work here: {cause}" in str(caught.value)
    assert "cuda_call.cc" not in str(caught.value)
    assert "hostname" not in str(caught.value)


def tile(seed, side=4):
    return np.random.default_rng(seed).random((1, 1, side, side), dtype=np.float32)


def test_tiles_of_a_shape_are_replayed_from_the_third_on_and_shapes_do_not_mix(fake):
    runtime = fake(result=0.25)
    session = models.open_session(models.load(NETWORK), "cuda")
    assert runtime.settings["enable_cuda_graph"] == "1"
    del runtime.calls[:]
    kept = []
    for seed in range(6):
        for side in (4, 6):
            kept.append((tile(seed, side), session.run(tile(seed, side))))
    for given, restored in kept:  # all at the end: what came before must not change with what comes after
        np.testing.assert_array_equal(restored, given + np.float32(0.25))
    assert sum(call[0] == "run" for call in runtime.calls) == 4
    assert [sum(call == ("replay", number) for call in runtime.calls) for number in ("1", "2", "3")] == [0, 6, 6]


@pytest.mark.parametrize("graph", ["cannot open", "cannot record", "wrong", "breaks"])
def test_without_graphs_the_gpu_runs_as_before_and_that_is_said_once(fake, graph):
    runtime = fake(result=0.25)
    runtime.graph = graph
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        session = models.open_session(models.load(NETWORK), "cuda")
        for seed in range(9):
            np.testing.assert_array_equal(session.run(tile(seed)), tile(seed) + np.float32(0.25))
    assert [each.category for each in said] == [TemcleanWarning]
    assert "no CUDA graph can be used here" in str(said[0].message)
    assert session.device == "cuda"


def test_other_threads_run_without_graphs(fake):
    runtime = fake(result=0.25)
    session = models.open_session(models.load(NETWORK), "cuda")
    for seed in range(3):
        session.run(tile(seed))
    del runtime.calls[:]
    with ThreadPoolExecutor(1) as other:
        restored = other.submit(session.run, tile(9)).result()
    np.testing.assert_array_equal(restored, tile(9) + np.float32(0.25))
    assert [call[0] for call in runtime.calls] == ["run"]


def test_buffers_are_bound_as_onnxruntime_wants_it():
    """On the CPU, where there are no graphs: names, types and calls are those of the real thing."""
    ort = pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")
    runtime = ort.InferenceSession(str(NETWORK), providers=[models.CPU])
    replaying = replay.Replaying(ort, runtime, "cpu")
    for seed in range(4):
        (restored,) = replaying.run(["restored"], {"image": tile(seed, 8)})
        np.testing.assert_array_equal(restored, runtime.run(["restored"], {"image": tile(seed, 8)})[0])
    assert list(replaying._recorded) == [(1, 1, 8, 8)]


def test_without_cuda_in_onnxruntime_auto_is_silent_and_cuda_says_what_to_install(fake):
    runtime = fake(listed=False)
    model = models.load(NETWORK)
    session = models.open_session(model, "auto")
    assert (session.device, session.fallback) == ("cpu", None)
    assert not any(call[0] == "preload" for call in runtime.calls)
    with pytest.raises(DeviceError, match=r"temclean\[gpu\]"):
        models.open_session(model, "cuda")


def test_the_cpu_is_asked_for_threads_and_not_to_spin(fake):
    runtime = fake()
    options = []
    make = runtime.SessionOptions
    runtime.SessionOptions = lambda: options.append(make()) or options[-1]
    models.open_session(models.load(NETWORK), "cpu", threads=3)
    assert options[0].intra_op_num_threads == 3
    assert options[0].entries["session.intra_op.allow_spinning"] == "0"
    assert options[0].enable_mem_pattern is False


def test_a_run_out_of_memory_says_smaller_tiles(fake):
    runtime = fake()
    session = models.open_session(models.load(NETWORK), "cuda")
    runtime.run_error = RuntimeError("Failed to allocate memory for requested buffer of size 99")
    with pytest.raises(DeviceError, match="smaller --tile"):
        session.run(np.zeros((1, 1, 8, 8), np.float32))
    runtime.run_error = RuntimeError("something else")
    with pytest.raises(ModelError, match="failed to run: something else"):
        session.run(np.zeros((1, 1, 8, 8), np.float32))


def test_loading_a_model_imports_nothing_heavy(monkeypatch):
    real = builtins.__import__

    def guarded(name, *rest):
        assert name.split(".")[0] not in {"onnx", "onnxruntime", "torch"}
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", guarded)
    models.load(NETWORK)
