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


def test_a_small_signal_on_a_large_offset_is_kept(run: Run, tmp_path: Path) -> None:
    clean = 1e9 + np.random.default_rng(3).random((64, 64))
    np.save(tmp_path / "far.npy", clean)
    run("simulate", tmp_path / "far.npy", "--noise", "g", "--level", "0.1", "-o", tmp_path / "out")
    with io.read(tmp_path / "out" / "far_noisy.tif") as noisy:
        assert noisy.pixels.dtype == np.float64
        assert np.corrcoef(clean.ravel(), np.ravel(noisy.pixels[0]))[0, 1] > 0.9


def test_own_zarr_folders_and_others(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("zarr", reason="the zarr extra is not installed")
    pixels = np.random.default_rng(3).random((20, 30), np.float32)
    own = io.write(tmp_path / "a.zarr", io.Image.from_array(pixels, 0.1, "nm"), [pixels])
    done = run("simulate", own, "--noise", "g", "-o", tmp_path / "out")
    assert (done.code, done.err) == (0, "")
    with io.read(tmp_path / "out" / "a_noisy.tif") as noisy:
        assert noisy.pixels.shape[-2:] == pixels.shape
        assert 0.1 < np.std(noisy.pixels[0] - pixels) < 0.3
    again = run("simulate", "--from", tmp_path / "out" / "manifest.json", "-o", tmp_path / "again")
    assert again.code == 0, again.err
    noisy_files = [tmp_path / name / "a_noisy.tif" for name in ("out", "again")]
    assert noisy_files[0].read_bytes() == noisy_files[1].read_bytes()
    changed = next(each for each in sorted(own.rglob("*")) if each.is_file())
    changed.write_bytes(changed.read_bytes() + b" ")
    other = run("simulate", "--from", tmp_path / "out" / "manifest.json", "-o", tmp_path / "other")
    assert other.code == 1
    assert "has changed since" in other.err
    (tmp_path / "b.cif").mkdir()
    folder = run("simulate", "--specimen", tmp_path / "b.cif", "--noise", "g", "-o", tmp_path / "cif")
    assert folder.code == 1
    assert "is a folder" in folder.err


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
        '{"format": 1, "noise": {"family": "g", "level": 0.1}, "pairs": []}',
        "[" * 100_000,
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


def test_no_original_is_replaced_even_where_results_may_be(run: Run, tmp_path: Path, image_file: ImageFile) -> None:
    first, second = image_file(tmp_path / "x.tif"), image_file(tmp_path / "x_noisy.tif", 100)
    before = second.read_bytes()
    done = run("simulate", first, second, "--noise", "g", "--overwrite", "-o", tmp_path)
    assert done.code == 1
    assert "x_noisy.tif is itself one of the files to simulate from" in done.err
    assert second.read_bytes() == before
    assert (tmp_path / "x_noisy_noisy.tif").exists()


@pytest.mark.parametrize("name", ["manifest.json", "0000_columns.csv", "0000_noisy.tif"])
def test_a_folder_in_the_way_is_one_line(run: Run, tmp_path: Path, name: str) -> None:
    (tmp_path / name).mkdir()
    done = run("simulate", "--noise", "g", "--specimen", "lattice", "--size", 32, "--overwrite", "-o", tmp_path)
    assert done.code == 1
    assert len(done.err.splitlines()) <= 2
    assert name in done.err
    assert not list(tmp_path.glob(".*"))


def test_images_blurred_by_a_camera_stay_within_0_and_1(run: Run, tmp_path: Path) -> None:
    run("simulate", "--noise", "tem", "--specimen", "edges", "--size", 96, "-n", 6, "-o", tmp_path)
    for path in tmp_path.glob("*_clean.tif"):
        with io.read(path) as clean:
            assert 0.0 <= clean.pixels[0].min() < clean.pixels[0].max() <= 1.0


STRONTIUM_TITANATE = """data_SrTiO3
_cell_length_a 3.905
_cell_length_b 3.905
_cell_length_c 3.905
_cell_angle_alpha 90
_cell_angle_beta 90
_cell_angle_gamma 90
_symmetry_space_group_name_H-M 'P m -3 m'
loop_
_atom_site_label
_atom_site_type_symbol
_atom_site_fract_x
_atom_site_fract_y
_atom_site_fract_z
Sr Sr 0 0 0
Ti Ti 0.5 0.5 0.5
O O 0.5 0.5 0
"""


def columns_of(path: Path) -> np.ndarray:
    assert path.read_text().splitlines()[0] == "x_px,y_px,brightness,resolved"
    return np.loadtxt(path, delimiter=",", skiprows=1)


def test_columns_are_where_the_table_says(run: Run, tmp_path: Path) -> None:
    run("simulate", "--noise", "g", "--specimen", "square", "--pixel-size", 0.1, "--size", 200, "-o", tmp_path)
    table = columns_of(tmp_path / "0000_columns.csv")
    with io.read(tmp_path / "0000_clean.tif") as clean:
        pixels = clean.pixels[0]
    columns, rows = np.rint(table[:, :2]).astype(int).T
    inner = (np.minimum(rows, columns) > 2) & (np.maximum(rows, columns) < 197)
    assert inner.sum() > 20
    assert pixels[rows[inner], columns[inner]].mean() > pixels.mean() + 0.2
    assert table[:, 2].max() == pytest.approx(1.0)
    assert (table[inner, 3] == 1).all()


def test_a_random_crystal_has_its_columns_whether_they_are_resolved_or_not(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("ase")
    run("simulate", "--noise", "g", "--specimen", "crystal", "--size", 96, "--seed", 1, "-n", 4, "-o", tmp_path)
    tables = [columns_of(path) for path in sorted(tmp_path.glob("*_columns.csv"))]
    assert len(tables) == 4
    assert {value for table in tables for value in table[:, 3]} == {0.0, 1.0}


def test_a_file_of_atoms_is_drawn_along_its_zone(run: Run, tmp_path: Path) -> None:
    pytest.importorskip("ase")
    structure = tmp_path / "sto.cif"
    structure.write_text(STRONTIUM_TITANATE)
    first, second = tmp_path / "first", tmp_path / "elsewhere" / "second"
    done = run("simulate", "--noise", "stem", "--specimen", structure, "--zone", "0,0,1", "--pixel-size", 0.1,
               "--size", 160, "--seed", 3, "-o", first)  # fmt: skip
    assert done.code == 0
    table = columns_of(first / "0000_columns.csv")
    strontium = table[table[:, 2] > 0.9]
    gaps = np.linalg.norm(strontium[:, None, :2] - strontium[None, :, :2], axis=-1)
    np.testing.assert_allclose(np.sort(gaps, axis=1)[:, 1], 39.05, atol=0.01)
    assert run("simulate", "--from", first / "manifest.json", "-o", second).code == 0
    for name in ("0000_clean.tif", "0000_noisy.tif", "0000_columns.csv"):
        assert (first / name).read_bytes() == (second / name).read_bytes()
    structure.write_text(STRONTIUM_TITANATE.replace("3.905", "3.95"))
    changed = run("simulate", "--from", first / "manifest.json", "-o", tmp_path / "third")
    assert changed.code == 1
    assert "has changed" in changed.err


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["--noise", "stem", "--level", -5], 2, "counts is -5"),
        (["--noise", "jitter", "--set", "x_phi=1"], 2, "x_phi is 1"),
        (["--noise", "zingers", "--level", 2.5], 2, "count is 2.5"),
        (["--noise", "zingers", "--level", "nan"], 2, "count is nan"),
        (["--noise", "rowlines", "--level", "-inf"], 2, "count is -inf"),
        (["--noise", "zingers", "--level", 100000000], 1, "takes up to"),
        (["--noise", "fastscan", "--set", "decay=1e-3", "--set", "phase=0"], 2, "phase 0"),
        (["--noise", "g", "--pixel-size", 1000], 2, "pixel size 1000"),
        (["--noise", "g", "--specimen", "sto.cif", "--zone", "99999999999999999999,1,0"], 2, "zone"),
        (["--noise", "g", "--specimen", "bad.cif"], 1, "bad.cif"),
        (["--noise", "g", "--specimen", "absent.cif"], 1, "absent.cif"),
        (["--noise", "g", "--specimen", "sto.cif", "--zone", "0,0,0"], 2, "zone"),
        (["--noise", "g", "--specimen", "sto.cif", "--zone", "1,a,0"], 2, "three whole numbers"),
        (["--noise", "g", "--specimen", "sto.cif", "--thickness", -3], 2, "thickness -3"),
        (["--noise", "g", "--specimen", "sto.cif", "--pixel-size", 100, "--thickness", 1e8], 1, "atoms"),
        (["--noise", "g", "--specimen", "graphene", "--zone", "1,1,1"], 2, "no zone axis"),
        (["--noise", "g", "--specimen", "crowd.xyz"], 1, "200000 atoms in one pixel"),
        (["--noise", "zingers", "--level", 4, "--set", "count=9"], 2, "give it once"),
        (["--noise", "reset", "--set", "spread=9"], 2, "it has level"),
        (["--noise", "stem", "--set", "pixel_size=true"], 2, "pixel_size is True"),
        (["--noise", "tem", "huge.npy"], 1, "too large for 32 bits"),
    ],
    ids=str,
)
def test_bad_parameters_get_one_line(
    run: Run, tmp_path: Path, monkeypatch: Any, arguments: list[Any], code: int, words: str
) -> None:
    pytest.importorskip("ase")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.cif").write_text("not a crystal")
    (tmp_path / "sto.cif").write_text(STRONTIUM_TITANATE)
    if "crowd.xyz" in arguments:
        (tmp_path / "crowd.xyz").write_text("200000\n\n" + "Au 0 0 0\n" * 200000)
    np.save(tmp_path / "huge.npy", np.linspace(0, 1e35, 1024).reshape(32, 32))
    size = [] if "huge.npy" in arguments else ["--size", 32]
    done = run("simulate", *arguments, *size, "-o", "out")
    assert done.code == code
    assert words in done.err
    assert len(done.err.strip().splitlines()) == 1
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_the_clean_image_of_a_camera_has_its_blur(run: Run, tmp_path: Path) -> None:
    for family in ("tem", "stem"):
        run("simulate", "--noise", family, "--specimen", "boxes", "--size", 64, "--seed", 2, "-o", tmp_path / family)
    manifest = json.loads((tmp_path / "tem" / "manifest.json").read_text())
    steps = [step["step"] for step in manifest["pairs"][0]["drawn"]]
    assert steps[:2] == ["mtf", "poisson"]
    with (
        io.read(tmp_path / "tem" / "0000_clean.tif") as blurred,
        io.read(tmp_path / "stem" / "0000_clean.tif") as sharp,
    ):
        assert np.abs(np.diff(blurred.pixels[0])).max() < np.abs(np.diff(sharp.pixels[0])).max()
        assert blurred.pixels[0].mean() == pytest.approx(sharp.pixels[0].mean(), rel=1e-3)


