"""Damaged files: whatever is wrong with one, it opens, or one line says what to do; no hang, no heap of memory."""

import random
import sys
import time
import tracemalloc
from pathlib import Path

import fuzz
import pytest
from damaged_files import MADE, NEEDS_H5PY, counts, damage, open_fully
from microscope_files import write_emi, write_ser

from temclean import io

DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
REAL = [
    "rebco_roi.dm3", "rock_sem_lzw.tif", "deapp_movie16.mrc", "scan5_1.ser", "scan5.emi", "dark5_1.ser", "dm_stack.tif",
    "imagej_stack.tif", "zeiss_sem_u8.tif", "si110_adf.png", "haadf_velox.emd", "survey_multi_signal.dm3",
]  # fmt: skip
COPIES = 40


def original(name: str, folder: Path) -> bytes:
    if Path(name).suffix in NEEDS_H5PY:
        pytest.importorskip("h5py")
    if name in MADE:
        MADE[name](folder / name)
        return (folder / name).read_bytes()
    source = DATA / name
    if not source.exists():
        pytest.skip("the collection of real files is not here")
    if name == "scan5.emi":
        (folder / "scan5_1.ser").write_bytes((DATA / "scan5_1.ser").read_bytes())
    return source.read_bytes()


@pytest.mark.parametrize("name", [*MADE, *REAL])
def test_damaged_copies(name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    data = original(name, tmp_path)
    path = tmp_path / name
    chance = random.Random(name)
    path.write_bytes(data)
    assert open_fully(path) == "opened"
    outcomes = set()
    tracemalloc.start()
    start = time.monotonic()
    for _ in range(COPIES):
        path.write_bytes(damage(data, chance))
        outcomes.add(open_fully(path).startswith("opened"))
        io.provenance(path)
    seconds = time.monotonic() - start
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert False in outcomes or name.endswith(".emi"), "the damage should be seen at least once"
    # A header may claim what its file could hold if it were well compressed, no more.
    assert peak < max(3000 * len(data), 64e6) + 64e6
    assert peak < 1.2e9
    assert seconds < 60
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", [*MADE, *REAL])
@pytest.mark.parametrize("part", [0.02, 0.5, 0.9])
def test_half_a_file_is_never_taken_for_a_whole_one(name: str, part: float, tmp_path: Path) -> None:
    data = original(name, tmp_path)
    path = tmp_path / name
    path.write_bytes(data[: int(len(data) * part)])
    if path.suffix == ".emi":
        # The pixels are in the .ser: an .emi cut short only knows less of them.
        assert "\n" not in open_fully(path)
        return
    assert open_fully(path) != "opened"


def test_emi_that_is_noise(tmp_path: Path) -> None:
    write_ser(tmp_path / "a_1.ser", counts("u2", (3, 24, 24)))
    emi = write_emi(tmp_path / "a.emi", "STEM", False)
    text = emi.read_bytes()
    for cut in range(0, len(text), 17):
        emi.write_bytes(text[:cut] or b"J")
        open_fully(emi)
        open_fully(tmp_path / "a_1.ser")


@pytest.mark.skipif(sys.platform == "win32", reason="make fuzz runs on POSIX")
def test_make_fuzz_counts_crashes_and_hangs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By a worker that crashes at 1, hangs at 3 and refuses the rest."""
    worker = tmp_path / "worker.py"
    worker.write_text(
        "import os, sys, time\n"
        "first, count = (int(sys.argv[sys.argv.index(name) + 1]) for name in ('--first', '--count'))\n"
        "for number in range(first, first + count):\n"
        "    print(number, 'begun', flush=True)\n"
        "    os.abort() if number == 1 else time.sleep(60) if number == 3 else None\n"
        "    print(number, 'refused', flush=True)\n"
    )
    monkeypatch.setattr(fuzz, "__file__", str(worker))
    monkeypatch.setattr(fuzz, "PATIENCE", 1)
    outcomes = list(fuzz.mutations("a.tif", 0, 0, 5, tmp_path))
    assert [number for number, _ in outcomes] == [0, 1, 2, 3, 4]
    assert [said for number, said in outcomes if number in {0, 2, 4}] == ["refused"] * 3
    assert outcomes[1][1] == "crashed or hung: ended by signal 6"
    assert outcomes[3][1] == "crashed or hung: ended by signal 9"
