"""Jobs of RELION, on STAR files that the library ``starfile`` writes and reads, and ``mrcfile``'s micrographs."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import mrcfile
import numpy as np
import pytest

from temclean.commands.relion import markers, star
from temclean.errors import FileError

pd: Any = pytest.importorskip("pandas", reason="pandas is not installed")
starfile: Any = pytest.importorskip("starfile", reason="starfile is not installed")

Run = Callable[..., Any]
IDENTITY = Path(__file__).resolve().parents[2] / "data" / "identity.onnx"
JOB = Path("External/job007")
INPUT = "MotionCorr/job002/corrected_micrographs.star"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Make a project with three micrographs, one in a folder with a space, and go there, as RELION does."""
    monkeypatch.chdir(tmp_path)
    names = [f"MotionCorr/job002/{name}.mrc" for name in ("Movies/a", "Movies/grid 2/b", "Movies/c")]
    for seed, name in enumerate(names):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        with mrcfile.new(name) as file:
            file.set_data(np.random.default_rng(seed).normal(5, 1, (64, 80)).astype(np.float32))
            file.voxel_size = 0.885
    optics = pd.DataFrame({"rlnOpticsGroupName": ["opticsGroup1"], "rlnOpticsGroup": [1], "rlnVoltage": [200.0]})
    table = {"rlnCtfMaxResolution": [3.1, 4.2, 5.3], "rlnMicrographName": names, "rlnOpticsGroup": [1, 1, 1]}
    starfile.write({"optics": optics, "micrographs": pd.DataFrame(table)}, INPUT)
    return tmp_path


def denoise(run: Run, *more: object) -> Any:
    return run("relion", "--o", f"{JOB.as_posix()}/", "--in_mics", INPUT, "-m", IDENTITY, "--j", 1, *more)


def left() -> set[str]:
    return {path.name for path in JOB.glob("RELION_JOB_*")}


def test_the_results_are_listed_as_the_micrographs_were(run: Run, project: Path) -> None:
    done = denoise(run)
    assert done.code == 0, done.err
    assert left() == {"RELION_JOB_EXIT_SUCCESS"}
    before, after = starfile.read(INPUT), starfile.read(JOB / "micrographs.star")
    names = [f"External/job007/Movies/{name}.mrc" for name in ("a", "grid 2/b", "c")]
    assert list(after["micrographs"]["rlnMicrographName"]) == names
    assert after["optics"].equals(before["optics"])
    others = ["rlnCtfMaxResolution", "rlnOpticsGroup"]
    assert after["micrographs"][others].equals(before["micrographs"][others])
    for raw, restored in zip(before["micrographs"]["rlnMicrographName"], names, strict=True):
        with mrcfile.open(raw) as one, mrcfile.open(restored) as other:
            np.testing.assert_allclose(other.data, one.data, rtol=1e-5)
            assert other.voxel_size.x == pytest.approx(0.885)
    nodes = starfile.read(JOB / "RELION_OUTPUT_NODES.star", always_dict=True)["output_nodes"]
    assert nodes.to_dict("records") == [
        {
            "rlnPipeLineNodeName": "External/job007/micrographs.star",
            "rlnPipeLineNodeType": 1,
            "rlnPipeLineNodeTypeLabel": "MicrographGroupMetadata.star.relion",
        }
    ]


def test_continue_does_what_is_left_and_another_model_does_all_again(run: Run, project: Path) -> None:
    tables = starfile.read(INPUT)
    everything = tables["micrographs"]
    starfile.write({**tables, "micrographs": everything.iloc[:1]}, INPUT, overwrite=True)
    assert denoise(run).code == 0
    starfile.write({**tables, "micrographs": everything}, INPUT, overwrite=True)
    again = denoise(run)
    assert [line.endswith("(kept)") for line in again.out.splitlines()] == [True, False, False]
    assert len(starfile.read(JOB / "micrographs.star")["micrographs"]) == 3
    other = denoise(run, "-m", IDENTITY.with_name("amplifier.onnx"))
    assert other.code == 0
    assert "kept" not in other.out


def test_a_damaged_micrograph_fails_the_job_and_is_left_out(run: Run, project: Path) -> None:
    Path("MotionCorr/job002/Movies/a.mrc").write_bytes(b"MAP ")
    Path("MotionCorr/job002/Movies/c.mrc").unlink()
    done = denoise(run)
    assert done.code == 1
    assert left() == {"RELION_JOB_EXIT_FAILURE"}
    assert "Movies/c.mrc: there is no such file" in done.err
    listed = starfile.read(JOB / "micrographs.star")["micrographs"]
    assert list(listed["rlnCtfMaxResolution"]) == [4.2]


