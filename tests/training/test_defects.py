"""Where lattices have defects, what that weighs in the loss, and networks that teach; needs the ``train`` extra."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the train extra is not installed")

from temclean.errors import FileError  # noqa: E402
from temclean.specimen import Specimen, coherent  # noqa: E402
from temclean.training import data, loop, losses, single_shot, teachers  # noqa: E402
from temclean.training.data import DataOptions  # noqa: E402
from temclean.training.recipes import Recipe  # noqa: E402

TINY = Recipe(
    DataOptions({"g": 1.0}, crop=32, batch=2, scene=64, bank=4, first=3),
    widths=(4, 6, 8, 8, 8),
    more=(),
    steps=2,
    warm_up=1,
)


def lattice() -> Specimen:
    """Return a square lattice 10 pixels apart without its column at (30, 20), that at (40, 50) a dopant."""
    places = np.stack(np.meshgrid(np.arange(0.0, 64.0, 10.0), np.arange(0.0, 64.0, 10.0), indexing="ij"), axis=-1)
    places = places.reshape(-1, 2)
    vacancy = (places == (30.0, 20.0)).all(axis=1)
    kept = places[~vacancy]
    marks = (kept == (40.0, 50.0)).all(axis=1).astype(np.uint8)
    image = np.zeros((64, 64), np.float32)
    return Specimen(image, 0.2, kept, np.ones(len(kept), np.float32), 1, marks, places[vacancy])


def test_defects_are_disks_as_wide_as_half_the_way_to_the_next_column() -> None:
    y, x = np.indices((64, 64))
    expected = ((y - 30) ** 2 + (x - 20) ** 2 <= 25) | ((y - 40) ** 2 + (x - 50) ** 2 <= 25)
    np.testing.assert_array_equal(data.rare(lattice()), expected)


def test_lattices_without_defects_have_none() -> None:
    scene = lattice()
    perfect = replace(scene, marks=np.zeros_like(scene.marks), vacancies=np.zeros((0, 2)))
    assert not data.rare(perfect).any()
    nothing = Specimen(np.zeros((64, 64), np.float32), 0.2, np.zeros((0, 2)), np.zeros(0, np.float32))
    assert not data.rare(nothing).any()


def test_drawn_vacancies_are_dark_where_the_mask_says() -> None:
    rng = np.random.default_rng(3)
    scene = next(s for s in (coherent.draw(rng, 128, 0.2, "perfect") for _ in range(60)) if len(s.vacancies) > 2)
    mask = data.rare(scene) > 0
    rows, columns = np.rint(scene.vacancies).astype(int).T
    assert mask[rows.clip(0, 127), columns.clip(0, 127)].all()
    assert 0.0 < mask.mean() < 0.2


def test_defects_are_cut_mirrored_and_turned_with_their_image() -> None:
    scene = lattice()
    scene = replace(scene, image=data.rare(scene))
    rng = np.random.default_rng(1)
    for _ in range(16):
        image, mask = data.cut(scene, DataOptions({"g": 1.0}, crop=48, scene=64), rng)
        np.testing.assert_array_equal(image, mask)


def test_errors_at_defects_count_by_themselves() -> None:
    clean = torch.zeros(2, 1, 8, 8, dtype=torch.float64)
    rare = torch.zeros_like(clean)
    rare[0, 0, 2:4, 2:4] = 1.0  # the second image has none
    restored = torch.full_like(clean, 0.5)
    restored[0, 0, 2:4, 2:4] = 0.1
    expected = np.log(0.1**2 + 1e-5) / 2
    assert losses.rare_error(restored, clean, rare).item() == pytest.approx(expected)
    restored.requires_grad_()
    losses.rare_error(restored, clean, rare).backward()
    assert torch.equal(restored.grad != 0.0, rare > 0.0)


def test_distance_to_a_teacher_is_over_what_the_teacher_lacks() -> None:
    clean = torch.zeros(2, 1, 8, 8, dtype=torch.float64)
    shown = clean + torch.tensor([0.1, 0.2], dtype=torch.float64)[:, None, None, None]
    restored = shown + 0.05
    expected = (0.05**2 / (0.1**2 + 1e-5) + 0.05**2 / (0.2**2 + 1e-5)) / 2
    assert losses.taught_error(restored, shown, clean).item() == pytest.approx(expected)
    assert losses.taught_error(shown, shown, clean).item() == 0.0


class Smear(torch.nn.Module):
    """Adds half of the pixel to the left, so that what it makes of a mirrored image is another."""

    def forward(self, noisy: torch.Tensor) -> torch.Tensor:
        return noisy + 0.5 * torch.roll(noisy, 1, dims=3)


def test_teachers_see_mirrored_images_and_teach_by_their_mean() -> None:
    image = torch.zeros(1, 1, 5, 5)
    image[0, 0, 2, 2] = 1.0
    both = teachers.taught([Smear(), Smear(), Smear(), Smear()], image)
    # As seen upside down it smears to the right still; in the other two, which are mirrored along rows, to the left.
    assert both[0, 0, 2].tolist() == [0.0, 0.25, 1.0, 0.25, 0.0]
    assert teachers.taught([Smear()], image)[0, 0, 2].tolist() == [0.0, 0.0, 1.0, 0.5, 0.0]


def test_a_teacher_draws_a_network_towards_it(tmp_path: Path) -> None:
    single_shot.train(TINY, 1, tmp_path / "teacher.pt", None, False, 1, 2)
    heavy = replace(TINY, taught=1e4, steps=6, rate=3e-3)
    paths = {name: tmp_path / f"{name}.pt" for name in ("alone", "taught")}
    single_shot.train(heavy, 7, paths["alone"], None, False, 1, 6)
    single_shot.train(heavy, 7, paths["taught"], None, False, 1, 6, taught_by=(tmp_path / "teacher.pt",))
    noisy = torch.rand(4, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    teacher, alone, pupil = (
        teachers.load(path, "cpu") for path in (tmp_path / "teacher.pt", paths["alone"], paths["taught"])
    )
    with torch.no_grad():
        shown = teachers.taught([teacher], noisy)
        apart = [(network(noisy) - shown).square().mean().item() for network in (alone, pupil)]
    assert apart[1] < 0.8 * apart[0], apart
    assert json.loads(loop.load(paths["taught"])["recipe"])["taught"] == 1e4


def test_a_teacher_must_be_a_checkpoint(tmp_path: Path) -> None:
    (tmp_path / "no.pt").write_bytes(b"no")
    with pytest.raises(FileError, match=r"no\.pt: is no checkpoint"):
        teachers.load(tmp_path / "no.pt", "cpu")
