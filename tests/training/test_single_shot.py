"""The network, the pairs it trains on, the training loop and the export; needs the ``train`` extra."""

import json
import math
import re
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
from temclean.cli import cli  # noqa: E402
from temclean.errors import FileError, ModelError  # noqa: E402
from temclean.restoration import tiling  # noqa: E402
from temclean.specimen import densities  # noqa: E402
from temclean.training import data, evaluate, export, loop, losses, onnx_graph, recipes, single_shot  # noqa: E402
from temclean.training.data import DataOptions  # noqa: E402
from temclean.training.networks import ResidualUNet  # noqa: E402
from temclean.training.stream import Pairs  # noqa: E402

SMALL = DataOptions(noises=dict.fromkeys(["g", "sp", "gsp", "bbg"], 1.0), crop=64, batch=4, bank=6, scene=96)


def random_network(widths: tuple[int, ...], seed: int = 0, more: tuple[int, ...] = ()) -> ResidualUNet:
    torch.manual_seed(seed)
    network = ResidualUNet(widths, more)
    for parameter in network.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return network.eval()


def test_network_starts_as_the_identity() -> None:
    image = torch.rand(2, 1, 64, 96)
    assert torch.equal(ResidualUNet()(image), image)


def test_shipped_network_has_two_million_parameters() -> None:
    assert sum(weight.numel() for weight in ResidualUNet().parameters()) == 2_001_860


@pytest.mark.parametrize("more", [(), (1, 2)])
def test_reach_bounds_what_one_pixel_can_change(more: tuple[int, ...]) -> None:
    network = random_network((4, 6, 8), more=more).double()
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


@pytest.mark.parametrize("recipe", sorted(recipes.RECIPES))
def test_networks_never_see_the_structure_that_is_kept_for_tests(recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = set()
    load = densities.load
    monkeypatch.setattr(densities, "load", lambda number: seen.add(number) or load(number))
    options = recipes.RECIPES[recipe].data
    only = {name: share for name, share in options.specimens.items() if name in {"graphene", "graphene-defects"}}
    rng = np.random.default_rng(1)
    for _ in range(12):
        data.draw_scene(replace(options, specimens=only or options.specimens, scene=96), rng)
    assert seen == ({0, 1, 2, 3, 4} if only else set())


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
    replace(SMALL, noises={family: 1.0}, specimens={what: 1.0}, bank=8, first=3)
    for family in ("tem", "stem", "sem", "poisson")
    for what in ("hr", "lr")
]


@pytest.mark.parametrize(
    "options", [SMALL, *MICROSCOPES], ids=lambda options: " ".join([*options.noises, *options.specimens])
)
def test_pairs_come_again_from_their_seed(options: DataOptions) -> None:
    if "hr" in options.specimens:
        pytest.importorskip("ase", reason="the crystal extra is not installed")
    first, again, other = (Pairs(options, seed) for seed in (3, 3, 4))
    for _ in range(3):
        noisy, clean, _ = first.batch()
        noisy_again, clean_again, _ = again.batch()
        assert noisy.shape == clean.shape == (4, 1, 64, 64)
        assert noisy.dtype == clean.dtype == torch.float32
        assert torch.equal(noisy, noisy_again)
        assert torch.equal(clean, clean_again)
        assert not torch.equal(noisy, other.batch()[0])


