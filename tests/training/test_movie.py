"""Training on a movie alone: what is never seen, what is hidden, where it begins, and that it goes on exactly."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("onnxscript", reason="the train extra is not installed")

from temclean import io, noise  # noqa: E402
from temclean.errors import ImageError, ParameterError  # noqa: E402
from temclean.restoration import models  # noqa: E402
from temclean.restoration.windows import neighbours  # noqa: E402
from temclean.specimen import movies  # noqa: E402
from temclean.training import footage, loop, movie  # noqa: E402
from temclean.training.footage import Footage, Measured  # noqa: E402
from temclean.training.networks import ResidualUNet  # noqa: E402
from temclean.training.networks.blindspot import BlindSpot, Spot  # noqa: E402

Run = Callable[..., Any]
ALONE = Spot()


def small(spot: Spot = ALONE, seed: int = 0, *, still: bool = False, **more: Any) -> BlindSpot:
    """Return a network before a tiny one that is random, or, if ``still``, hands on what it gets."""
    torch.manual_seed(seed)
    network = BlindSpot(ResidualUNet((4, 6)), spot, **{"frames": 5, **more})
    if not still:
        for weight in network.parameters():
            if weight.dim() > 1:
                torch.nn.init.normal_(weight, std=0.2)
    return network.eval()


@pytest.mark.parametrize("spot", [Spot(), Spot(0, 1), Spot(1, 0), Spot(1, 1), Spot(0, 3)])
def test_a_pixel_and_what_is_hidden_with_it_are_never_seen(spot: Spot) -> None:
    network = small(spot)
    side = 2 * network.multiple if network.multiple > 8 else 24
    x = torch.rand(1, 5, side, side, dtype=torch.float64)
    network = network.double()
    x.requires_grad_()
    for y, column in ((11, 12), (10, 7), (0, 0)):
        (gradient,) = torch.autograd.grad(network(x)[0, 0, y, column], x)
        middle, before = gradient[0, 2], gradient[0, 1]
        rows = slice(max(0, y - spot.rows), y + spot.rows + 1)
        columns = slice(max(0, column - spot.columns), column + spot.columns + 1)
        assert not middle[rows, columns].any()
        assert before[y, column]  # of other frames the pixel itself is seen
        middle = middle.clone()
        assert middle[y, (column + spot.columns + 1)]  # and of its own the next one


def correlated(columns: int, rows: int = 1, frames: int = 6) -> np.ndarray:
    """Return frames of a smooth scene under noise that is averaged over some pixels of rows and of columns."""
    rng = np.random.default_rng(columns)
    raw = rng.normal(0.0, 1.0, (frames, 160, 160))
    raw = sum(np.roll(raw, (i, j), (1, 2)) for i in range(rows) for j in range(columns)) / np.sqrt(rows * columns)
    y, x = np.mgrid[:160, :160] / 30
    return (100 + 5 * np.sin(x) * np.cos(y) + raw).astype(np.float32)


@pytest.mark.parametrize(("columns", "rows", "spot"), [(1, 1, Spot()), (2, 1, Spot(0, 1)), (1, 2, Spot(1, 0))])
def test_the_blind_spot_follows_the_noise(columns: int, rows: int, spot: Spot) -> None:
    frames = correlated(columns, rows)
    scale = footage.scaled(frames)
    measured = footage.measure(frames, scale)
    assert measured.spot == spot
    # Of n pixels averaged, the next one shares n - 1: a correlation of 1/2 for two.
    assert measured.along_rows[0] == pytest.approx((columns - 1) / columns, abs=0.05)
    assert measured.level == pytest.approx(1.0 / (scale.high - scale.low), rel=0.1)
    assert ("hidden with each pixel" in movie.told(measured)) == (spot != Spot())


def test_frames_that_repeat_the_one_before_tell_nothing_of_the_noise() -> None:
    frames = correlated(1, frames=20)
    scale = footage.scaled(frames)
    expected = footage.measure(frames, scale).level
    frames[1::2] = frames[::2]  # of the pairs that are looked at first some are copies
    assert footage.measure(frames, scale).level == pytest.approx(expected, rel=0.05)
    frames[:] = frames[0]
    with pytest.raises(ImageError, match="copies of each other"):
        footage.measure(frames, scale)


def test_movies_that_cannot_be_learned_from_are_named(run: Run, tmp_path: Path) -> None:
    noisy = correlated(1)[:, :32, :32].astype(np.float32)
    broken = noisy.copy()
    broken[2, 3, 4] = np.nan
    same = np.repeat(noisy[:1], 6, axis=0)
    for name, frames, told in (
        ("nan", broken, "NaN"),
        ("even", 0.0 * noisy, "all pixels of the movie are alike"),
        ("same", same, "copies of each other"),
        ("small", noisy[:, :4], "too small"),
    ):
        path = io.write(tmp_path / f"{name}.tif", io.Image.from_array(frames), list(frames))
        done = run("train", "movie", path, "-o", tmp_path / "m.onnx", "--steps", 1)
        assert done.code == 1
        assert done.err.startswith(f"temclean: {path}: ")
        assert told in done.err
    done = run("train", "noise2atom", path, "-o", tmp_path / "m.onnx", "--steps", 1, "--crop", 64)
    assert done.err.startswith(f"temclean: {path}: frames of 4 x 32 pixels are too small")
    assert not list(tmp_path.glob("m.*"))


def test_a_wide_blind_spot_is_cut_to_what_can_be_paid_for() -> None:
    spot = Measured(0.1, (1.0, 0.0), (0.9, 0.8, 0.7, 0.6, 0.5, 0.4), (0.9, 0.8, 0.5, 0.0, 0.0, 0.0)).spot
    assert np.prod(spot.period) <= footage.MOST_PASSES
    assert spot.columns > spot.rows


def test_frames_of_hardly_any_noise_are_not_parted_by_rounding() -> None:
    y, x = np.mgrid[:64, :64]
    frames = (x // 8 + y // 8) % 2 + np.random.default_rng(4).normal(0.0, 1e-5, (9, 64, 64))
    network = small(frames=9, noise=footage.measure(frames, footage.Scaling(0.0, 1.0)).differences)
    stack = torch.from_numpy(frames[None].astype(np.float32))
    others = torch.cat([stack[:, :4], stack[:, 5:] + 1e-4], 1)  # ten times the noise, and nothing to the eye
    with torch.no_grad():
        assert float(network.agreement(stack[:, 4:5], others).min()) > 0.9


def test_frames_that_agree_are_averaged() -> None:
    frames = np.random.default_rng(1).normal(0.0, 0.1, (5, 96, 96)).astype(np.float32)
    measured = footage.measure(frames, footage.Scaling(0.0, 1.0))
    assert measured.differences[0] == pytest.approx(2 * 0.1**2 / (4 * np.pi * 2.0**2), rel=0.2)
    network = small(still=True, noise=measured.differences)
    with torch.no_grad():
        result = network(torch.from_numpy(frames)[None])[0, 0].numpy()
    # Four frames of weight 1, and a quarter of the mean of the eight pixels around.
    weights = np.exp(-1.5 * np.array([1.0, 2.0]))
    own = 0.25**2 * (weights**2).sum() / (4 * weights.sum() ** 2)
    assert result[8:-8, 8:-8].std() == pytest.approx(0.1 * np.sqrt(4 + own) / 4.25, rel=0.05)


@pytest.mark.parametrize("count", [5, 9])
@pytest.mark.parametrize("dose", [3.0, 20.0])
def test_a_hopped_atom_leaves_no_ghost(dose: float, count: int) -> None:
    film = movies.draw("hopping", 16, 96, 0.3, seed=9, drift=0.0, jitter=0.0)
    raw = np.stack([noise.apply(f, noise.Poisson(dose), 2, frame=i) for i, f in enumerate(film.frames)])
    noisy = footage.measure(raw, footage.Scaling(0.0, 1.0)).differences
    network = small(still=True, noise=noisy, frames=count)
    ghosts = []
    for hop in film.hops:
        for place, full, empty in ((hop.left, hop.frame - 1, hop.frame), (hop.reached, hop.frame, hop.frame - 1)):
            assert place is not None
            y, x = (round(value) for value in place)
            around = np.s_[y - 1 : y + 2, x - 1 : x + 2]
            height = film.frames[full][around].mean() - film.frames[empty][around].mean()
            window = [raw[i] for i in neighbours(empty, 16, count)]
            with torch.no_grad():
                result = network(torch.from_numpy(np.stack(window))[None])[0, 0].numpy()
            ghosts.append((result[around].mean() - film.frames[empty][around].mean()) / height)
    assert len(ghosts) > 3
    assert abs(np.mean(ghosts)) < 0.1


def test_a_step_parts_frames_where_two_of_them_alone_do_not() -> None:
    """Atoms of 1.8 standard errors of a smoothed difference come with the middle frame; steps show them at 3.8."""
    rng, level, height = np.random.default_rng(5), 0.1, 0.09
    y, x = np.mgrid[:96, :96] % 16 - 8
    frames = rng.normal(0.0, level, (9, 96, 96))
    frames[4:] += height * np.exp(-(y**2 + x**2) / (2 * 1.7**2))
    noisy = 2 * level**2 / (4 * np.pi * 2.0**2), 0.0
    stack = torch.from_numpy(frames[None].astype(np.float32))
    others = torch.cat([stack[:, :4], stack[:, 5:]], dim=1)
    with torch.no_grad():
        weights = small(frames=9, noise=noisy).agreement(stack[:, 4:5], others)[0].numpy()
    on = weights[:, 8:-8:16, 8:-8:16].mean(axis=(1, 2))
    assert on[:4].max() < 0.3
    assert on[4:].min() > 0.5


class Counted:
    """Frames that are made when they are asked for, and remember how many were."""

    def __init__(self, count: int) -> None:
        self.shape, self.dtype, self.reads = (count, 40, 300), np.dtype(np.uint16), 0

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: int) -> np.ndarray:
        self.reads += 1
        return np.random.default_rng(index).poisson(9.0, self.shape[1:]).astype(np.uint16)


def test_of_a_long_movie_a_sample_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(footage, "BANK", 4)
    frames = Counted(3000)
    film = Footage(frames, footage.Scaling(0.0, 20.0), 32, seed=3)
    for step in range(0, 40):
        window, held = film.batch(step, 2)
        assert window.shape == (2, 9, 32, 32)
        assert held.shape == (2, 1, 32, 32)
        assert len(film.held) <= 4
    assert frames.reads < 9 * 20
    again = Footage(Counted(3000), footage.Scaling(0.0, 20.0), 32, seed=3).batch(39, 2)
    assert torch.equal(again[0], window)  # a batch follows from its number, whatever came before


class Faded(torch.nn.Module):
    """Hand on what comes, with less contrast and brighter, as what was trained on other images may."""

    def forward(self, x: Any, beside: Any = None) -> Any:
        return 0.7 * x + 0.2


def test_results_that_are_off_are_brought_to_the_movies_intensities() -> None:
    """Noisy pixels tell the line without any truth, as no result knows the noise of its own pixel."""
    rng = np.random.default_rng(2)
    clean = (0.5 + 0.3 * np.sin(np.arange(96) / 9)[:, None] * np.sin(np.arange(96) / 11)).astype(np.float32)
    raw = torch.from_numpy(clean + rng.normal(0.0, 0.05, (7, 96, 96)).astype(np.float32))
    checks = [(raw[None, first : first + 5], torch.zeros(1, 1, 96, 96)) for first in range(3)]
    network = small(still=True, noise=(0.005 / (4 * np.pi * 4), 0.0))
    network.prior = Faded()
    movie.fit_line(network, checks)
    assert network.line.tolist() == pytest.approx([-0.2 / 0.7, 1 / 0.7], abs=0.1)
    with torch.no_grad():
        assert abs(float((network(checks[0][0])[0, 0] - torch.from_numpy(clean)).mean())) < 0.01
    before = network.line.tolist()
    movie.fit_line(network, checks)  # what is left is noise
    assert network.line.tolist() == before


@pytest.mark.parametrize(("frames", "window"), [(5, 5), (6, 5), (8, 7), (9, 9), (400, 9)])
def test_short_movies_are_looked_at_through_fewer_frames(frames: int, window: int) -> None:
    assert Footage(Counted(frames), footage.Scaling(0.0, 20.0), 32, seed=3).batch(0, 1)[0].shape[1] == window


def test_pixels_that_are_held_out_are_so_in_every_entry() -> None:
    frames = np.random.default_rng(2).random((6, 48, 48)).astype(np.float32)
    film = Footage(frames, footage.Scaling(0.0, 1.0), 32, seed=1)
    masks: dict[bytes, np.ndarray] = {}
    for key in (footage.ENTRY, footage.CHECK):
        for number in range(12):
            stack = film.entry(number, key)
            assert np.array_equal(masks.setdefault(stack[2].tobytes(), stack[-1]), stack[-1])
    assert 0.05 < np.mean([mask.mean() for mask in masks.values()]) < 0.15


@pytest.fixture
def tiny(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let training begin with a network that is small and random, in the place of the shipped one."""

    def begin(prior: str, measured: Measured, window: int) -> BlindSpot:
        return small(measured.spot, 4, noise=measured.differences, frames=window)

    monkeypatch.setattr(movie, "begin", begin)
    monkeypatch.setattr(movie, "CHECKS", 2)


