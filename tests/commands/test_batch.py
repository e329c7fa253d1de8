"""Batches: what is taken, where it goes, and what stands on the disk when something goes wrong."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from microscope_files import write_velox
from numpy.typing import NDArray

from temclean import io
from temclean.commands import batch, jobs, opening
from temclean.commands.frame_queue import FrameQueue, QueueClosedError, ReadAhead
from temclean.commands.inputs import expand
from temclean.errors import ParameterError
from temclean.evidence.findings import Findings
from temclean.evidence.residual import Missing
from temclean.io import temporary
from temclean.restoration import models, pipeline, tiling
from temclean.restoration.scaling import Scaling

Array = NDArray[Any]
ImageFile = Callable[..., Path]

PLAIN = SimpleNamespace(scanned=False)
MODEL = SimpleNamespace(name="sp", sha256="5e55", frames=1, joined=1, normalisation=PLAIN)
SESSION: Any = SimpleNamespace(model=MODEL, device="cpu", threads=1)


def names(found: list[Any]) -> list[str]:
    return [item.path.name for item in found]


class TestExpand:
    def test_a_folder_gives_its_images_in_counting_order(self, tmp_path: Path) -> None:
        for name in ("10.tif", "2.tif", "1.PNG", "notes.txt", ".3.tif", ".2_sp.tif.77-ab12cd34.part"):
            (tmp_path / name).touch()
        (tmp_path / "deeper.tif").mkdir()
        assert names(expand([str(tmp_path)])) == ["1.PNG", "2.tif", "10.tif"]

    def test_a_glob_gives_images_and_each_file_comes_once(self, tmp_path: Path, image_file: ImageFile) -> None:
        for name in ("a/1.tif", "a/b/2.tif", "a/thumbs.db"):
            image_file(tmp_path / name) if name.endswith("tif") else (tmp_path / name).touch()
        found = expand([str(tmp_path / "a" / "1.tif"), str(tmp_path / "**" / "*"), str(tmp_path / "a")])
        assert names(found) == ["1.tif", "2.tif"]
        assert not any(item.problem for item in found)

    def test_a_file_whose_name_looks_like_a_glob_is_a_file(self, tmp_path: Path, image_file: ImageFile) -> None:
        path = image_file(tmp_path / "a[1].tif")
        assert expand([str(path)])[0].path == path

    def test_what_stands_for_no_image_is_named_with_the_reason(self, tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        wanted = [str(tmp_path / name) for name in ("none.tif", "*.tif", "empty")]
        found = expand(wanted)
        assert [item.problem for item in found] == ["no such file", "matches no image", "no image in this folder"]
        assert [str(item.path) for item in found] == wanted

    def test_a_named_file_of_any_suffix_is_taken(self, tmp_path: Path) -> None:
        (tmp_path / "image.xyz").touch()
        assert expand([str(tmp_path / "image.xyz")])[0].problem is None

    def test_ser_files_bring_their_emi_along(self, tmp_path: Path) -> None:
        for name in ("a.emi", "a_1.ser", "a_2.ser", "alone.emi"):
            (tmp_path / name).touch()
        assert names(expand([str(tmp_path)])) == ["a_1.ser", "a_2.ser", "alone.emi"]


class TestTrees:
    """Folders whose images lie in folders below them."""

    @pytest.fixture
    def tree(self, tmp_path: Path, image_file: ImageFile) -> Path:
        for name in ("top.tif", "a/x.tif", "a/deep/x.tif", "b/x.tif", ".hidden/x.tif"):
            image_file(tmp_path / "in" / name)
        (tmp_path / "in" / "b" / "notes.txt").touch()
        return tmp_path / "in"

    MIRRORED = ("a/deep/x_sp.tif", "a/x_sp.tif", "b/x_sp.tif", "top_sp.tif")

    def mirrored(self, plan: jobs.Plan, out: Path) -> tuple[str, ...]:
        assert not any(job.problem for job in plan.jobs), plan
        return tuple(sorted(job.target.relative_to(out).as_posix() for job in plan.jobs if job.target))

    def test_a_folder_is_gone_through_and_its_tree_mirrored(self, tree: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        assert self.mirrored(jobs.plan([str(tree)], "sp", out, recursive=True), out) == self.MIRRORED
        beside = jobs.plan([str(tree)], "sp", recursive=True).jobs
        assert all(job.target and job.target.parent == job.source.parent for job in beside)

    @pytest.mark.parametrize("pattern", ["**", "**/*.tif", "../in/**/*"])
    def test_a_glob_is_mirrored_from_its_wildcards_on(
        self, tree: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, pattern: str
    ) -> None:
        out = tmp_path / "out"
        assert self.mirrored(jobs.plan([str(tree / pattern)], "sp", out), out) == self.MIRRORED
        monkeypatch.chdir(tree)
        assert self.mirrored(jobs.plan([pattern], "sp", out), out) == self.MIRRORED

    def test_a_glob_of_folders_is_gone_through(self, tree: Path, tmp_path: Path) -> None:
        out = tmp_path / "out"
        found = self.mirrored(jobs.plan([str(tree / "[ab]")], "sp", out, recursive=True), out)
        assert found == ("a/deep/x_sp.tif", "a/x_sp.tif", "b/x_sp.tif")

    def test_a_folder_with_none_of_its_own_says_where_they_are(self, tree: Path) -> None:
        (tree / "top.tif").unlink()
        (found,) = expand([str(tree)])
        assert "such as" in str(found.problem)
        assert str(tree / "a") in str(found.problem)
        assert "-r" in str(found.problem)
        (nothing,) = expand([str(tree / ".hidden")], recursive=True)
        assert nothing.problem is None

    @pytest.mark.skipif(sys.platform == "win32", reason="links need a right on Windows")
    def test_links_are_followed_and_never_in_circles(self, tree: Path, tmp_path: Path, image_file: ImageFile) -> None:
        image_file(tmp_path / "elsewhere" / "y.tif")
        (tree / "link").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
        for name in ("loop", "again"):
            (tree / "a" / name).symlink_to(tree, target_is_directory=True)
        assert sorted(names(expand([str(tree)], recursive=True))) == ["top.tif", "x.tif", "x.tif", "x.tif", "y.tif"]

    def test_one_file_for_several_inputs_is_refused(self, tree: Path, tmp_path: Path) -> None:
        out = tmp_path / "y.tif"
        with pytest.raises(ParameterError, match="2 inputs; give a folder"):
            jobs.plan([str(tree / "top.tif"), str(tree / "a" / "x.tif")], "sp", out)
        with pytest.raises(ParameterError, match="4 inputs"):
            jobs.plan([str(tree)], "sp", out, recursive=True)
        (one,) = jobs.plan([str(tree / "a")], "sp", out).jobs
        assert one.target == out
        out.mkdir()
        assert len(jobs.plan([str(tree)], "sp", out, recursive=True).jobs) == 4


class TestPlan:
    def targets(self, *arguments: Any, **options: Any) -> list[str | None]:
        return [job.target and job.target.name for job in jobs.plan(*arguments, **options).jobs]

    def test_a_result_lies_beside_its_input_or_in_the_folder(self, tmp_path: Path, image_file: ImageFile) -> None:
        source = image_file(tmp_path / "a.b.tiff")
        assert jobs.target(source, "sp") == tmp_path / "a.b_sp.tiff"
        assert jobs.target(source, "sp", tmp_path / "out") == tmp_path / "out" / "a.b_sp.tiff"

    def test_out_is_the_file_itself_for_one_input_only(self, tmp_path: Path, image_file: ImageFile) -> None:
        source = image_file(tmp_path / "a.tif")
        assert jobs.target(source, "sp", tmp_path / "b.PNG", alone=True) == tmp_path / "b.PNG"
        assert jobs.target(source, "sp", tmp_path / "b.png") == tmp_path / "b.png" / "a_sp.tif"
        assert jobs.target(source, "sp", tmp_path / "b.dm3", alone=True) == tmp_path / "b.dm3" / "a_sp.tif"
        (tmp_path / "c.tif").mkdir()
        assert jobs.target(source, "sp", tmp_path / "c.tif", alone=True) == tmp_path / "c.tif" / "a_sp.tif"

    def test_out_that_can_be_no_folder_is_refused(self, tmp_path: Path, image_file: ImageFile) -> None:
        source = str(image_file(tmp_path / "a.tif"))
        (tmp_path / "notes.txt").write_text("mine")
        with pytest.raises(ParameterError, match=r"notes\.txt is a file; give a folder, or a name that ends in \.ali"):
            jobs.plan([source], "sp", tmp_path / "notes.txt")
        with pytest.raises(ParameterError, match=r"b\.dm3: temclean reads this format but does not write it"):
            jobs.plan([source], "sp", tmp_path / "b.dm3")
        with pytest.raises(ParameterError, match=r"clean\.tiif ends nearly in \.tif"):
            jobs.plan([str(tmp_path)], "g", tmp_path / "clean.tiif")

    def test_a_format_that_cannot_be_written_becomes_tiff(self, tmp_path: Path) -> None:
        (tmp_path / "a.dm3").write_bytes(b"\0\0\0\3")
        assert jobs.target(tmp_path / "a.dm3", "sp") == tmp_path / "a_sp.tif"

    @pytest.mark.parametrize("suffix", [".tif", ".png", ".mrc", ".npy"])
    def test_results_are_left_out_by_what_they_say_of_themselves(
        self, tmp_path: Path, suffix: str, image_file: ImageFile
    ) -> None:
        image_file(tmp_path / f"a{suffix}")
        image_file(tmp_path / f"renamed{suffix}", provenance={"model": "g"})
        plan = jobs.plan([str(tmp_path)], "sp")
        assert [job.source.name for job in plan.jobs] == [f"a{suffix}"]
        assert [path.name for path in plan.left_out] == [f"renamed{suffix}"]
        assert len(jobs.plan([str(tmp_path)], "sp", include_results=True).jobs) == 2

    def test_shards_together_do_everything_once(self, tmp_path: Path, image_file: ImageFile) -> None:
        for index in range(7):
            image_file(tmp_path / f"{index}.tif")
        image_file(tmp_path / "3_sp.tif", provenance={"model": "sp"})
        parts = [self.targets([str(tmp_path)], "sp", shard=(index, 3)) for index in (1, 2, 3)]
        assert sorted(name for part in parts for name in part if name) == [f"{index}_sp.tif" for index in range(7)]
        assert [len(part) for part in parts] == [3, 2, 2]
        with pytest.raises(ParameterError, match="4/3"):
            jobs.plan([str(tmp_path)], "sp", shard=(4, 3))

    def test_two_inputs_cannot_share_a_result(self, tmp_path: Path, image_file: ImageFile) -> None:
        for name in ("a/x.tif", "b/x.tif", "b/x.png"):
            image_file(tmp_path / name)
        plan = jobs.plan([str(tmp_path / "*" / "*")], "sp", tmp_path / "out")
        problems = {job.source.relative_to(tmp_path).as_posix(): job.problem for job in plan.jobs}
        assert problems["a/x.tif"] is None
        assert problems["b/x.png"] is None
        assert "a/x.tif" in Path(str(problems["b/x.tif"])).as_posix()

    def test_no_input_is_written_over(self, tmp_path: Path, image_file: ImageFile) -> None:
        first, second = image_file(tmp_path / "a.tif"), image_file(tmp_path / "a_sp.tif")
        plan = jobs.plan([str(first), str(second)], "sp")
        assert "a_sp.tif" in str(plan.jobs[0].problem)
        assert plan.jobs[1].problem is None
        alone = jobs.plan([str(first)], "sp", first)
        assert "written over" in str(alone.jobs[0].problem)


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> None:
    """Put a pipeline in place that adds 1, and fails where an image begins with 666; 1000 stands for a noise of 1."""

    def frames(
        pixels: ReadAhead,
        session: Any,
        *,
        scaling: Any,
        progress: Callable[[int], None] | None = None,
        noise: Callable[[float], object],
        **_: Any,
    ) -> Iterator[Array]:
        for index in range(len(pixels)):
            if pixels[index][0, 0] == 666:
                raise ValueError("an image from hell")
            if progress:
                progress(1)
            noise(pixels[index][0, 0] / 1000)
            yield pixels[index] + 1

    monkeypatch.setattr(pipeline, "denoise_frames", frames)
    monkeypatch.setattr(pipeline, "scaling", lambda pixels, model, **_: Scaling(0.0, 100.0))
    monkeypatch.setattr(pipeline, "plan", lambda shape, *_: tiling.plan(shape, 8))


def run(paths: list[Path], out: Path | None = None, **options: Any) -> list[batch.Result]:
    plan = jobs.plan([str(path) for path in paths], "sp", out)
    return list(batch.run(plan.jobs, SESSION, **options))


def leftovers(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.name.endswith(".part")]


@pytest.mark.usefixtures("fake")
class TestRun:
    def test_results_come_in_order_and_say_what_made_them(self, tmp_path: Path, image_file: ImageFile) -> None:
        paths = [image_file(tmp_path / f"{index}.tif", index, frames=1 + index % 3) for index in range(6)]
        results = run(paths, tmp_path / "out")
        assert [Path(result.input) for result in results] == paths
        assert {result.status for result in results} == {"done"}
        for path, result in zip(paths, results, strict=True):
            with io.read(path) as before, io.read(str(result.output)) as after:
                assert after.pixels.dtype == before.pixels.dtype
                assert after.pixel_size == before.pixel_size
                for frame, clean in zip(before.pixels, after.pixels, strict=True):
                    np.testing.assert_array_equal(clean, frame + 1)
            made = io.provenance(str(result.output))
            assert made is not None
            assert made["model"] == "sp"
            assert made["model_sha256"] == MODEL.sha256
            assert made["input"] == path.name

    def test_bad_files_do_not_stop_the_others(self, tmp_path: Path, image_file: ImageFile) -> None:
        paths = [image_file(tmp_path / f"{index:04}.tif", 666 if index == 7 else 1) for index in range(300)]
        paths[3].write_bytes(b"II*\0")
        paths[150].write_bytes(b"")
        paths[298].write_text("no image")
        paths[299].unlink()
        results = run(paths, tmp_path / "out")
        bad = [Path(result.input).name for result in results if result.status == "failed"]
        assert bad == ["0003.tif", "0007.tif", "0150.tif", "0298.tif", "0299.tif"]
        assert all(result.error and "\n" not in result.error for result in results if result.status == "failed")
        assert len(list((tmp_path / "out").iterdir())) == 295

    def test_nothing_is_overwritten_unasked(self, tmp_path: Path, image_file: ImageFile) -> None:
        path = image_file(tmp_path / "a.tif")
        (tmp_path / "a_sp.tif").write_text("mine")
        (result,) = run([path])
        assert result.status == "failed"
        assert "--overwrite" in str(result.error)
        assert (tmp_path / "a_sp.tif").read_text() == "mine"
        assert run([path], overwrite=True)[0].status == "done"
        assert io.provenance(tmp_path / "a_sp.tif")

    def test_resume_keeps_what_this_model_made_of_this_input(self, tmp_path: Path, image_file: ImageFile) -> None:
        paths = [image_file(tmp_path / f"{name}.tif") for name in "abcd"]
        assert run(paths[:1])[0].status == "done"
        (tmp_path / "b_sp.tif").write_text("half a file")
        image_file(tmp_path / "c_sp.tif", provenance={"model": "sp", "model_sha256": "other"})
        before = (tmp_path / "a_sp.tif").stat().st_mtime_ns
        results = run(paths, resume=True)
        assert [result.status for result in results] == ["kept", "failed", "failed", "done"]
        assert (tmp_path / "a_sp.tif").stat().st_mtime_ns == before
        image_file(paths[0], 5)
        assert run(paths[:1], resume=True)[0].status == "failed"
        assert [result.status for result in run(paths, resume=True, overwrite=True)] == ["done", "done", "done", "kept"]

    def test_resume_clears_away_what_killed_runs_left(self, tmp_path: Path, image_file: ImageFile) -> None:
        path = image_file(tmp_path / "a.tif")
        gone = subprocess.Popen([sys.executable, "-c", ""])
        gone.wait()
        left = tmp_path / f".a_sp.tif.{temporary.HOST}-{gone.pid}-0123abcd.part"
        others = {
            tmp_path / f".b_sp.tif.{temporary.HOST}-{gone.pid}-0123abcd.part",
            tmp_path / f".a_sp.tif.5e1f00-{gone.pid}-0123abcd.part",  # of another machine
        }
        for name in (left, *others):
            name.touch()
        run([path], resume=True)
        assert set(leftovers(tmp_path)) == others

    @pytest.mark.skipif(os.name == "nt", reason="Windows does not remove a file that is in use")
    def test_resume_leaves_alone_what_another_run_is_writing(self, tmp_path: Path, image_file: ImageFile) -> None:
        path = image_file(tmp_path / "a.tif")
        with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
            theirs = tmp_path / f".a_sp.tif.{temporary.HOST}-{other.pid}-0123abcd.part"
            theirs.touch()
            run([path], resume=True)
            assert leftovers(tmp_path) == [theirs]
            other.communicate(b"\n")

    @pytest.mark.parametrize("left", [0, 0.5])
    def test_resume_makes_damaged_results_again(self, tmp_path: Path, image_file: ImageFile, left: float) -> None:
        path = image_file(tmp_path / "movie.tif", frames=6)
        run([path])
        result = tmp_path / "movie_sp.tif"
        whole = result.read_bytes()
        os.truncate(result, int(left * len(whole)))
        assert [each.status for each in run([path], resume=True)] == ["done"]
        with io.read(result) as image:
            assert len(list(image.pixels)) == 6
        assert [each.status for each in run([path], resume=True)] == ["kept"]

    def test_pixels_are_on_the_disk_before_the_name(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image_file: ImageFile
    ) -> None:
        synced: list[tuple[int, bool]] = []

        def fsync(file: int) -> None:
            synced.append((os.fstat(file).st_size, (tmp_path / "a_sp.tif").exists()))

        monkeypatch.setattr(os, "fsync", fsync)
        run([image_file(tmp_path / "a.tif")])
        assert (tmp_path / "a_sp.tif").stat().st_size in [size for size, named in synced if not named]

    @pytest.mark.skipif(os.name == "nt", reason="names are counted otherwise there")
    def test_long_names_of_many_byte_letters(self, tmp_path: Path, image_file: ImageFile) -> None:
        path = image_file(tmp_path / f"{'日本' * 40}.tif")
        assert [each.status for each in run([path])] == ["done"]

    def test_a_frame_that_fails_leaves_no_file(self, tmp_path: Path, image_file: ImageFile) -> None:
        path = image_file(tmp_path / "movie.tif", 666 - 24, frames=3)
        (result,) = run([path])
        assert "an image from hell" in str(result.error)
        assert [each.name for each in tmp_path.iterdir()] == ["movie.tif"]

    def test_a_full_disk_is_one_line_a_file(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image_file: ImageFile
    ) -> None:
        def full(path: Path, image: io.Image, frames: Iterable[Array], provenance: Any, *, replace: bool) -> None:
            next(iter(frames))
            raise OSError(28, "No space left on device")

        paths = [image_file(tmp_path / f"{index}.tif", frames=50) for index in range(4)]
        monkeypatch.setattr(io, "write", full)
        results = run(paths)
        assert [result.status for result in results] == ["failed"] * 4
        assert {result.error for result in results} == {"No space left on device"}

    def test_a_folder_that_cannot_be_made_is_one_line_a_file(self, tmp_path: Path, image_file: ImageFile) -> None:
        paths = [image_file(tmp_path / f"{index}.tif") for index in range(3)]
        (tmp_path / "file").touch()
        results = run(paths, tmp_path / "file" / "out")
        assert [result.status for result in results] == ["failed"] * 3

    def test_giving_up_leaves_whole_files_only(self, tmp_path: Path, image_file: ImageFile) -> None:
        paths = [image_file(tmp_path / f"{index}.tif", frames=20) for index in range(8)]
        plan = jobs.plan([str(path) for path in paths], "sp", tmp_path / "out")
        before = set(threading.enumerate())
        going = batch.run(plan.jobs, SESSION)
        assert next(going).status == "done"
        going.close()
        assert not leftovers(tmp_path)
        for path in (tmp_path / "out").iterdir():
            with io.read(path) as image:
                assert len(list(image.pixels)) == 20
        assert set(threading.enumerate()) <= before

    def test_warnings_of_the_reader_are_passed_on(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image_file: ImageFile
    ) -> None:
        path = image_file(tmp_path / "a.tif")
        with io.read(path) as image:
            object.__setattr__(image, "warnings", ("the unit is odd",))
            monkeypatch.setattr(io, "read", lambda *_: image)
            assert run([path])[0].warnings == ("the unit is odd",)

    @pytest.mark.parametrize(
        ("first", "frames", "warning"),
        [
            (590, 1, None),
            (900, 1, "is 0.9 times as strong as the contrast of the result, more"),
            (570, 3, "is 0.6 times as strong as the contrast of the result in 1 of 3 frames"),
            (40_000, 1, "is over 10 times as strong as the contrast of the result"),
        ],
    )
    def test_noise_beyond_the_models_gives_a_warning(
        self, tmp_path: Path, image_file: ImageFile, first: int, frames: int, warning: str | None
    ) -> None:
        (result,) = run([image_file(tmp_path / "a.tif", first, frames)])
        assert result.status == "done"
        assert len(result.warnings) == (warning is not None)
        assert all(str(warning) in line for line in result.warnings)

    @pytest.mark.parametrize("high", [19.0, 20.0])
    def test_so_few_steps_that_rounding_spoils_the_result_give_a_warning(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, image_file: ImageFile, high: float
    ) -> None:
        monkeypatch.setattr(pipeline, "scaling", lambda pixels, model, **_: Scaling(0.0, high))
        (result,) = run([image_file(tmp_path / "a.tif")])
        assert bool(result.warnings) == (high == 19)
        assert all("only 19 whole numbers" in line and "32-bit floats" in line for line in result.warnings)

    def test_foresee_writes_nothing(self, tmp_path: Path, image_file: ImageFile) -> None:
        path = image_file(tmp_path / "a.tif")
        plan = jobs.plan([str(path), str(tmp_path / "none.tif")], "sp", tmp_path / "out")
        assert [opening.foresee(job, MODEL).status for job in plan.jobs] == ["planned", "failed"]  # type: ignore[arg-type]
        assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("fake")
def test_each_image_of_a_file_is_done_and_kept_by_its_name(tmp_path: Path) -> None:
    pytest.importorskip("h5py")
    path = write_velox(tmp_path / "a.emd", {name: np.full((9, 9, 1), at, "u2") for at, name in enumerate("AB")})
    for status in ("done", "kept"):
        results = list(batch.run(jobs.plan([str(path)], "sp", image="all").jobs, SESSION, resume=True))
        assert [(one.status, one.image) for one in results] == [(status, "A"), (status, "B")]
    for at, name in enumerate("AB"):
        with io.read(tmp_path / f"a_{name}_sp.tif") as image:
            assert image.pixels[0].max() == at + 1
        assert (io.provenance(tmp_path / f"a_{name}_sp.tif") or {})["image"] == name
    (tmp_path / "a_A_sp.tif").replace(tmp_path / "a_B_sp.tif")
    again = list(batch.run(jobs.plan([str(path)], "sp", image="B").jobs, SESSION, resume=True))
    assert [one.status for one in again] == ["failed"]


def test_results_are_compared_with_their_images_while_the_network_goes_on(
    tmp_path: Path, image_file: ImageFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the thread that writes; and what is compared is each frame as it was read, and its result."""
    pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")
    session = models.open_session(models.load(Path(__file__).parents[1] / "data" / "identity.onnx"), "cpu", 1)
    seen: list[tuple[str, int, int]] = []

    def examine(frame: NDArray[Any], restored: NDArray[Any], _: object) -> Findings:
        seen.append((threading.current_thread().name, int(frame[0, 0]), int(restored[0, 0])))
        return Findings(missing=Missing(significance=9.0, row=3, column=5))

    monkeypatch.setattr(pipeline, "examine", examine)
    (result,) = batch.run(jobs.plan([str(image_file(tmp_path / "a.tif", 7, 3))], "identity").jobs, session)
    assert seen == [("temclean-write_0", 7 + 24 * number, 7 + 24 * number) for number in range(3)]
    assert [line for line in result.warnings if "in 3 of 3 frames, most clearly at row 3, column 5" in line]


