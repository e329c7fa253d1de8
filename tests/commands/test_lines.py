"""What stands in names and metadata is shown, never obeyed, and a result is one line whatever it is called."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hostile_models import plain

from temclean.commands.lines import escaped

Run = Callable[..., Any]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain name.tif", "plain name.tif"),
        ("日本\u3000の写真 µ.tif", "日本\u3000の写真 µ.tif"),
        ("two\nlines", r"two\nlines"),
        ("\x1b]0;owned\x07", r"\x1b]0;owned\x07"),
        ("\x9b31m", r"\x9b31m"),
        ("fit.\u202eexe", r"fit.\u202eexe"),
        ("no letter \udcff", r"no letter \udcff"),
        (r"C:\new\tif", r"C:\new\tif"),
    ],
)
def test_escaped(text: str, shown: str) -> None:
    assert escaped(text) == shown


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such names")
def test_names_of_files(run: Run, tmp_path: Path, image_file: Callable[..., Path]) -> None:
    pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")
    name = "a\x1b[31m\nb"
    image_file(tmp_path / f"{name}.tif")
    (tmp_path / f"c{name}.tif").write_bytes(b"II*\0 no image")
    (tmp_path / f"{name}.onnx").write_bytes(plain())
    done = run("denoise", tmp_path, "-m", tmp_path / f"{name}.onnx", "-o", tmp_path / f"out{name}")
    assert done.code == 1
    assert done.out == rf"{tmp_path}/a\x1b[31m\nb.tif -> {tmp_path}/outa\x1b[31m\nb/a\x1b[31m\nb_stranger.tif" + "\n"
    assert rf"{tmp_path}/ca\x1b[31m\nb.tif: " in done.err
    assert len(done.err.splitlines()) == 3
    gone = run("denoise", tmp_path, "-m", tmp_path / f"none{name}.onnx")
    assert (gone.code, len(gone.err.splitlines())) == (2, 1)
    assert r"none" in gone.err
    scored = run("score", tmp_path / f"{name}.tif", tmp_path / f"{name}.tif")
    assert [len(scored.out.splitlines()), r"a\x1b[31m\nb.tif" in scored.out] == [2, True]


def test_metadata_of_models(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "m.onnx"
    path.write_bytes(plain({"summary": "good\x1b[2J\nfor all", "scores": {"a\x07": {"b\r": "c\x1b"}}}))
    done = run("models", path)
    assert done.code == 0
    assert r"good\x1b[2J\nfor all" in done.out
    assert all(line.isprintable() for line in done.out.splitlines())
    # splitlines takes other codes for line ends too
    assert not set(done.out) & {"\x1b", "\x07", "\r"}