@pytest.fixture
def raw(tmp_path: Path) -> Path:
    film = movies.draw("hopping", 6, 40, 0.3, seed=1)
    frames = [noise.apply(f, noise.Poisson(9.0), 1, frame=i) for i, f in enumerate(film.frames)]
    return io.write(tmp_path / "raw.tif", io.Image.from_array(np.stack(frames), 0.03, "nm"), frames)


def test_what_was_stopped_ends_with_the_same_bits(tiny: None, raw: Path, tmp_path: Path, monkeypatch: Any) -> None:
    with io.read(raw) as image:
        frames = np.stack(list(image.pixels))
    scale = footage.scaled(frames)
    measured = footage.measure(frames, scale)
    recipe = movie.Recipe("raw.tif", steps=2, batch=1, crop=32)
    whole = movie.train(recipe, frames, scale, measured, tmp_path / "a.pt", False, 1)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(loop.Run, "report", stop)
        with pytest.raises(KeyboardInterrupt):
            movie.train(recipe, frames, scale, measured, tmp_path / "b.pt", False, 1)
    parts = movie.train(recipe, frames, scale, measured, tmp_path / "b.pt", True, 1)
    assert loop.load(tmp_path / "b.pt")["step"] == 2
    for name, value in loop.load(tmp_path / "a.pt")["network"].items():
        assert torch.equal(value, loop.load(tmp_path / "b.pt")["network"][name]), name
    for one, other in zip(whole.state_dict().values(), parts.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(ParameterError, match="another run or other options"):
        movie.train(movie.Recipe("raw.tif", steps=5), frames, scale, measured, tmp_path / "b.pt", True, 1)


def test_from_a_movie_to_a_model_that_denoises_it(
    tiny: None, run: Run, raw: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(BlindSpot, "passes", 1)  # a quarter of the pixels: the exporter takes seconds for each pass
    monkeypatch.setattr(movie, "fit_line", lambda *_: None)  # which would bring even random results near
    out = tmp_path / "my.onnx"
    words = ["train", "movie", raw, "-o", out, "--steps", 2, "--every", 1, "--batch", 1, "--crop", 32, "--threads", 1]
    done = run(*words)
    assert done.code == 0
    assert done.out.strip() == f"{raw} -> {out}"
    assert "each pixel has its own" in done.err
    assert "step 2/2" in done.err
    assert "better as it is" in done.err  # a network of random weights, which two updates have not changed
    assert all(float(share) < 100 for share in re.findall(r"held out: off by (\S+)%", done.err))
    assert {path.name for path in tmp_path.glob("my*")} == {"my.onnx", "my.pt", "my_preview.png"}
    model = models.load(out)
    assert (model.frames, model.family, model.pixel_sizes) == (5, "movie", (pytest.approx(0.3), pytest.approx(0.3)))
    assert run("denoise", raw, "-m", out, "-o", tmp_path / "result.tif", "--device", "cpu").code == 0
    with io.read(tmp_path / "result.tif") as result:
        assert result.pixels.shape == (6, 40, 40)
    refused = run(*words)
    assert refused.code != 0
    assert "--overwrite" in refused.err


def test_movies_too_short_are_refused_in_one_line(run: Run, raw: Path, tmp_path: Path) -> None:
    with io.read(raw) as image:
        frames = np.stack(list(image.pixels)[:4])
    short = io.write(tmp_path / "short.tif", io.Image.from_array(frames), list(frames))
    done = run("train", "movie", short, "-o", tmp_path / "m.onnx")
    assert done.code != 0
    assert len(done.err.splitlines()) == 1
    assert "holds 4 frames" in done.err
    assert not list(tmp_path.glob("m.*"))


def test_training_begins_with_a_model_that_is_older_than_a_part_of_its_network(monkeypatch: pytest.MonkeyPatch) -> None:
    weights, records = loop.shipped(models.find("general"))
    older = {name: value for name, value in weights.items() if not name.startswith("spectral")}
    assert len(older) < len(weights)
    monkeypatch.setattr(loop, "shipped", lambda path: (older, records))
    begun = movie.begin("general", Measured(0.1, (0.01, 0.0), (0.0,), (0.0,)), 5).prior
    assert torch.equal(begun.head.weight, older["head.weight"])
