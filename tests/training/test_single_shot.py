"""The network, the pairs it trains on, the training loop and the export; needs the ``train`` extra."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")
pytest.importorskip("onnx", reason="the train extra is not installed")
pytest.importorskip("onnxscript", reason="the train extra is not installed")
onnxruntime = pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")

from click.testing import CliRunner  # noqa: E402

from temclean import metrics  # noqa: E402
from temclean.errors import ModelError  # noqa: E402
from temclean.restoration import tiling  # noqa: E402
from temclean.specimen import densities  # noqa: E402
from temclean.training import data, export, losses, single_shot  # noqa: E402
from temclean.training.data import DataOptions, Pairs  # noqa: E402
from temclean.training.networks import ResidualUNet  # noqa: E402

SMALL = DataOptions(families=("g", "sp", "gsp", "bbg"), crop=64, batch=4, bank=6, scene=96)


def random_network(widths: tuple[int, ...], seed: int = 0) -> ResidualUNet:
    torch.manual_seed(seed)
    network = ResidualUNet(widths)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network.eval()


def test_network_starts_as_the_identity() -> None:
    image = torch.rand(2, 1, 64, 96)
    assert torch.equal(ResidualUNet()(image), image)


def test_shipped_network_has_two_million_parameters() -> None:
    assert sum(weight.numel() for weight in ResidualUNet().parameters()) == 2_001_860


def test_reach_bounds_what_one_pixel_can_change() -> None:
    network = random_network((4, 6, 8)).double()
    furthest = 0
    with torch.no_grad():
        image = torch.rand(1, 1, 256, 256, dtype=torch.float64)
        plain = network(image)
        for place in range(120, 120 + network.multiple):
            touched = image.clone()
            touched[..., place, place] += 100.0
            rows = ((network(touched) - plain).abs()[0, 0] > 0).any(dim=1).nonzero()[:, 0]
            furthest = max(furthest, int((rows - place).abs().max()))
    assert 0.8 * network.reach < furthest <= network.reach


@pytest.mark.parametrize("recipe", sorted(single_shot.RECIPES))
def test_networks_never_see_the_structure_that_is_kept_for_tests(recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()
    load = densities.load
    monkeypatch.setattr(densities, "load", lambda number: seen.add(number) or load(number))
    options = single_shot.RECIPES[recipe].data
    Pairs(replace(options, maps=max(options.maps, 0.5), bank=12, first=12, crop=64, scene=96), seed=1)
    assert seen == {0, 1, 2, 3, 4}


def test_grain_keeps_its_strength_and_reaches_the_next_pixels() -> None:
    rng = np.random.default_rng(3)
    drawn = [data.grain((128, 160), 0.2, rng) for _ in range(60)]
    common = np.array([[(one[:, 1:] * one[:, :-1]).mean(), (one[1:] * one[:-1]).mean()] / one.var() for one in drawn])
    assert max(abs(one.std() - 0.2) for one in drawn) < 1e-4
    assert max(abs(one.mean()) for one in drawn) < 0.02
    alone = common > 0.03  # a decay of 0.3 pixels leaves 0.036, and noise 0.007
    assert {tuple(row) for row in alone} == {(True, False), (False, True), (True, True)}
    assert common.max() == pytest.approx(np.exp(-1 / 1.2), abs=0.05)


MICROSCOPES = [
    replace(SMALL, families=(family,), specimen=what, bank=8, first=3)
    for family in ("tem", "stem", "sem")
    for what in ("hr", "lr")
]


@pytest.mark.parametrize("options", [SMALL, *MICROSCOPES], ids=lambda options: f"{options.families} {options.specimen}")
def test_pairs_come_again_from_their_seed(options: DataOptions) -> None:
    if options.specimen == "hr":
        pytest.importorskip("ase", reason="the crystal extra is not installed")
    first, again, other = (Pairs(options, seed) for seed in (3, 3, 4))
    for _ in range(3):
        noisy, clean = first.batch()
        noisy_again, clean_again = again.batch()
        assert noisy.shape == clean.shape == (4, 1, 64, 64)
        assert noisy.dtype == clean.dtype == torch.float32
        assert torch.equal(noisy, noisy_again)
        assert torch.equal(clean, clean_again)
        assert not torch.equal(noisy, other.batch()[0])


def test_pairs_differ_by_their_noise_only() -> None:
    noisy, clean = Pairs(
        DataOptions(families=("g",), levels=(0.1, 0.1), clip=0.0, crop=96, bank=4, scene=96), 1
    ).batch()
    residual = (noisy - clean).flatten(1)
    assert (residual.mean(dim=1).abs() < 0.05).all()
    assert (residual.std(dim=1) > 0.05).all()


@pytest.mark.parametrize("family", ["g", "gsp", "bbg", "bbg-keep"])
def test_any_gaussian_noise_may_have_grain(family: str, monkeypatch: pytest.MonkeyPatch) -> None:
    drawn = []
    monkeypatch.setattr(data, "grain", lambda shape, *_: drawn.append(shape) or np.zeros(shape, np.float32))
    for share, least, most in ((0.0, 0, 0), (0.5, 8, 32), (1.0, 40, 40)):
        drawn.clear()
        Pairs(DataOptions((family,), crop=32, bank=4, first=4, scene=64, grainy=share, batch=40), 1).batch()
        assert least <= len(drawn) <= most


def test_the_light_is_kept_by_bbg_keep_alone() -> None:
    options = DataOptions(
        ("bbg",), levels=(0.0, 1e-4), crop=96, bank=4, first=4, scene=96, wider=0.0, smooth=1.0, batch=8, reflected=0.0
    )
    for family, remains in (("bbg", True), ("bbg-keep", False)):
        noisy, clean = Pairs(replace(options, families=(family,)), 1).batch()
        assert (((noisy - clean).abs().mean(dim=(1, 2, 3)) > 0.02) == remains).all()


def test_crops_go_on_by_reflection_as_the_pipeline_has_images_do() -> None:
    image = np.random.default_rng(1).random((96, 128), dtype=np.float32)
    tile = tiling.split(image[:70, :99], tiling.plan((70, 99), (96, 128), 0, multiple=data.MULTIPLE))[0]
    np.testing.assert_array_equal(data.reflect(image, (70, 99)), tile)


def test_impulses_of_gsp_may_have_a_level_of_their_own(monkeypatch: pytest.MonkeyPatch) -> None:
    drawn: dict[str, list[float]] = {"g": [], "sp": []}

    def watch(name: str, add: Callable[..., Any]) -> Callable[..., Any]:
        def added(image: data.Array, *options: Any) -> Any:
            drawn[name].append(next(value for value in options if isinstance(value, float)))
            return add(image, *options)

        return added

    monkeypatch.setattr(data, "add_noise", watch("g", data.add_noise))
    monkeypatch.setattr(data, "add_impulses", watch("sp", data.add_impulses))
    Pairs(DataOptions(("gsp",), crop=64, scene=64, bank=4, first=4, batch=20), 3).batch()
    assert drawn["g"] == drawn["sp"]
    drawn["g"], drawn["sp"] = [], []
    Pairs(DataOptions(("gsp",), crop=64, scene=64, bank=4, first=4, batch=90, apart=1.0), 3).batch()
    assert len(drawn["g"]) == 90
    assert abs(len(drawn["sp"]) - 60) < 5 * np.sqrt(90 * 2 / 9)
    assert not set(drawn["g"]) & set(drawn["sp"])


def test_similarity_is_that_of_the_metrics() -> None:
    rng = np.random.default_rng(1)
    clean = rng.random((3, 1, 192, 192)).astype(np.float32)
    clean[:, :, 60:120] = 0.5
    test = np.clip(clean + 0.2 * rng.standard_normal(clean.shape), 0, 1).astype(np.float32)
    expected = np.mean([metrics.ms_ssim(a[0], b[0], data_range=1.0) for a, b in zip(clean, test, strict=True)])
    restored = torch.from_numpy(test).requires_grad_()
    value = losses.similarity(restored, torch.from_numpy(clean))
    assert float(value.detach()) == pytest.approx(float(expected), abs=2e-4)
    value.backward()  # type: ignore[no-untyped-call]
    assert restored.grad is not None
    assert torch.isfinite(restored.grad).all()
    assert float(restored.grad.abs().max()) > 0


def test_training_learns_resumes_and_records(tmp_path: Path) -> None:
    checkpoint = tmp_path / "small.pt"
    recipe = single_shot.Recipe(replace(SMALL, crop=32, batch=2), widths=(4, 6, 8, 8, 8), warm_up=1)

    def run(steps: int, resume: bool) -> dict[str, Any]:
        single_shot.train(
            replace(recipe, steps=steps), seed=1, out=checkpoint, start=None, resume=resume, threads=1, every=2
        )
        return torch.load(checkpoint, weights_only=True)

    first = run(2, resume=False)
    resumed = run(4, resume=True)
    assert (first["step"], resumed["step"]) == (2, 4)
    assert resumed["record"]["images"] == 8
    assert json.loads(resumed["recipe"])["data"]["families"] == ["g", "sp", "gsp", "bbg"]
    assert not torch.equal(first["network"]["head.bias"], resumed["network"]["head.bias"])


def test_training_refuses_a_crop_that_does_not_fit() -> None:
    result = CliRunner().invoke(single_shot.main, ["g", "--crop", "100"])
    assert result.exit_code == 2
    assert "multiple of 32" in result.output


@pytest.fixture(scope="module")
def exported() -> tuple[ResidualUNet, export.onnx.ModelProto]:
    network = random_network((4, 6, 8))
    return network, export.to_onnx(network)


def test_export_agrees_with_torch_at_other_shapes(exported: tuple[ResidualUNet, export.onnx.ModelProto]) -> None:
    network, model = exported
    export.verify(network, export.Runner(model))
    half = export.store_half(model)
    image = np.random.default_rng(0).random((2, 1, 40, 24), np.float32)
    np.testing.assert_allclose(export.Runner(half).raw(image), export.Runner(model).raw(image), atol=2e-2)
    assert len(half.SerializeToString()) < 0.8 * len(model.SerializeToString())
    assert b".py" not in half.SerializeToString(), "the exporter's stack traces name files of this machine"
    shape = [dimension.dim_param for dimension in half.graph.input[0].type.tensor_type.shape.dim]
    assert [shape[0], shape[2], shape[3]] == ["batch", "height", "width"]


def test_export_refuses_a_model_that_differs_from_torch(exported: tuple[ResidualUNet, export.onnx.ModelProto]) -> None:
    with pytest.raises(ModelError, match="differ"):
        export.verify(random_network((4, 6, 8), seed=1), export.Runner(exported[1]))
