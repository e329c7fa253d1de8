"""Models of strangers: what could read files, never end, or take all memory is refused before it is run."""

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hostile_models import MODELS, custom, expanded, function, loop, no_number, plain, slow, sparse

from temclean.errors import ModelError
from temclean.restoration import models, onnx_outline, pipeline, proof


@pytest.fixture
def written(tmp_path: Path) -> Callable[[str, bytes], Path]:
    def write(name: str, content: bytes) -> Path:
        path = tmp_path / f"{name}.onnx"
        path.write_bytes(content)
        return path

    return write


def test_they_are_models_by_the_rules_of_onnx() -> None:
    """Else onnxruntime itself would refuse them, and nothing would be shown."""
    onnx = pytest.importorskip("onnx", reason="the train extra is not installed")
    for content in (loop(), function(), sparse(), expanded(), slow(), no_number(), plain()):
        onnx.checker.check_model(onnx.load_from_string(content))
    onnx.load_from_string(custom())


@pytest.mark.parametrize("name", MODELS)
def test_none_is_opened(name: str, written: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")
    make, said = MODELS[name]
    if name == "slow":
        monkeypatch.setattr(proof, "SECONDS", 0.4)
        said = "took more than 0 s"
    (tmp_path / "secret.txt").write_bytes(b"\0\0\x80?")
    path = written(name, make())
    start = time.monotonic()
    with pytest.raises(ModelError) as caught:
        models.open_session(models.load(path), "cpu", 1)
    assert said in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")
    assert str(caught.value).isprintable()
    assert time.monotonic() - start < 5


def test_a_model_that_hides_nothing_is_opened(written: Any) -> None:
    pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")
    image = np.random.default_rng(0).random((20, 30))
    restored = pipeline.denoise(image, written("plain", plain()), device="cpu", threads=1)
    np.testing.assert_allclose(restored, image, atol=1e-6)


def test_a_file_larger_than_any_model_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.onnx"
    path.touch()
    os.truncate(path, (512 << 20) + 1)
    with pytest.raises(ModelError, match="has 512 MB, and a model at most 512"):
        models.load(path)


def test_the_outline_takes_time_in_proportion() -> None:
    """Against the same number of fields in one piece: a quadratic reader takes 16 times as long for 4 times as much."""
    times = []
    for count in (20_000, 80_000):
        node = b"\x22\x01A" * 4
        content = plain() + b"".join(b"\x72" + bytes([len(node)]) + node for _ in range(count // 5))
        start = time.process_time()
        onnx_outline.Outline(content)
        times.append(time.process_time() - start)
    assert times[1] < 10 * times[0] + 0.05


@pytest.mark.parametrize("dtype", [np.uint16, np.float32])
def test_what_is_no_number_is_an_error_and_no_picture(written: Any, dtype: Any) -> None:
    pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")
    image = np.arange(600, dtype=dtype).reshape(20, 30)
    with pytest.raises(ModelError, match=r"no_number\.onnx: gave values that are not finite"):
        pipeline.denoise(image, written("no_number", no_number()), device="cpu", threads=1)


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
def test_ctrl_c_ends_a_first_run(written: Any) -> None:
    pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")
    path = written("slow", slow())
    code = (
        "import _thread, threading, time, sys\n"
        "from temclean.restoration import models, proof\n"
        "proof.SECONDS = 30\n"
        "threading.Timer(0.5, _thread.interrupt_main).start()\n"
        "start = time.monotonic()\n"
        f"try:\n    models.open_session(models.load({str(path)!r}), 'cpu', 1)\n"
        "except KeyboardInterrupt:\n    print(time.monotonic() - start)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=25, check=True)
    assert float(done.stdout) < 10