def test_jitter_of_own_files_is_measured_in_their_pixels(run: Run, tmp_path: Path) -> None:
    pixels = np.tile(np.linspace(0, 1, 64, dtype=np.float32), (64, 1))
    units = {"nm": 0.02, "Å": 0.2, "cm": 2e-9, "um": 2e-5}
    for unit, size in units.items():
        own = tmp_path / f"own_{size}.tif"
        io.write(own, io.Image.from_array(pixels, size, unit), [pixels])
        assert run("simulate", own, "--noise", "stem", "-o", tmp_path / unit).code == 0
    sizes = [json.loads((tmp_path / unit / "manifest.json").read_text())["pairs"][0]["pixel_size"] for unit in units]
    assert sizes == pytest.approx([0.2] * 4, rel=1e-4)


def test_a_movie_has_one_microscope(run: Run, tmp_path: Path) -> None:
    movie = np.full((3, 48, 48), 0.5, np.float32)
    movie[:, 10:30] = 0.9
    own = tmp_path / "movie.tif"
    io.write(own, io.Image.from_array(movie, 0.1, "nm"), list(movie))
    assert run("simulate", own, "--noise", "tem", "--seed", 4, "-o", tmp_path / "out").code == 0
    (pair,) = json.loads((tmp_path / "out" / "manifest.json").read_text())["pairs"]
    chain = noise.Tem(pixel_size=1.0).draw(movie[0].astype(np.float64), pair["noise_seed"])
    assert [noise.FAMILIES[step["step"]] for step in pair["drawn"]] == [type(step) for step in chain.steps]
    with io.read(tmp_path / "out" / "movie_noisy.tif") as noisy:
        for index in range(3):
            expected = noise.apply(movie[index].astype(np.float64), chain, pair["noise_seed"], frame=index)
            np.testing.assert_array_equal(noisy.pixels[index], expected.astype(np.float32))