def test_pairs_differ_by_their_noise_only() -> None:
    noisy, clean, _ = Pairs(
        DataOptions(noises={"g": 1.0}, levels=(0.1, 0.1), clip=0.0, crop=96, bank=4, scene=96), 1
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
        Pairs(DataOptions({family: 1.0}, crop=32, bank=4, first=4, scene=64, grainy=share, batch=40), 1).batch()
        assert least <= len(drawn) <= most


def test_the_light_is_kept_by_bbg_keep_alone() -> None:
    options = DataOptions(
        {"bbg": 1.0},
        levels=(0.0, 1e-4),
        crop=96,
        bank=4,
        first=4,
        scene=96,
        wider=0.0,
        smooth=1.0,
        batch=8,
        reflected=0.0,
    )
    for family, remains in (("bbg", True), ("bbg-keep", False)):
        noisy, clean, _ = Pairs(replace(options, noises={family: 1.0}), 1).batch()
        assert (((noisy - clean).abs().mean(dim=(1, 2, 3)) > 0.02) == remains).all()


def test_crops_go_on_by_reflection_as_the_pipeline_has_images_do() -> None:
    image = np.random.default_rng(1).random((96, 128), dtype=np.float32)
    tile = tiling.split(image[:70, :99], tiling.plan((70, 99), (96, 128), 0, multiple=data.DataOptions({}).multiple))[0]
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
    Pairs(DataOptions({"gsp": 1.0}, crop=64, scene=64, bank=4, first=4, batch=20), 3).batch()
    assert drawn["g"] == drawn["sp"]
    drawn["g"], drawn["sp"] = [], []
    Pairs(DataOptions({"gsp": 1.0}, crop=64, scene=64, bank=4, first=4, batch=90, apart=1.0), 3).batch()
    assert len(drawn["g"]) == 90
    assert abs(len(drawn["sp"]) - 60) < 5 * np.sqrt(90 * 2 / 9)
    assert not set(drawn["g"]) & set(drawn["sp"])


def test_impulses_may_have_any_value_and_hit_fewer_pixels_then() -> None:
    options, rng = DataOptions({"sp": 1.0}, levels=(0.2, 0.2), between=0.5), np.random.default_rng(3)
    clean = rng.uniform(0.2, 0.8, (96, 96)).astype(np.float32)
    drawn = [data.distorted(clean, "sp", 0.1, options, rng)[0] for _ in range(40)]
    shares = np.array([np.mean(noisy != clean) for noisy in drawn])
    between = np.array([np.mean((noisy > 0) & (noisy < 1) & (noisy != clean)) for noisy in drawn]) / shares
    some = shares < 0.14
    assert 8 < some.sum() < 32
    np.testing.assert_allclose(shares[some], 0.4 * 0.2, atol=0.02)
    np.testing.assert_allclose(shares[~some], 0.2, atol=0.03)
    np.testing.assert_allclose(between[some], 0.5, atol=0.1)
    assert not between[~some].any()


def test_errors_of_untouched_pixels_are_forgiven_in_part() -> None:
    clean = torch.rand(1, 1, 8, 8)
    noisy, restored = clean.clone(), clean + 0.1
    noisy[..., ::2, :] = 1.0
    left = losses.forgiven(restored, noisy, clean, 0.7) - clean
    assert torch.allclose(left[..., ::2, :], torch.tensor(0.1))
    assert torch.allclose(left[..., 1::2, :], torch.tensor(0.03), atol=1e-6)


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
    recipe = recipes.Recipe(replace(SMALL, crop=32, batch=2), widths=(4, 6, 8, 8, 8), warm_up=1)

    def run(steps: int, resume: bool) -> dict[str, Any]:
        single_shot.train(
            replace(recipe, steps=steps), seed=1, out=checkpoint, start=None, resume=resume, threads=1, every=2
        )
        return torch.load(checkpoint, weights_only=True)

    first = run(2, resume=False)
    resumed = run(4, resume=True)
    assert (first["step"], resumed["step"]) == (2, 4)
    assert resumed["record"]["images"] == 8
    assert json.loads(resumed["recipe"])["data"]["noises"] == dict.fromkeys(["g", "sp", "gsp", "bbg"], 1.0)
    assert not torch.equal(first["network"]["head.bias"], resumed["network"]["head.bias"])


def test_what_lasts_over_large_windows_weighs_as_its_evidence_does() -> None:
    clean = torch.zeros(1, 1, 128, 128)
    faint = torch.full_like(clean, 0.01)
    assert losses.lasting_error(faint, clean).item() == pytest.approx(0.01 * np.mean(losses.SCALES))
    grain = 0.01 * torch.randn(8, 1, 128, 128, generator=torch.Generator().manual_seed(1))
    # The mean of s^2 numbers of deviation 0.01 has s abs(m) of 0.01 sqrt(2 / pi) at every scale.
    assert losses.lasting_error(grain, torch.zeros_like(grain)).item() == pytest.approx(0.008, rel=0.1)


@pytest.mark.parametrize("pattern", ["rows", "columns", "both"])
def test_a_grid_of_two_pixels_is_seen_and_nothing_else(pattern: str) -> None:
    rows = 1.0 - 2.0 * (torch.arange(64) % 2)
    wave = {"rows": rows[:, None].expand(64, 64), "columns": rows.expand(64, 64), "both": rows[:, None] * rows}[pattern]
    clean = torch.zeros(1, 1, 64, 64)
    # Of three patterns one is met in full; windows of 32 pixels.
    assert losses.grid_error(0.01 * wave[None, None], clean).item() == pytest.approx(32 * 0.01 / 3, rel=1e-5)
    assert losses.grid_error(clean + 0.3, clean).item() == 0.0


def test_a_tenth_less_error_counts_the_same_in_every_image() -> None:
    clean = torch.zeros(2, 1, 8, 8)
    noisy = torch.stack([torch.full((1, 8, 8), 0.1), torch.full((1, 8, 8), 0.4)]).requires_grad_()
    loss = losses.relative_error(noisy, clean, floor=0.0)
    assert loss.item() == pytest.approx((math.log(0.01) + math.log(0.16)) / 2)
    loss.backward()
    change = (noisy.grad * noisy).sum(dim=(1, 2, 3))  # with the logarithm of the error: 2 / images
    assert change.tolist() == pytest.approx([1.0, 1.0])
    assert losses.relative_error(clean, clean).item() == pytest.approx(math.log(1e-5))


def test_an_error_in_one_place_counts_more_than_the_same_everywhere() -> None:
    """Of 64 pixels: the mean fourth power over the squared mean square is 64 where one pixel has it all, else 1."""
    everywhere, gathered = torch.full((1, 1, 8, 8), 0.1), torch.zeros(1, 1, 8, 8)
    gathered[0, 0, 3, 4] = 0.8
    nothing = torch.zeros(1, 1, 8, 8)
    for share in (0.0, 0.5, 1.0):
        least, most = (losses.relative_error(each, nothing, share, floor=0.0) for each in (everywhere, gathered))
        assert (most - least).item() == pytest.approx(share * math.log(64) / 2, abs=1e-5)


@pytest.mark.parametrize("loss", [losses.lasting_error, losses.grid_error], ids=["lasting", "grid"])
def test_gradients_are_those_of_differences(loss: Callable[[Any, Any], Any]) -> None:
    rng = torch.Generator().manual_seed(2)
    clean, restored = (torch.randn(1, 1, 64, 64, generator=rng, dtype=torch.float64) for _ in range(2))
    restored.requires_grad_()
    if loss is losses.grid_error:  # in its own precision, float32
        restored = restored.detach().float().requires_grad_()
        clean = clean.float()
    loss(restored, clean).backward()
    assert restored.grad is not None
    step = torch.zeros_like(restored)
    step[0, 0, 5, 7] = 1e-2
    with torch.no_grad():
        difference = (loss(restored + step, clean) - loss(restored - step, clean)) / 2e-2
    assert restored.grad[0, 0, 5, 7].item() == pytest.approx(difference.item(), rel=0.05, abs=1e-6)


def test_a_trained_network_grows_without_losing_anything(tmp_path: Path) -> None:
    small = random_network((4, 6, 8))
    grown = ResidualUNet((4, 6, 8), more=(1, 2))
    grown.load_state_dict({**grown.state_dict(), **small.state_dict()})
    image = torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        assert torch.equal(grown.eval()(image), small(image))


def test_training_starts_from_a_shipped_model() -> None:
    model = Path(loop.__file__).parents[1] / "weights" / "bbg.onnx"
    network = ResidualUNet(more=recipes.RECIPES["bbg"].more)
    run = loop.Run(network, torch.optim.SGD(network.parameters(), lr=0.1), Path("unused.pt"))
    run.start(model)
    assert run.origin
    image = np.random.default_rng(1).random((1, 1, 64, 96), dtype=np.float32)
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    with torch.no_grad():
        restored = network(torch.from_numpy(image)).numpy()
    np.testing.assert_allclose(restored, session.run(None, {"image": image})[0], atol=2e-4)


@pytest.mark.parametrize("name", ["damaged.onnx", "other.pt"])
def test_what_is_no_start_is_refused(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(b"\x08\x01")
    if path.suffix == ".pt":
        torch.save({"network": {}, "average": {"head.bias": torch.zeros(5)}, "origin": [], "record": {}}, path)
    network = ResidualUNet((4, 6, 8))
    run = loop.Run(network, torch.optim.SGD(network.parameters(), lr=0.1), tmp_path / "out.pt")
    with pytest.raises(FileError, match=r"is no model of temclean|another network"):
        run.start(path)


def test_the_commands_that_make_the_shipped_models_name_recipes_and_what_is_exported() -> None:
    training = Path(__file__).parents[2] / "training"
    script = (training / "runs" / "shipped_models.sh").read_text()
    told = re.findall(r"^(?:run|.*train single-shot) ([a-z][a-z-]*)", script, re.M)
    told += re.findall(r"train single-shot ([a-z][a-z-]*)", (training / "README.md").read_text())
    assert len(told) > 7
    assert set(told) <= recipes.RECIPES.keys()
    (exported,) = re.findall(r"^for name in (.*); do$", script, re.M)
    assert set(exported.split()) <= export.SUMMARIES.keys()


def test_training_refuses_a_crop_that_does_not_fit() -> None:
    result = CliRunner().invoke(cli, ["train", "single-shot", "bbg", "--crop", "100"])
    assert result.exit_code == 2
    assert "multiple of 32" in result.output


@pytest.fixture(scope="module")
def exported() -> tuple[ResidualUNet, onnx_graph.onnx.ModelProto]:
    network = random_network((4, 6, 8))
    return network, onnx_graph.to_onnx(network)


def test_export_agrees_with_torch_at_other_shapes(exported: tuple[ResidualUNet, onnx_graph.onnx.ModelProto]) -> None:
    network, model = exported
    onnx_graph.verify(network, onnx_graph.Runner(model))
    half = onnx_graph.store_half(model)
    image = np.random.default_rng(0).random((2, 1, 40, 24), np.float32)
    np.testing.assert_allclose(onnx_graph.Runner(half).raw(image), onnx_graph.Runner(model).raw(image), atol=2e-2)
    assert len(half.SerializeToString()) < 0.8 * len(model.SerializeToString())
    assert b".py" not in half.SerializeToString(), "the exporter's stack traces name files of this machine"
    shape = [dimension.dim_param for dimension in half.graph.input[0].type.tensor_type.shape.dim]
    assert [shape[0], shape[2], shape[3]] == ["batch", "height", "width"]


def test_export_refuses_a_model_that_differs_from_torch(
    exported: tuple[ResidualUNet, onnx_graph.onnx.ModelProto],
) -> None:
    with pytest.raises(ModelError, match="differ"):
        onnx_graph.verify(random_network((4, 6, 8), seed=1), onnx_graph.Runner(exported[1]))


def test_scores_of_microscopes_are_blind_to_scale_and_see_noise() -> None:
    pytest.importorskip("ase", reason="the crystal extra is not installed")
    same = evaluate.microscope_scores(lambda noisy: 3.0 * noisy + 7.0, "lrstem", count=3)
    assert same["psnr_restored"] == pytest.approx(same["psnr_noisy"], abs=1e-2)
    pairs = list(evaluate.validation("lrstem", count=2))
    again = list(evaluate.validation("lrstem", count=2))
    for (clean, noisy), (clean_again, noisy_again) in zip(pairs, again, strict=True):
        np.testing.assert_array_equal(clean, clean_again)
        np.testing.assert_array_equal(noisy, noisy_again)
        assert metrics.psnr(clean, evaluate.fitted(clean, 5.0 - 2.0 * clean)) > 80.0
