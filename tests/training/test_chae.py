"""The protocol of Chae et al. (2025): its data set, its network and its training; needs the ``train`` extra."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("onnx", reason="the train extra is not installed")
pytest.importorskip("onnxscript", reason="the train extra is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")

from temclean import noise, specimen  # noqa: E402
from temclean.specimen import densities  # noqa: E402
from temclean.training import chae, evaluate  # noqa: E402
from temclean.training.networks import ChaeUNet  # noqa: E402


@pytest.fixture(scope="module")
def image() -> np.ndarray:
    """Draw an image as those of the paper's set."""
    layout = np.array([[0, 1], [2, 3]])
    return specimen.scale(densities.combined(layout, 0.024)[: chae.SIDE, : chae.SIDE])


@pytest.fixture(scope="module")
def small(image: np.ndarray) -> chae.Patches:
    """Make a data set of 32-pixel patches of a quarter of that image."""
    return chae.Patches("g", 1, [image[:256, :256]])


def test_network_has_the_shape_of_the_paper() -> None:
    network = ChaeUNet(32)
    assert sum(weight.numel() for weight in network.parameters()) == 472_257
    assert sum(isinstance(part, torch.nn.BatchNorm2d) for part in network.modules()) == 10
    restored = network(torch.rand(2, 1, 32, 48) - 0.5)
    assert restored.shape == (2, 1, 32, 48)
    assert float(restored.detach().min()) == 0.0


def test_patches_are_put_together_again(image: np.ndarray) -> None:
    parts = evaluate.patches(image)
    assert parts.shape == (64, 128, 128)
    np.testing.assert_array_equal(parts[9], image[128:256, 128:256])
    np.testing.assert_array_equal(evaluate.joined(parts), image)
    turned = evaluate.in_patches(lambda part: part[::-1], image)
    np.testing.assert_array_equal(turned[:128], image[127::-1])
    np.testing.assert_array_equal(turned[128:256], image[255:127:-1])


def test_combined_maps_repeat_beyond_their_borders() -> None:
    wide = densities.combined(np.array([[0, 1, 0, 1]]), 0.1)
    pair = densities.combined(np.array([[0, 1]]), 0.1)
    np.testing.assert_array_equal(wide, np.tile(pair, 2))
    np.testing.assert_array_equal(pair[:, : pair.shape[1] // 2], densities.interpolated(densities.load(0), 0.1))


def test_set_is_that_of_the_paper(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()
    load = densities.load
    monkeypatch.setattr(densities, "load", lambda number: seen.add(number) or load(number))
    images = chae.draw_images(1)
    assert seen == {0, 1, 2, 3, 4}
    assert [image.shape for image in images] == 11 * [(1024, 1024)]
    assert all((image.min(), image.max()) == (0, 1) for image in images)


def test_images_are_rolled_along_both_axes(image: np.ndarray, small: chae.Patches) -> None:
    quarter = image[:256, :256]
    original, *rolled = (evaluate.joined(small.clean[first : first + 64]) for first in range(0, 256, 64))
    np.testing.assert_array_equal(original, quarter)
    for shift, found in zip((8, 16, 24), rolled, strict=True):
        np.testing.assert_array_equal(found[shift:, shift:], quarter[:-shift, :-shift])
        np.testing.assert_array_equal(found[:shift, shift:], quarter[-shift:, :-shift])


def test_a_fifth_is_kept_for_validation(small: chae.Patches) -> None:
    assert len(small.training) == 819
    np.testing.assert_array_equal(np.sort(np.concatenate([small.training, small.validation])), np.arange(1024))
    epoch = 819 // chae.BATCH
    for update in (0, epoch - 1, epoch, 3 * epoch + 1):
        np.testing.assert_array_equal(*(small.update(update)[0] for _ in range(2)))
    assert not torch.equal(small.update(0)[1], small.update(epoch)[1])


def test_each_patch_has_a_background_of_its_own(image: np.ndarray) -> None:
    data = chae.Patches("bbg", 1, [image])
    floors = []
    for number in range(0, 256, len(chae.LEVELS)):
        noisy, clean = data.pair(number)
        lit = noise.background(clean, noise.BackgroundBrightness(0.0, patches=1, smooth=False), 10**6 + number)
        floors.append(lit.min())
        np.testing.assert_array_equal(lit[clean < lit.min()], lit.min())
        assert np.std((noisy - lit)[(lit > 0.3) & (lit < 0.7)]) == pytest.approx(0.1, rel=0.1)
    assert 0.1 < np.std(floors) < 0.25


def test_a_few_updates_learn_resume_and_write_a_network(
    small: chae.Patches, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.set_num_threads(1)
    monkeypatch.setattr(chae, "VALIDATED", 32)
    monkeypatch.setattr(chae, "SETTLING", 8)
    checkpoint = tmp_path / "g.pt"
    first = chae.train(small, 2, 4, checkpoint, resume=False, every=2)
    last = chae.train(small, 60, 4, checkpoint, resume=True, every=60)
    assert (first["step"], last["step"]) == (2, 60)
    assert last["validation"] < 0.8 * first["validation"]
    assert last["validation"] == chae.train(small, 60, 4, checkpoint, resume=True, every=60)["validation"]
    assert chae.write(last, small, checkpoint.with_suffix(".onnx")) < 0.5 * first["validation"]
    session = onnxruntime.InferenceSession(checkpoint.with_suffix(".onnx"), providers=["CPUExecutionProvider"])
    network = ChaeUNet(4)
    network.load_state_dict(last["network"])
    chae.settle(network, small)
    noisy = small.pair(0)[0]
    with torch.no_grad():
        expected = network(torch.from_numpy(noisy)[None, None])
    found = session.run(None, {"image": noisy[None, None]})[0]
    np.testing.assert_allclose(found, expected, atol=5e-3)
    assert '"updates": 60' in session.get_modelmeta().custom_metadata_map["temclean"]
