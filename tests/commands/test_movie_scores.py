"""``score --movie``: files in, an error with its bars out, drift or not."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from temclean import io, metrics, noise
from temclean.commands.scoring import references
from temclean.restoration.windows import neighbours
from temclean.specimen import movies

Run = Callable[..., Any]


def save(path: Path, frames: np.ndarray, provenance: dict[str, Any] | None = None) -> Path:
    image = io.Image.from_array(frames.astype(np.float32), 0.03, "nm")
    return io.write(path, image, list(frames.astype(np.float32)), provenance)


@pytest.fixture(scope="module")
def movie(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, float]:
    """Write a movie that drifts by 1.5 pixels a frame and a result; return both, and the result's error."""
    folder = tmp_path_factory.mktemp("movie")
    drawn = movies.draw("drifting", 9, 96, 0.3, seed=3, drift=1.5, jitter=0.1)
    raw = np.stack([noise.apply(f, noise.Poisson(20.0), 1, frame=i) for i, f in enumerate(drawn.frames)])
    result = 0.3 * raw + 0.7 * drawn.frames
    return (
        save(folder / "raw.tif", raw),
        save(folder / "result.tif", result),
        float(((result - drawn.frames) ** 2).mean()),
    )


def test_drift_is_taken_out_first(run: Run, movie: tuple[Path, Path, float]) -> None:
    raw, result, truth = movie
    done = run("score", "--movie", raw, result, "--json", "--data-range", 1)
    record = json.loads(done.out)
    assert abs(record["umse"] - truth) < 3 * record["umse_error"]
    assert record["umse_error"] < 0.2 * truth
    assert record["upsnr_low"] < record["upsnr"] < record["upsnr_high"]
    assert record["upsnr"] == pytest.approx(-10 * np.log10(record["umse"]))
    assert (record["frames"], record["apart"]) == (9, 1)
    with io.read(result) as image:
        values = metrics.movie_css(image.pixels, 1.0)
    assert record["css"] == pytest.approx(values.mean())
    assert record["css_error"] == pytest.approx(values.std(ddof=1) / np.sqrt(8))


def test_a_table_for_people(run: Run, movie: tuple[Path, Path, float]) -> None:
    lines = run("score", "--movie", movie[0], movie[1], "--apart", 2).out.splitlines()
    assert lines[0].split()[:1] == ["uPSNR/dB"]
    assert str(movie[1]) in lines[1]
    assert "2 before and 2 after" in lines[2]


@pytest.mark.parametrize("seen", ["frames", "joined"])
def test_a_result_says_how_many_frames_were_looked_at(run: Run, tmp_path: Path, seen: str) -> None:
    frames = np.random.default_rng(1).random((8, 24, 24))
    raw, result = save(tmp_path / "raw.tif", frames), save(tmp_path / "r.tif", frames, {seen: 5})
    assert json.loads(run("score", "--movie", raw, result, "--json").out)["apart"] == 3
    assert json.loads(run("score", "--movie", raw, result, "--json", "--apart", 1).out)["apart"] == 1


def test_references_are_frames_that_were_not_seen() -> None:
    for frames in range(5, 24):
        for window in (1, 3, 5, 9)[: 3 if frames < 9 else None]:
            for index in range(frames):
                chosen = references(index, frames, window // 2 + 1)
                assert (chosen is not None) or frames < window + 2
                if chosen:
                    assert len(set(chosen)) == 2
                    assert not set(chosen) & set(neighbours(index, frames, window))
                    assert set(chosen) < set(range(frames))


def test_what_cannot_be_compared_is_told_in_one_line(run: Run, tmp_path: Path) -> None:
    frames = np.random.default_rng(1).random((3, 24, 24))
    raw = save(tmp_path / "raw.tif", frames)
    short, other = save(tmp_path / "short.tif", frames[:2]), save(tmp_path / "other.tif", frames[:, :20])
    for words in (["--movie", raw, other], ["--movie", raw, raw, "--apart", 2], ["--movie", short, short]):
        done = run("score", *words)
        assert done.code != 0
        assert len(done.err.splitlines()) == 1
        assert str(tmp_path) in done.err
