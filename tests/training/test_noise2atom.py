"""Noise2Atom: its losses, its two domains, the failures that the paper reports, and runs that are stopped."""

import json
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("onnxscript", reason="the train extra is not installed")

from temclean import io, noise  # noqa: E402
from temclean.errors import ImageError, ModelError, ParameterError  # noqa: E402
from temclean.restoration import models  # noqa: E402
from temclean.restoration.scaling import Scaling  # noqa: E402
from temclean.specimen.atoms import Atoms, gaussians  # noqa: E402
from temclean.training import cycle, domains, loop, networks, noise2atom, pairing, unpaired  # noqa: E402
from temclean.training.domains import Clean, Sample  # noqa: E402
from temclean.training.networks import LowPass, Network, ResidualUNet  # noqa: E402
from temclean.training.unpaired import Recipe  # noqa: E402

Run = Callable[..., Any]
CLEAN = Clean((2.0, 2.0), (0.004, 0.004), 0.3)
UNIT = Scaling(0.0, 1.0)


def atoms(seed: int, side: int = 64, height: float = 0.6, noisy: float = 0.15) -> np.ndarray:
    """Return an image of round spots of standard deviation 2 under Gaussian noise."""
    rng = np.random.default_rng(seed)
    places = np.stack(np.meshgrid(*(np.arange(8.0, side, 16),) * 2), -1).reshape(-1, 2) + rng.uniform(-2, 2, (1, 2))
    clean = gaussians(Atoms(places, np.full(len(places), height), np.full(len(places), 2.0)), side)
    return (clean + noisy * rng.standard_normal(clean.shape)).astype(np.float32)