def test_the_gui_can_end_a_job(run: Run, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin = markers.begin

    def begin_and_regret(folder: Path) -> None:
        begin(folder)
        (folder / "RELION_JOB_ABORT_NOW").touch()

    monkeypatch.setattr(markers, "begin", begin_and_regret)
    assert denoise(run).code == 130
    assert left() == {"RELION_JOB_EXIT_ABORTED"}
    monkeypatch.undo()
    monkeypatch.chdir(project)
    assert denoise(run).code == 0
    assert left() == {"RELION_JOB_EXIT_SUCCESS"}


@pytest.mark.parametrize("mistake", [["-m", "nonsense"], ["--nonsense", "1"], ["--j", "0"], ["--in", "no.star"]])
def test_no_mistake_leaves_relion_waiting(run: Run, project: Path, mistake: list[str]) -> None:
    JOB.mkdir(parents=True)
    done = denoise(run, *mistake)
    assert done.code in {1, 2}
    assert done.err.count("\n") == 1
    assert left() == {"RELION_JOB_EXIT_FAILURE"}


def test_joined_files_may_list_one_twice_and_two_of_one_name(run: Run, project: Path) -> None:
    other = Path("MotionCorr/job005/Movies/a.mrc")
    other.parent.mkdir(parents=True)
    with mrcfile.new(other) as file:
        file.set_data(np.random.default_rng(9).normal(5, 1, (64, 80)).astype(np.float32))
    tables = starfile.read(INPUT)
    rows = tables["micrographs"]
    more = pd.concat([rows, rows.iloc[:1], rows.iloc[:1].assign(rlnMicrographName=other.as_posix())])
    starfile.write({**tables, "micrographs": more}, INPUT, overwrite=True)
    done = denoise(run)
    assert (done.code, len(done.out.splitlines())) == (0, 4)
    listed = list(starfile.read(JOB / "micrographs.star")["micrographs"]["rlnMicrographName"])
    assert listed[3:] == [listed[0], "External/job007/MotionCorr/job005/Movies/a.mrc"]
    with mrcfile.open(listed[4]) as one, mrcfile.open(other) as raw:
        np.testing.assert_allclose(one.data, raw.data, rtol=1e-5)


def test_no_micrograph_is_written_over(run: Run, project: Path) -> None:
    before = Path("MotionCorr/job002/Movies/a.mrc").read_bytes()
    done = run("relion", "--o", "MotionCorr/job002/", "--in_mics", INPUT, "-m", IDENTITY)
    assert done.code == 1
    assert "written over the input" in done.err
    assert Path("MotionCorr/job002/Movies/a.mrc").read_bytes() == before


RELION_3_0 = """
# version 30001

data_

loop_ \r
_rlnMicrographName #1 \r
_rlnCtfImage #2 \r
Movies/a.mrc "a b.ctf:mrc" # the first
'Movies/it''s.mrc' c#d.ctf:mrc

"""


def test_all_but_the_names_is_handed_on(tmp_path: Path) -> None:
    path = tmp_path / "old.star"
    path.write_text(RELION_3_0, newline="")
    found = star.read(path)
    assert found.names == ("Movies/a.mrc", "Movies/it''s.mrc")
    changed = RELION_3_0.replace("Movies/a.mrc", '"x y.mrc"').replace("'Movies/it''s.mrc' c#d.ctf:mrc\n", "")
    assert found.renamed(["x y.mrc", None]) == changed
    pair = tmp_path / "pair.star"
    pair.write_text("data_micrographs\n\n_rlnMicrographName  a.mrc\n_rlnVoltage 300\n")
    assert star.read(pair).renamed(["b.mrc"]) == "data_micrographs\n\n_rlnMicrographName  b.mrc\n_rlnVoltage 300\n"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("data_\nloop_\n_rlnMicrographName #1\n_rlnVoltage #2\na.mrc\n", "line 5 has 1 values for 2 columns"),
        ("data_particles\nloop_\n_rlnImageName #1\n1@a.mrcs\n", "lists no micrographs"),
        ("\0\1\2", "lists no micrographs"),
    ],
)
def test_what_lists_no_micrographs_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "other.star"
    path.write_text(text)
    with pytest.raises(FileError, match=said):
        star.read(path)
