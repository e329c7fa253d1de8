"""The networks: sizes, reach, and what their options promise; needs the ``train`` extra."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from scipy import ndimage

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("onnxscript", reason="the train extra is not installed")

from temclean.restoration import models  # noqa: E402
from temclean.training import evaluate, export, loop, networks, onnx_graph  # noqa: E402
from temclean.training.networks import CGRDN, PatchDiscriminator, ResidualUNet  # noqa: E402
from temclean.training.recipes import RECIPES  # noqa: E402

VARIANTS = {
    "cgrdn": lambda: CGRDN(3, 2, groups=2, blocks=2, layers=2),
    "deeper": lambda: ResidualUNet((3, 4, 5), (1, 2), deeper=(2,)),
    "finer": lambda: ResidualUNet((3, 4), finer=(2, 1)),
    "full": lambda: ResidualUNet((3, 4), full=2),
    "biases": lambda: ResidualUNet((3, 4), biases=False),
    "branches": lambda: ResidualUNet((3, 4), branches=True),
    "spectral": lambda: ResidualUNet((3, 4), spectral=(8,)),
}


def made(name: str, std: float = 0.15) -> networks.Network:
    """Make a network in double precision, all of whose weights are random."""
    torch.manual_seed(0)
    network = VARIANTS[name]().double().eval()
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=std)
    return network


def size(network: torch.nn.Module) -> int:
    return sum(weight.numel() for weight in network.parameters())


def test_cgrdn_has_the_sizes_of_the_paper() -> None:
    network = CGRDN()
    assert f"{size(network) / 1e6:.2f}" == "7.04"
    # Table 1: 7.02 M for GRDN, whose groups are not fused, and which has an attention block of 610 weights instead.
    assert f"{(size(network) - size(network.groups.fusion) + 610) / 1e6:.2f}" == "7.02"
    assert size(CGRDN(16, 8)) < size(network) / 15


@pytest.mark.parametrize("network", [CGRDN(4, 2), *(make() for make in VARIANTS.values())])
def test_networks_begin_as_the_identity_and_learn(network: networks.Network) -> None:
    image = torch.rand(2, 1, 32, 48)
    restored = network(image)
    assert torch.equal(restored, image)
    restored.square().mean().backward()
    assert any(weight.grad is not None and weight.grad.abs().max() > 0 for weight in network.parameters())


@pytest.mark.parametrize("name", sorted(VARIANTS))
def test_reach_bounds_what_one_pixel_can_change(name: str) -> None:
    network = made(name)
    for weight in network.parameters():
        weight.data.abs_()  # so that no ReLU cuts a path
    image = torch.rand(1, 1, 256, 256, dtype=torch.float64)
    furthest = 0
    with torch.no_grad():
        plain = network(image)
        for place in range(120, 120 + network.multiple):
            touched = image.clone()
            touched[..., place, place] += 100.0
            rows = ((network(touched) - plain).abs()[0, 0] > 0).any(dim=1).nonzero()[:, 0]
            furthest = max(furthest, int((rows - place).abs().max()))
    assert 0.8 * network.reach < furthest <= network.reach
    if name == "cgrdn":
        assert furthest == network.reach


def test_neighbours_take_the_place_of_impulses() -> None:
    """By weights of 1/4 for the next, 1/16 across the corner and so on; where there are no others, what most are."""
    rng = np.random.default_rng(1)
    image = rng.uniform(0.2, 0.8, (64, 64))
    image[40:56, 40:56], image[10:26, 40:56] = 1.0, 0.0
    hit = rng.random((64, 64))
    image[hit < 0.2], image[hit > 0.8] = 0.0, 1.0
    known = (image > 0.0) & (image < 1.0)
    steps = np.arange(-3, 4)
    weights = 0.25 ** (steps[:, None] ** 2 + steps**2)
    total, summed = (ndimage.convolve(each, weights, mode="constant") for each in (known * 1.0, known * image))
    white, black = (ndimage.uniform_filter(each * 1.0, 7, mode="constant") for each in (image == 1.0, image == 0.0))
    around = np.where(total < 1e-12, white > black + 1e-9, summed / np.maximum(total, 1e-30))
    wanted = np.where(known, image, around)
    filled = ResidualUNet((3, 4), filled=True).double()(torch.tensor(image)[None, None])[0, 0]
    np.testing.assert_allclose(filled.detach().numpy(), wanted, atol=1e-9)
    assert (image[45:51, 45:51] == 0.0).any()
    assert (wanted[45:51, 45:51] == 1.0).all()
    assert (image[15:21, 45:51] == 1.0).any()
    assert (wanted[15:21, 45:51] == 0.0).all()


def test_without_biases_a_brighter_image_is_restored_alike() -> None:
    image = torch.rand(1, 1, 32, 32, dtype=torch.float64)
    for name, alike in (("biases", True), ("full", False)):
        network = made(name)
        assert torch.allclose(network(7.0 * image), 7.0 * network(image)) == alike
        assert not torch.allclose(network(image), image)


def test_branches_fold_into_plain_convolutions() -> None:
    network = made("branches")
    folded = networks.folded(network)
    assert folded.state_dict().keys() == ResidualUNet((3, 4)).state_dict().keys()
    image = torch.rand(1, 1, 32, 48, dtype=torch.float64)
    assert torch.allclose(folded(image), network(image), atol=1e-12)
    assert not torch.allclose(network(image), image)
    block = network.encoder[0].first
    features = torch.rand(1, 3, 9, 9, dtype=torch.float64)
    branches = block.plain(torch.nn.functional.pad(features, (1, 1, 1, 1))) + block.point(features)
    branches = branches + block.gather(torch.nn.functional.pad(block.spread(features), (1, 1, 1, 1)))
    assert torch.allclose(block(features), branches)


def test_recipes_of_any_age_are_built_again() -> None:
    old = networks.build({"widths": [4, 6], "heaviest": 3.0})
    assert (old.widths, old.more) == ((4, 6), ())
    new = networks.build({"widths": [4, 6, 8], "more": [1, 2], "network": "residual", "shape": {"deeper": [1]}})
    assert (new.widths, new.more, new.deeper) == ((4, 6, 8), (1, 2), (1,))
    narrow = networks.build({"widths": [4], "network": "cgrdn", "shape": {"width": 6, "growth": 3}})
    assert (narrow.head.in_channels, narrow.multiple) == (6, 2)


@pytest.mark.parametrize("name", sorted(RECIPES))
def test_crops_and_reflections_are_what_the_network_of_a_recipe_takes(name: str) -> None:
    recipe = RECIPES[name]
    assert networks.build(asdict(recipe)).multiple == recipe.data.multiple
    assert recipe.data.crop % recipe.data.multiple == 0


def test_the_models_of_microscopes_can_begin_with_the_general_one(tmp_path: Path) -> None:
    general, _ = loop.shipped(models.find("general"))
    for name in evaluate.MICROSCOPES:
        network = networks.build(asdict(RECIPES[name]))
        loop.Run(network, torch.optim.SGD(network.parameters()), tmp_path / "a.pt").start(models.find("general"))
        for part, weight in network.state_dict().items():
            assert torch.equal(weight, general.get(part, weight))


def test_each_output_of_the_discriminator_judges_70_pixels() -> None:
    network = PatchDiscriminator(4).eval()
    assert network(torch.rand(2, 1, 256, 256)).shape == (2, 1, 32, 32)
    for place, part in enumerate(network.layers):
        if isinstance(part, torch.nn.InstanceNorm2d):  # it is the one part that sees the whole image
            network.layers[place] = torch.nn.Identity()
    image = torch.rand(1, 1, 256, 256).requires_grad_()
    network(image)[0, 0, 16, 16].backward()
    seen = image.grad[0, 0] != 0
    assert (int(seen.any(dim=0).sum()), int(seen.any(dim=1).sum())) == (70, 70)
    assert isinstance(PatchDiscriminator().layers[1], torch.nn.Conv2d)
    assert PatchDiscriminator().layers[1].out_channels == 64


def test_cgrdn_is_exported() -> None:
    network = CGRDN(3, 2, groups=1, blocks=2, layers=1)
    for weight in network.parameters():
        torch.nn.init.normal_(weight, std=0.3)
    model = onnx_graph.to_onnx(network)
    onnx_graph.verify(network, onnx_graph.Runner(model))
    image = np.random.default_rng(1).random((1, 1, 26, 34), np.float32)
    assert np.abs(onnx_graph.Runner(model).raw(image) - image).max() > 0.01


def test_the_papers_encoder_is_a_resnet_18() -> None:
    """He 2016's has 11,689,512 parameters with its 1000 classes (513,000) and three channels; the way up 3,151,697."""
    count = sum(weight.numel() for weight in networks.ResNetUNet().parameters())
    assert count == 11_689_512 - 513_000 - 2 * 64 * 7 * 7 + 3_151_697
    network = networks.ResNetUNet(4).eval()
    for part in network.modules():
        if isinstance(part, torch.nn.Conv2d):
            torch.nn.init.uniform_(part.weight, 0.0, 0.1)
    image = torch.zeros(1, 1, 768, 768)
    with torch.no_grad():
        plain = network(image)
        image[..., 383, 383] = 1e4
        rows = (network(image) != plain)[0, 0].any(dim=1).nonzero()[:, 0]
    assert 100 < int((rows - 383).abs().max()) <= network.reach


def test_the_mean_of_two_checkpoints_is_of_what_both_have_or_begin_with() -> None:
    torch.manual_seed(0)
    grown, before = ResidualUNet((4,), spectral=(16,)), ResidualUNet((4,))
    for network in (grown, before):
        for parameter in network.parameters():
            torch.nn.init.normal_(parameter)
    own, others = grown.state_dict(), before.state_dict()
    del others["stem.weight"]  # a window makes it wider
    found = export.mean(ResidualUNet((4,), spectral=(16,)), own, others)
    torch.testing.assert_close(found["head.weight"], 0.5 * (own["head.weight"] + others["head.weight"]))
    torch.testing.assert_close(found["spectral.0.trust"], 0.5 * own["spectral.0.trust"])
    torch.testing.assert_close(found["spectral.0.judged"], own["spectral.0.judged"])