def test_the_critic_loss_is_the_difference_of_means_and_a_penalty_of_its_slope() -> None:
    weight = torch.randn(1, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    true, made = torch.rand(2, 3, 1, 16, 16, generator=torch.Generator().manual_seed(2))
    found = cycle.critic_error(lambda x: (weight * x).sum(dim=(1, 2, 3)), true, made)  # type: ignore[arg-type]
    # The slope of a linear critic is its weight wherever one looks.
    length = float(weight.norm())
    expected = float((weight * (made - true)).sum(dim=(1, 2, 3)).mean()) + 10.0 * (1.0 - length) ** 2
    assert found.item() == pytest.approx(expected, rel=1e-4)


def test_the_low_pass_filter_is_a_gaussian_of_33_pixels_without_padding() -> None:
    point = torch.zeros(1, 1, 65, 65)
    point[0, 0, 32, 32] = 1.0
    seen = LowPass()(point)[0, 0]
    assert seen.shape == (33, 33)
    assert float(seen.sum()) == pytest.approx(1.0, abs=1e-5)
    variance = (seen.sum(dim=0) * torch.arange(-16.0, 17.0).square()).sum()
    assert float(variance) == pytest.approx(15.0, rel=0.01)


def test_clean_images_hold_the_atoms_that_were_asked_for() -> None:
    images = CLEAN.batch(1, 0, 0, 60, 96).numpy()
    # Positions times 2.5 atoms on the mean, each of the volume of its Gaussian: the mean intensity.
    expected = 0.004 * 2.5 * 0.3 * 2 * np.pi * 2.0**2
    # A number of positions that is Poisson, each of 1 to 4 atoms (second moment 7.5).
    error = expected * np.sqrt(7.5 / 2.5**2 / (60 * 0.004 * 96**2))
    assert abs(images.mean() - expected) < 4.0 * error
    assert images.min() >= 0.0
    assert torch.equal(CLEAN.batch(1, 0, 0, 2, 96), torch.from_numpy(images[:2]))


def test_the_clean_domain_follows_the_pixel_size_and_what_the_frames_show() -> None:
    sample = Sample(np.stack([atoms(seed, height=0.6) for seed in range(6)]), UNIT, 64, 1)
    found = noise2atom.clean_domain(sample, 0.3, None, None)
    assert found.width == (pytest.approx(0.5 / 0.3), pytest.approx(0.8 / 0.3))
    assert found.height == pytest.approx(0.6, abs=0.15)
    assert found.density == (pytest.approx(75 / 256**2), pytest.approx(150 / 256**2))
    given = noise2atom.clean_domain(sample, 0.2, (0.3, 0.4), (2.0, 5.0))
    assert given.width == (pytest.approx(1.5), pytest.approx(2.0))
    assert given.density == (pytest.approx(2.0 * 0.02**2), pytest.approx(5.0 * 0.02**2))  # 0.02 nm a pixel
    with pytest.raises(ParameterError, match="--pixel-size"):
        noise2atom.clean_domain(sample, None, (0.3, 0.4), None)


def test_dark_atoms_are_refused() -> None:
    sample = Sample(1.0 - np.stack([atoms(seed) for seed in range(4)]), UNIT, 64, 1)
    with pytest.raises(ImageError, match="dark spots"):
        noise2atom.clean_domain(sample, 0.3, None, None)


class Gain(Network):
    """Multiplies images by a number: the simplest network whose contrast can turn over."""

    multiple = 32

    def __init__(self, gain: float = 1.0) -> None:
        super().__init__()
        self.gain = torch.nn.Parameter(torch.tensor(gain))

    def forward(self, x: Any) -> Any:
        return self.gain * x


def test_contrast_tells_bright_atoms_from_dark_ones_and_from_none() -> None:
    noisy = torch.from_numpy(np.stack([atoms(seed) for seed in range(3)])[:, None])
    clean = torch.from_numpy(np.stack([atoms(seed, noisy=0.0) for seed in range(3)])[:, None])
    assert (cycle.contrast(noisy, clean, 2.0) > 0.8).all()
    assert (cycle.contrast(noisy, 1.0 - clean, 2.0) < -0.8).all()
    # The ground between atoms for the atoms, as in the paper's figure 5.
    between = torch.roll(clean, (8, 8), (2, 3))
    assert (cycle.contrast(noisy, between, 2.0) < -0.1).all()
    assert cycle.contrast(noisy, torch.zeros_like(clean), 2.0).abs().max() < 1e-3


def test_the_guard_pushes_an_inverted_network_back() -> None:
    network, noisy = Gain(-0.5), torch.from_numpy(atoms(1)[None, None])
    something = torch.from_numpy(atoms(2, height=0.0, noisy=0.3)[None, None])  # without it a gain would be no matter
    cycle.contrast_error(noisy, network(noisy) + something, 2.0).backward()
    assert network.gain.grad < 0  # so that a step down the gradient raises it
    assert cycle.contrast_error(noisy, Gain()(noisy), 2.0).item() == 0.0


@pytest.fixture
def toy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> tuple[Recipe, Sample]:
    """Let both U-Nets be a gain, of 1 at the start."""
    monkeypatch.setattr(networks, "build", lambda recipe: Gain())
    monkeypatch.setattr(loop.Run, "start", lambda self, source: None)
    monkeypatch.setattr(cycle, "CRITICS", 1)
    recipe = Recipe("m.tif", None, "general", replace(CLEAN), (4,), (), steps=6, batch=1, crop=64)
    return recipe, Sample(np.stack([atoms(seed) for seed in range(6)]), UNIT, 64, 1)


def turning(monkeypatch: pytest.MonkeyPatch, steps: set[int]) -> None:
    """Let the contrast turn over in some steps, as it does in one trial of ten."""
    one = unpaired.Training.one

    def turned(self: unpaired.Training) -> Any:
        made = one(self)
        if self.step in steps:
            for weights in (self.network.state_dict(), self.weights):
                weights["gain"].fill_(-1.0)
        return made

    monkeypatch.setattr(unpaired.Training, "one", turned)


def test_inverted_contrast_is_seen_and_training_goes_back(
    toy: tuple[Recipe, Sample], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    turning(monkeypatch, {4})
    network = unpaired.train(*toy, tmp_path / "a.pt", False, 2)
    assert network.gain > 0.5
    state = loop.load(tmp_path / "a.pt")
    assert (state["step"], state["right"]["turns"], state["right"]["step"]) == (6, 1, 6)
    assert "the contrast is lost: back to step 2" in capfd.readouterr().err


def test_where_contrast_stays_inverted_no_model_comes_of_it(
    toy: tuple[Recipe, Sample], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    turning(monkeypatch, set(range(20)))
    with pytest.raises(ModelError, match="no model is written"):
        unpaired.train(*toy, tmp_path / "a.pt", False, 1)


def test_a_gradient_costs_what_makes_atoms_of_it() -> None:
    draw = np.random.default_rng(3)
    noisy = torch.from_numpy(np.stack([atoms(seed) for seed in range(4)])[:, None])
    lit = cycle.lit(noisy, draw)
    # Light comes on, up to half of the range, and brings the noise of its counts.
    light = cycle.blurred(lit - noisy, 6.0)
    assert light.min() > -0.15
    assert 0.05 < light.mean() < 0.4
    grain = (lit - noisy - light)[..., 1:] - (lit - noisy - light)[..., :-1]
    assert grain.std() > 0.05

    class Flat(Gain):
        def forward(self, x: Any) -> Any:
            return cycle.blurred(x, 2.0) - cycle.blurred(x, 6.0)

    guards = []
    for network in (Gain(), Flat()):
        partners = cycle.Partners(network, Gain(), 64, 1e-4, "cpu")
        guards.append(partners.back_to_noisy(noisy, 2.0, np.random.default_rng(1))[1].item())
    assert guards[1] < 0.4 * guards[0]


class Counted:
    """Frames that are made when they are asked for, and remember which were."""

    def __init__(self, count: int) -> None:
        self.shape, self.dtype, self.reads = (count, 64, 300), np.dtype(np.uint16), set[int]()

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: int) -> np.ndarray:
        self.reads.add(index)
        return np.random.default_rng(index).integers(0, 20, self.shape[1:], np.uint16)


def test_of_a_long_movie_a_sample_is_held() -> None:
    frames = Counted(3000)
    sample = Sample(frames, Scaling(0.0, 20.0), 32, 1)
    for step in range(9):
        assert sample.batch(step, 0, 4).shape == (4, 1, 32, 32)
    assert len(frames.reads) == len(sample.held) == domains.SAMPLED
    assert (min(frames.reads), max(frames.reads)) == (0, 2999)
    assert sum(frame.nbytes for frame in sample.held) <= domains.SAMPLED * 64 * 256 * 4
    assert torch.equal(Sample(frames, Scaling(0.0, 20.0), 32, 1).batch(8, 0, 4), sample.batch(8, 0, 4))


def test_simulated_pairs_are_of_the_same_atoms() -> None:
    noisy, clean = domains.simulated(3, 0, 8, 96)
    assert noisy.shape == clean.shape == (8, 1, 96, 96)
    assert clean.min() >= 0
    with_atoms = clean.amax(dim=(1, 2, 3)) > 0
    assert (cycle.contrast(noisy, clean, 2.5)[with_atoms] > 0.05).all()
    assert torch.equal(domains.simulated(3, 0, 8, 96)[0], noisy)
    assert not torch.equal(domains.simulated(3, 1, 8, 96)[0], noisy)


@pytest.fixture
def start(tmp_path: Path) -> Path:
    """Return the checkpoint of a tiny network."""
    torch.manual_seed(2)
    recipe = {"widths": [4, 6], "more": []}
    network = ResidualUNet((4, 6))
    torch.nn.init.normal_(network.head.weight, std=0.05)
    run = loop.Run(network, torch.optim.SGD(network.parameters(), 0.1), tmp_path / "start.pt")
    run.save(
        {
            "recipe": json.dumps(recipe),
            "record": {"recipe": json.dumps(recipe), "hours": 0.0, "images": 0},
            "origin": [],
        }
    )
    return tmp_path / "start.pt"


def stop(*_: object) -> None:
    raise KeyboardInterrupt


def test_what_was_stopped_ends_with_the_same_bits(start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cycle, "CRITICS", 2)
    sample = Sample(np.stack([atoms(seed) for seed in range(6)]), UNIT, 64, 1)
    recipe = Recipe("m.tif", None, str(start), CLEAN, (4, 6), (), steps=2, batch=1, crop=64)
    whole = unpaired.train(recipe, sample, tmp_path / "a.pt", False, 1)

    with monkeypatch.context() as patch:
        patch.setattr(unpaired.Training, "report", stop)
        with pytest.raises(KeyboardInterrupt):
            unpaired.train(recipe, sample, tmp_path / "b.pt", False, 1)
    assert loop.load(tmp_path / "b.pt")["step"] == 1
    parts = unpaired.train(recipe, sample, tmp_path / "b.pt", True, 1)
    first, second = (loop.load(tmp_path / name) for name in ("a.pt", "b.pt"))
    assert second["step"] == 2
    for part in ("to_noisy", "critic"):
        for name, value in first["partners"][part].items():
            assert torch.equal(value, second["partners"][part][name]), name
    for one, other in zip(whole.state_dict().values(), parts.state_dict().values(), strict=True):
        assert torch.equal(one, other)
    with pytest.raises(ParameterError, match="another run or other options"):
        unpaired.train(replace(recipe, seed=2), sample, tmp_path / "b.pt", True, 1)


def test_pairs_go_on_exactly_too(start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    recipe = pairing.Paired(str(start), steps=2, batch=2, crop=32, widths=(4, 6))
    pairing.train(recipe, tmp_path / "a.pt", False, 2)
    whole = loop.load(tmp_path / "a.pt")
    with monkeypatch.context() as patch:
        patch.setattr(loop, "preview", stop)
        with pytest.raises(KeyboardInterrupt):
            pairing.train(recipe, tmp_path / "b.pt", False, 1)
    pairing.train(recipe, tmp_path / "b.pt", True, 1)
    for name, value in whole["average"].items():
        assert torch.equal(value, loop.load(tmp_path / "b.pt")["average"][name]), name
    assert asdict(recipe)["simulated"]


def test_from_a_movie_to_a_model_that_denoises_it(
    run: Run, start: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cycle, "CRITICS", 1)
    rng = np.random.default_rng(1)
    frames = [noise.apply(atoms(seed, noisy=0.0) + 0.1, noise.Poisson(9.0), int(rng.integers(99))) for seed in range(5)]
    raw = io.write(tmp_path / "raw.tif", io.Image.from_array(np.stack(frames), 0.03, "nm"), frames)
    out = tmp_path / "my.onnx"
    words = ["train", "noise2atom", raw, "-o", out, "--start", start, "--steps", 2, "--every", 1, "--batch", 1]
    words += ["--crop", 64, "--threads", 1]
    done = run(*words)
    assert done.code == 0, done.err
    assert done.out.strip() == f"{raw} -> {out}"
    assert "step 2/2" in done.err
    assert "low frequency" in done.err
    assert "under a gradient of the background" in done.err
    assert {path.name for path in tmp_path.glob("my*")} == {"my.onnx", "my.pt", "my_preview.png"}
    model = models.load(out)
    assert (model.frames, model.family, model.pixel_sizes) == (1, "n2a", (pytest.approx(0.3), pytest.approx(0.3)))
    assert run("denoise", raw, "-m", out, "-o", tmp_path / "result.tif", "--device", "cpu").code == 0
    refused = run(*words)
    assert refused.code != 0
    assert "--overwrite" in refused.err
    assert run("train", "noise2atom", "-o", tmp_path / "x.onnx").code == 2


def test_time_that_is_up_ends_training(toy: tuple[Recipe, Sample], tmp_path: Path) -> None:
    unpaired.train(*toy, tmp_path / "a.pt", False, 50, minutes=1e-9)
    assert loop.load(tmp_path / "a.pt")["step"] == 1
