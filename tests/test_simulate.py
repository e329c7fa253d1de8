"""Simulated pairs: what is written, and that the manifest makes it again."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from temclean import io, noise

Run = Callable[..., Any]
ImageFile = Callable[..., Path]


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("family", noise.FAMILIES)
def test_the_manifest_makes_the_same_bytes(run: Run, tmp_path: Path, family: str) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    done = run("simulate", "--noise", family, "-n", 2, "--size", 48, "--seed", 5, "-o", first)
    assert done.code == 0
    assert len(done.out.splitlines()) == 2
    assert sorted(contents(first)) == [
        "0000_clean.tif", "0000_columns.csv", "0000_noisy.tif", "0001_clean.tif", "0001_columns.csv", "0001_noisy.tif",
        "manifest.json",
    ]  # fmt: skip
    assert run("simulate", "--from", first / "manifest.json", "-o", second).code == 0
    assert contents(first) == contents(second)


def test_images_are_float32_with_a_pixel_size_and_of_the_noise(run: Run, tmp_path: Path) -> None:
    run("simulate", "--noise", "bbg", "--level", 0.1, "--set", "smooth=false", "--set", "patches=[4,2]",
        "--size", 64, "--pixel-size", 0.2, "--specimen", "lattice", "-o", tmp_path)  # fmt: skip
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    (pair,) = manifest["pairs"]
    with io.read(tmp_path / pair["clean"]) as clean, io.read(tmp_path / pair["noisy"]) as noisy:
        assert noisy.pixels.dtype == np.float32
        assert noisy.unit == "nm"
        assert noisy.pixel_size == pytest.approx((0.02, 0.02), rel=1e-6)
        kind = noise.BackgroundBrightness(0.1, patches=(4, 2), smooth=False)
        expected = noise.apply(clean.pixels[0], kind, pair["noise_seed"])
        np.testing.assert_array_equal(noisy.pixels[0], expected)


def test_the_first_pairs_do_not_depend_on_the_count(run: Run, tmp_path: Path) -> None:
    run("simulate", "--noise", "g", "--size", 32, "-o", tmp_path / "one")
    run("simulate", "--noise", "g", "--size", 32, "-n", 2, "-o", tmp_path / "two")
    one, two = contents(tmp_path / "one"), contents(tmp_path / "two")
    assert one["0000_noisy.tif"] == two["0000_noisy.tif"]
    assert two["0000_noisy.tif"] != two["0001_noisy.tif"]


def test_own_files_keep_their_scale(run: Run, tmp_path: Path, image_file: ImageFile) -> None:
    rng = np.random.default_rng(1)
    pixels = rng.integers(1000, 3001, (2, 40, 50)).astype(np.uint16)
    pixels[0, 0, :2] = 1000, 3000
    own = io.write(tmp_path / "own.tif", io.Image.from_array(pixels, 0.3, "nm"), list(pixels))
    done = run("simulate", own, "--noise", "g", "--level", 0.05, "--set", "clip=false", "-o", tmp_path / "out")
    assert done.code == 0
    with io.read(tmp_path / "out" / "own_noisy.tif") as noisy:
        assert noisy.pixels.dtype == np.float32
        assert noisy.pixel_size == pytest.approx((0.3, 0.3), rel=1e-6)
        difference = np.stack(list(noisy.pixels)) - pixels
    # 4000 values of standard deviation 0.05 * 2000: five standard errors of their mean and of their deviation.
    assert abs(difference.mean()) < 5 * 100 / np.sqrt(4000)
    assert abs(difference.std() - 100) < 5 * 100 / np.sqrt(8000)
    assert np.abs(difference[0] - difference[1]).max() > 100
    remade = run("simulate", "--from", tmp_path / "out" / "manifest.json", "-o", tmp_path / "again")
    assert remade.code == 0
    assert contents(tmp_path / "out")["own_noisy.tif"] == contents(tmp_path / "again")["own_noisy.tif"]
    image_file(own)
    changed = run("simulate", "--from", tmp_path / "out" / "manifest.json", "-o", tmp_path / "changed")
    assert changed.code == 1
    assert "SHA-256" in changed.err


def test_bad_own_files_are_named_and_the_others_done(run: Run, tmp_path: Path, image_file: ImageFile) -> None:
    sevens = np.full((8, 8), 7, np.uint8)
    flat = io.write(tmp_path / "flat.tif", io.Image.from_array(sevens), [sevens])
    good = image_file(tmp_path / "good.tif")
    done = run("simulate", flat, good, tmp_path / "none.tif", "--noise", "g", "-o", tmp_path / "out", "--json")
    assert done.code == 1
    outcomes = {Path(one["clean"]).name: one["error"] for one in map(json.loads, done.out.splitlines())}
    assert outcomes["good.tif"] is None
    assert "no such file" in outcomes["none.tif"]
    assert "7" in outcomes["flat.tif"]


def test_nothing_is_overwritten_unasked(run: Run, tmp_path: Path) -> None:
    arguments = ["simulate", "--noise", "g", "--size", 16, "-o", tmp_path]
    assert run(*arguments).code == 0
    before = contents(tmp_path)
    done = run(*arguments, "--seed", 9)
    assert done.code == 1
    assert "--overwrite" in done.err
    assert contents(tmp_path) == before
    assert run(*arguments, "--seed", 9, "--overwrite").code == 0
    assert contents(tmp_path) != before


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        '{"format": 99}',
        '{"format": 1, "noise": {"family": "fog"}, "pairs": []}',
        '{"format": 1, "noise": {"family": "g", "level": 0.1}, "pairs": [{"clean": "a"}]}',
    ],
)
def test_a_damaged_manifest_is_one_line(run: Run, tmp_path: Path, text: str) -> None:
    (tmp_path / "manifest.json").write_text(text)
    done = run("simulate", "--from", tmp_path / "manifest.json", "-o", tmp_path / "out")
    assert done.code == 1
    assert len(done.err.splitlines()) == 1


def test_a_manifest_cannot_write_elsewhere(run: Run, tmp_path: Path) -> None:
    run("simulate", "--noise", "g", "--size", 16, "-o", tmp_path / "a")
    text = (tmp_path / "a" / "manifest.json").read_text()
    (tmp_path / "a" / "evil.json").write_text(text.replace("0000_noisy.tif", "../escaped.tif"))
    assert run("simulate", "--from", tmp_path / "a" / "evil.json", "-o", tmp_path / "b").code == 1
    assert not (tmp_path / "escaped.tif").exists()