def test_options_that_mean_nothing_are_refused(run: Run, tmp_path: Path, image_file: ImageFile) -> None:
    assert run("simulate", "--noise", "g", "--size", 16, "-o", tmp_path).code == 0
    for extra in (["--level", 0.1], ["-n", 3], ["--specimen", "flat"], [str(tmp_path / "0000_clean.tif")]):
        again = run("simulate", "--from", tmp_path / "manifest.json", *extra, "-o", tmp_path / "again")
        assert again.code == 2
        assert "means nothing with --from" in again.err
    done = run("simulate", tmp_path / "0000_clean.tif", "--noise", "g", "--size", 17, "-o", tmp_path / "own")
    assert done.code == 2
    assert "--size means nothing with CLEAN" in done.err


@pytest.mark.parametrize(
    "change",
    [
        {"pixel_size": "a"},
        {"size": 12.5},
        {"noise_seed": -1},
        {"specimen": 5},
        {"zone": "110"},
        {"noisy": "0000_clean.tif"},
    ],
    ids=str,
)
def test_a_damaged_manifest_gets_one_line(run: Run, tmp_path: Path, change: dict[str, Any]) -> None:
    run("simulate", "--noise", "g", "--size", 16, "-o", tmp_path)
    before = contents(tmp_path)
    manifest = json.loads((tmp_path / "manifest.json").read_text())
    manifest["pairs"][0].update(change)
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    done = run("simulate", "--from", tmp_path / "manifest.json", "-o", tmp_path, "--overwrite")
    assert done.code != 0
    assert len(done.err.strip().splitlines()) == 1
    assert contents(tmp_path)["0000_clean.tif"] == before["0000_clean.tif"]


