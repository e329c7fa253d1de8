"""Windows of the Fourier transform: against NumPy's, and what they are for; needs the ``train`` extra."""

import math
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("onnxscript", reason="the train extra is not installed")

from temclean.restoration.modelfile import METADATA_KEY  # noqa: E402
from temclean.training import loop, onnx_graph  # noqa: E402
from temclean.training.networks import ResidualUNet  # noqa: E402
from temclean.training.networks.spectral import THRESHOLD, SpectralWindows  # noqa: E402


def windowed(image: np.ndarray, side: int, steepness: float, others: float, shift: float) -> np.ndarray:
    """Do by NumPy's transform, window by window, what the module does."""
    half = side // 2
    wide = np.pad(image, half, mode="symmetric")
    taper = np.sin(np.pi * (np.arange(side) + 0.5) / side)
    taper = np.outer(taper, taper)
    result = np.zeros_like(wide)
    for top in range(0, len(wide) - half, half):
        for left in range(0, wide.shape[1] - half, half):
            window = wide[top : top + side, left : left + side]
            mean = window.mean()
            transform = np.fft.rfft2((window - mean) * taper) * 2.0 / side
            power = np.log1p(np.abs(transform) ** 2 * 1e8)
            power -= power.mean() + np.euler_gamma
            rows, columns = power.shape
            around = np.array(
                [
                    [power[max(0, i - 4) : i + 5, max(0, j - 4) : j + 5].mean() for j in range(columns)]
                    for i in range(rows)
                ]
            )
            gain = 1.0 / (1.0 + np.exp(-(steepness * power + others * around + shift)))
            kept = np.fft.irfft2(gain * transform * side / 2.0, s=(side, side)) + mean * taper
            result[top : top + side, left : left + side] += kept * taper
    return result[half:-half, half:-half]


@pytest.mark.parametrize("side", [8, 16])
def test_windows_are_those_of_a_plain_transform(side: int) -> None:
    rng = np.random.default_rng(side)
    image = rng.normal(0.5, 0.2, (32, 48)) + 0.3 * np.sin(np.arange(48))
    module = SpectralWindows(side).double()
    with torch.no_grad():
        module.own.fill_(1.5)
        module.others.fill_(-0.7)
        module.shift.fill_(-1.0)
        found = module(torch.from_numpy(image)[None, None])[0][0, 0].numpy()
    np.testing.assert_allclose(found, windowed(image, side, 1.5, -0.7, -1.0), atol=1e-6)


def test_a_gain_of_one_changes_nothing() -> None:
    module = SpectralWindows(16)
    with torch.no_grad():
        module.own.zero_()
        module.shift.fill_(50.0)
        image = torch.rand(2, 1, 40, 64)
        torch.testing.assert_close(module(image)[0], image, atol=1e-5, rtol=0.0)


@pytest.mark.parametrize("period", [2.7, 5.7, 11.3])
def test_a_lattice_of_any_period_outshines_its_noise_without_training(period: float) -> None:
    rows, columns = np.mgrid[:256, :256]
    clean = sum(np.cos(2 * np.pi / period * (rows * np.sin(t) + columns * np.cos(t))) for t in (0.3, 1.35, 2.4))
    noisy = clean + np.random.default_rng(1).normal(0.0, clean.std() * 2.0, clean.shape)
    with torch.no_grad():
        found = SpectralWindows(64)(torch.from_numpy(noisy).float()[None, None])[0][0, 0].numpy()
    inside = np.s_[32:-32, 32:-32]
    error = np.square(found - clean)[inside].mean() / np.square(noisy - clean)[inside].mean()
    # Of the noise a coefficient keeps what is above the threshold, exp(-THRESHOLD) of them and a little around it.
    assert error < 3.0 * THRESHOLD * math.exp(-THRESHOLD)


def test_windows_lie_where_they_lay_in_the_whole_image() -> None:
    torch.manual_seed(0)
    network = ResidualUNet((4, 6), spectral=(64,)).eval()
    assert network.multiple == 32
    for windows in network.spectral:
        torch.nn.init.normal_(windows.trust)
    image = torch.rand(1, 1, 256, 256)
    with torch.no_grad():
        whole, part = (
            torch.cat([found for windows in network.spectral for found in windows(each)], dim=1)
            for each in (image, image[..., 32:, 64:])
        )
    torch.testing.assert_close(whole[..., 96:, 128:], part[..., 64:, 64:], atol=1e-6, rtol=0.0)


def test_a_network_sees_beyond_its_image_what_it_is_given_there() -> None:
    torch.manual_seed(0)
    network = ResidualUNet((4, 6), spectral=(64,)).eval()
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.15)
    image = torch.rand(1, 1, 192, 160)
    around = torch.from_numpy(np.pad(image[0, 0].numpy(), 32, mode="symmetric"))[None, None]
    with torch.no_grad():
        alone = network(image)
        network.beyond = network.furthest
        assert network.beyond == 32
        torch.testing.assert_close(network(around), alone, atol=1e-5, rtol=0.0)
        around[..., :32] += 0.5
        beside = (network(around) - alone).abs()[0, 0].amax(dim=0)
    assert beside[:32].min() > 1e-3
    assert beside[128:].max() < 1e-5


def test_a_network_grows_windows_and_comes_back_from_its_file(tmp_path: Path) -> None:
    torch.manual_seed(0)
    small, large = ResidualUNet((4,)), ResidualUNet((4,), spectral=(16,))
    for weight in small.parameters():
        torch.nn.init.normal_(weight, std=0.15)
    state = large.state_dict()
    large.load_state_dict(
        {**state, **{name: loop.grown(value, state[name]) for name, value in small.state_dict().items()}}
    )
    image = torch.rand(1, 1, 64, 96)
    with torch.no_grad():
        torch.testing.assert_close(large(image), small(image))
        for weight in large.parameters():
            torch.nn.init.normal_(weight, std=0.15)
    large.beyond = large.furthest
    model = onnx_graph.to_onnx(large)
    onnx_graph.verify(large, onnx_graph.Runner(model, large.beyond))
    half = onnx_graph.store_half(model)
    entry = half.metadata_props.add()
    entry.key, entry.value = METADATA_KEY, '{"training": {"runs": [{}]}}'
    path = tmp_path / "model.onnx"
    path.write_bytes(half.SerializeToString())
    weights, _ = loop.shipped(path)
    assert weights.keys() == large.state_dict().keys()
    for name, value in large.state_dict().items():
        torch.testing.assert_close(weights[name], value, atol=1e-3, rtol=1e-3)


def test_windows_see_in_how_many_waves_an_image_is() -> None:
    """A lattice under white noise is in a few; around a fault it is in more, and far from it in as few as before."""
    rows, columns = np.mgrid[:256, :256]
    lattice = np.cos(2 * np.pi * rows / 9.3) * np.cos(2 * np.pi * columns / 7.1)
    fault = np.where(columns < 160, lattice, np.roll(lattice, 4, axis=0))
    noise = np.random.default_rng(2).normal(0.0, 0.3, lattice.shape)
    windows = SpectralWindows(64)
    with torch.no_grad():
        windows.judged.zero_()
        windows.judged[0, 2] = windows.trust[0, 0] = 1.0
        windows.judged_shift[0] = 10.0
        few, more = (
            windows(torch.from_numpy(each + noise).float()[None, None])[1][0, 0, 96:160] for each in (lattice, fault)
        )
    assert more[:, 152:168].min() > few[:, 152:168].max()
    torch.testing.assert_close(few[:, :64], more[:, :64], atol=0.02, rtol=0.0)