class TestRelay:
    def test_frames_arrive_in_order_and_few_wait(self) -> None:
        queue = FrameQueue(room=2)
        sent = []

        def send() -> None:
            for index in range(10):
                queue.put(np.full(1, index))
                sent.append(index)
            queue.close()

        sender = threading.Thread(target=send)
        sender.start()
        received = []
        for frame in queue:
            received.append(int(frame[0]))
            assert len(sent) <= len(received) + 3
        sender.join()
        assert received == list(range(10))

    def test_an_error_reaches_the_taking_side(self) -> None:
        queue = FrameQueue(room=1)
        queue.put(np.zeros(1))
        queue.close(ValueError("broken"))
        with pytest.raises(ValueError, match="broken"):
            list(queue)

    def test_putting_ends_when_nobody_takes(self) -> None:
        queue = FrameQueue(room=1)
        queue.put(np.zeros(1))
        queue.abandon()
        with pytest.raises(QueueClosedError):
            queue.put(np.zeros(1))

    @pytest.mark.parametrize("whole", [True, False])
    def test_reading_ahead_changes_nothing(self, whole: bool) -> None:
        array = np.arange(60).reshape(5, 3, 4)
        frames = io.Image.from_array(array).pixels
        with ReadAhead(frames, whole=whole) as ahead:
            assert ahead.shape == (5, 3, 4)
            for index in (0, 1, 2, 3, 4, 0, 2, 4, 1):
                np.testing.assert_array_equal(ahead[index], array[index])
