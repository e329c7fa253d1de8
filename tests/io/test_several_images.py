"""Files of several images: their names, which one is read, and where the result of each goes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from microscope_files import Dm, write_emi, write_hspy, write_ser, write_velox

from temclean import io
from temclean.commands import jobs
from temclean.errors import ImageError, ParameterError

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"


def two_images(path: Path) -> Path:
    dm = Dm(3)
    names = ["HAADF", "bright/field"]
    entries = [dm.image(np.full((4, 5), at, "<u2"), name, [1.0, 1.0], ["nm", "nm"]) for at, name in enumerate(names)]
    path.write_bytes(dm.file([*entries, dm.image(np.zeros(9, "<f4"), "Plot", [1.0], ["nm"])]))
    return path


def test_velox_images_have_the_names_that_hyperspy_shows() -> None:
    path = DATA / "odd" / "fei_example_dpc_titles.emd"
    if not path.exists():
        pytest.skip("the file is not in the collection")
    emd = pytest.importorskip("rsciio.emd", reason="the second reader is not installed")
    titles = {one["metadata"]["General"]["title"]: one["data"] for one in emd.file_reader(str(path))}
    assert len(titles) == 9
    names = io.list_images(path)
    assert set(names) == set(titles) - {"DPC"}  # of complex numbers
    for name in names:
        with io.read(path, name) as image:
            np.testing.assert_array_equal(image.pixels[0], titles[name])
            assert image.warnings == ()
    with io.read(path) as image:
        assert all(f'"{name}"' in image.warnings[0] for name in titles)
        assert '"DPC" (2x2, no real numbers); --image NAME takes another' in image.warnings[0]


def test_an_image_is_named_or_counted(tmp_path: Path) -> None:
    path = two_images(tmp_path / "a.dm3")
    assert io.list_images(path) == ["HAADF", "bright/field"]
    for image, value in ((None, 0), ("HAADF", 0), ("bright/field", 1), ("BRIGHT/field", 1), ("1", 0), (2, 1)):
        with io.read(path, image) as found:
            assert found.pixels[0].max() == value
            assert bool(found.warnings) is (image is None)
    for image in ("Plot", "3", 0, "field"):
        with pytest.raises(ImageError, match=f'no image "{image}"; it holds 2 images: "HAADF", "bright/field"'):
            io.read(path, image)


def test_names_that_are_alike_are_counted(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    path = write_velox(tmp_path / "a.emd", {"HAADF": np.zeros((4, 5, 1), "u2"), "DF": np.ones((4, 5, 1), "u2")})
    with h5py.File(path, "a") as file:
        images = file["Data/Image"]
        images["again"] = images[sorted(images)[1]]
    assert io.list_images(path) == ["HAADF", "DF", "DF 2"]
    assert io.list_images(write_hspy(tmp_path / "b.hspy", np.zeros((9, 14), "u2"))) == ["movie"]


def test_an_emi_takes_its_first_images_and_names_the_others(tmp_path: Path) -> None:
    emi = write_emi(tmp_path / "a.emi", "STEM", False)
    for number in (1, 2, 3):
        write_ser(tmp_path / f"a_{number}.ser", np.full((1, 4, 4), number, "<u2"))
    spectra = bytearray((tmp_path / "a_1.ser").read_bytes())
    spectra[6:8] = (0x4120).to_bytes(2, "little")
    (tmp_path / "a_1.ser").write_bytes(spectra)
    assert io.list_images(emi) == ["a_2", "a_3"]
    with io.read(emi) as image:
        assert image.pixels[0][0, 0] == 2
        assert image.warnings[0].startswith('took the image "a_2.ser"; left "a_3.ser", "a_1.ser" (spectra); --image')
    with io.read(emi, "a_3") as image:
        assert image.pixels[0][0, 0] == 3
    (tmp_path / "a_2.ser").unlink()
    (tmp_path / "a_3.ser").unlink()
    with pytest.raises(ImageError, match=r"holds spectra, not images, in a_1\.ser"):
        io.read(emi)


def test_a_file_of_one_image_has_the_name_of_the_file(tmp_path: Path, image_file: Callable[..., Path]) -> None:
    path = image_file(tmp_path / "one.tif")
    assert io.list_images(path) == ["one"]
    for image in ("one", 1):
        with io.read(path, image) as found:
            assert found.pixels.shape == (4, 6)
    with pytest.raises(ImageError, match='no image "HAADF"; it holds one image: "one"'):
        io.read(path, "HAADF")


def test_each_image_has_a_result_of_its_own(tmp_path: Path, image_file: Callable[..., Path]) -> None:
    inputs = [str(two_images(tmp_path / "a.dm3")), str(image_file(tmp_path / "b.tif"))]

    def targets(image: str | None) -> list[str]:
        return [job.target.name for job in jobs.plan(inputs, "sp", image=image).jobs if job.target]

    assert targets(None) == ["a_sp.tif", "b_sp.tif"]
    assert targets("all") == ["a_HAADF_sp.tif", "a_bright_field_sp.tif", "b_sp.tif"]
    assert targets("2") == ["a_bright_field_sp.tif", "b_2_sp.tif"]
    with pytest.raises(ParameterError, match=r"out\.tif is the name of one file, and there are 2 images"):
        jobs.plan(inputs[:1], "sp", tmp_path / "out.tif", image="all")
    alone = jobs.plan(inputs[:1], "sp", tmp_path / "out.tif", image="HAADF").jobs[0]
    assert (alone.target, alone.image) == (tmp_path / "out.tif", "HAADF")


@pytest.mark.parametrize("name", ["../../x", "a\\b", "a:b", "...", "con\n", "\u202e", "a" * 500, ""])
def test_names_of_images_cannot_lead_out_of_the_folder(name: str) -> None:
    safe, other = io.file_names([name, name])
    assert safe.casefold() != other.casefold()
    for one in (safe, other):
        assert 0 < len(one) < 80
        assert Path(one).name == one
        assert not set(one) & set('/\\:*?"<>|\n\u202e')
        assert not one.startswith(".")