def test_a_folder_that_cannot_be_made_and_a_table_of_another_image(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    done = run("simulate", "--noise", "g", "--size", 16, "-o", tmp_path / "file")
    assert done.code == 1
    assert "give another -o" in done.err
    out = tmp_path / "out"
    assert run("simulate", "--noise", "g", "--size", 64, "-o", out).code == 0
    assert (out / "0000_columns.csv").exists()
    assert run("simulate", "--noise", "g", "--size", 64, "--specimen", "grains", "-o", out, "--overwrite").code == 0
    assert not (out / "0000_columns.csv").exists()


def test_what_belongs_to_the_sensor_stays_in_all_frames(run: Run, tmp_path: Path) -> None:
    movie = np.full((2, 64, 64), 0.5, np.float32)
    own = tmp_path / "movie.tif"
    io.write(own, io.Image.from_array(movie, 0.1, "nm"), list(movie))
    for family, stays in (("fixed-pattern", True), ("black-pixels", True), ("thermal", False), ("zingers", False)):
        assert run("simulate", own, "--noise", family, "-o", tmp_path / family).code == 0
        with io.read(tmp_path / family / "movie_noisy.tif") as noisy:
            assert np.array_equal(noisy.pixels[0], noisy.pixels[1]) is stays


def test_a_familys_first_parameter_can_be_set_by_name(run: Run, tmp_path: Path) -> None:
    for number, given in enumerate((["--level", 0.1], ["--set", "level=0.1"])):
        run("simulate", "--noise", "reset", *given, "--size", 32, "--seed", 5, "-o", tmp_path / str(number))
    assert (tmp_path / "0/0000_noisy.tif").read_bytes() == (tmp_path / "1/0000_noisy.tif").read_bytes()


def test_a_manifest_of_other_noise_is_refused(run: Run, tmp_path: Path) -> None:
    assert run("simulate", "--noise", "tem", "--size", 32, "-o", tmp_path / "one").code == 0
    assert run("simulate", "--from", tmp_path / "one" / "manifest.json", "-o", tmp_path / "two").code == 0
    content = json.loads((tmp_path / "one" / "manifest.json").read_text())
    content["pairs"][0]["drawn"][1]["counts"] += 1.0
    (tmp_path / "one" / "manifest.json").write_text(json.dumps(content))
    done = run("simulate", "--from", tmp_path / "one" / "manifest.json", "-o", tmp_path / "three")
    assert done.code == 1
    assert "0000_noisy.tif was made by other noise" in done.err
    assert not (tmp_path / "three" / "0000_noisy.tif").exists()
