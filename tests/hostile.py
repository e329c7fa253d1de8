"""Make every crafted file, give each to the command line, and say which did not end soon, small and in one clear line.

``python tests/hostile.py [FOLDER]``. Each command runs in a process of its own, forked off one that has everything
imported, so that its time and its memory are those of the file. A module of crafted files joins by a row of `MODULES`.
"""

import gzip
import json
import os
import resource
import struct
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

import hostile_models
import numpy as np

SECONDS, MEGABYTES = 5.0, 500
"""Which each may take: seconds of the processor, where the :func:`yardstick` takes `USUAL` of them; in proportion more
where it takes more, on a slower processor or one that others use too."""

USUAL = 0.15

PATIENCE = 120.0
"""Seconds of the clock after which one is ended, so many that a busy machine does not end it."""

EVERYWHERE = """
h5py html tifffile temclean.cli.denoise temclean.cli.models temclean.cli.simulate temclean.cli.raw_frames
temclean.commands.account temclean.commands.batch temclean.commands.inspection temclean.commands.manifest
temclean.commands.progress temclean.commands.simulate temclean.commands.tables temclean.commands.evidence.files
temclean.commands.live.raw temclean.commands.views.preview temclean.commands.views.report temclean.commands.views.seen
temclean.io.hdf5.reader temclean.io.tiff.own_tag temclean.io.tiff.reader temclean.metrics temclean.weights onnxruntime
PIL.BmpImagePlugin PIL.GifImagePlugin PIL.JpegImagePlugin PIL.PngImagePlugin PIL.PpmImagePlugin
"""
"""What every command imports, or nearly: that is no part of what a file costs."""

MODULES = ["hostile_files", "hostile_tiff"]
"""Each has FILES, of a file's name the function that writes it to a path, and what is said of it, if anything is."""


@dataclass(frozen=True)
class Case:
    """A command line, and how it should end: its exit code, and what its one line holds; None where it succeeds."""

    name: str
    arguments: list[str]
    code: int
    said: str | None


@dataclass(frozen=True)
class Outcome:
    """How it ended. ``wrong`` says in what it is not as it should be."""

    name: str
    seconds: float
    megabytes: int
    code: int
    lines: list[str]
    wrong: str


def yardstick() -> float:
    """Return the seconds of the processor that some counting in Python and the unpacking of 60 MB take."""
    began = time.process_time()
    packed = gzip.compress(bytes(1 << 20), 1)
    for number in range(60):
        gzip.decompress(packed)
        sum(1 for each in range(30_000) if each % 7 == number % 7)
    return time.process_time() - began


def npy_claim(path: Path) -> None:
    header = b"{'descr': '<f8', 'fortran_order': False, 'shape': (1000000, 100000, 100000), }"
    path.write_bytes(b"\x93NUMPY\x01\0" + struct.pack("<H", len(header) + 1) + header + b"\n")


def npy_nested(path: Path) -> None:
    header = b"{'descr': " + b"(" * 60_000 + b"\n"
    path.write_bytes(b"\x93NUMPY\x01\0" + struct.pack("<H", len(header)) + header)


def mrc_claim(path: Path) -> None:
    head = bytearray(1024)
    struct.pack_into("<4i", head, 0, 2**31 - 1, 2**31 - 1, 2**31 - 1, 2)
    struct.pack_into("<3i", head, 64, 1, 2, 3)
    head[208:212] = b"MAP "
    path.write_bytes(head)


def ser_claim(path: Path) -> None:
    path.write_bytes(struct.pack("<HHHIIIIIII", 0x4949, 0x0197, 0x0220, 0x4122, 0x4152, 2**31, 2**31, 38, 1, 0))


OWN: dict[str, tuple[Callable[[Path], object], str | None]] = {
    "claim.npy": (npy_claim, "copy it again"),
    "nested.npy": (npy_nested, "copy it again"),
    "claim.mrc": (mrc_claim, "copy it again"),
    "claim_1.ser": (ser_claim, "copy it again"),
    "zeros.tif": (lambda path: path.write_bytes(bytes(1 << 20)), "is not the TIFF file that its name says"),
    "pipe.tif": (os.mkfifo, "is a pipe or a device"),
}


def crafted() -> dict[str, tuple[Callable[[Path], object], str | None]]:
    """Return the crafted files of all modules that are there."""
    files = dict(OWN)
    for name in MODULES:
        if find_spec(name):
            files.update(import_module(name).FILES)
    return files


def cases(folder: Path) -> Iterator[Case]:
    """Write the files, and yield what is asked of each."""
    sample, plain = folder / "sample.npy", folder / "plain.onnx"
    np.save(sample, np.arange(600, dtype=np.uint16).reshape(20, 30))
    plain.write_bytes(hostile_models.plain())
    device = ["--device", "cpu", "--threads", "1"]
    for name, (make, said) in crafted().items():
        make(folder / name)
        asked = ["denoise", str(folder / name), "-m", str(plain), "-o", str(folder / "out"), *device]
        yield Case(name, asked, 0 if said is None or said.startswith("warning") else 1, said)
    for name, (build, said) in hostile_models.MODELS.items():
        path = folder / f"{name}.onnx"
        path.write_bytes(build())
        yield Case(path.name, ["denoise", str(sample), "-m", str(path), *device], 2, said)
    for name in ("infinity", "digits", "deep", "nul", "loop"):
        yield Case(f"models {name}", ["models", str(folder / f"{name}.onnx")], 2, hostile_models.MODELS[name][1])
    path = folder / "no_number.onnx"
    path.write_bytes(hostile_models.no_number())
    yield Case(path.name, ["denoise", str(sample), "-m", str(path), *device], 1, "not finite")
    yield Case("a device", ["denoise", "/dev/zero", "-m", str(plain), *device], 1, "is a pipe or a device")
    (folder / "loop").mkdir()
    for name in ("one", "two"):
        (folder / "loop" / name).symlink_to(folder / "loop")
    yield Case("links in circles", ["denoise", f"{folder}/loop/**", "-m", str(plain), *device], 1, "matches no image")
    manifest = folder / "manifest.json"
    manifest.write_text('{"format": ' + "[" * 200_000)
    yield Case("manifest.json", ["simulate", "--from", str(manifest)], 1, "is no manifest")
    (folder / "new\nline\x1b[2J.npy").write_bytes(sample.read_bytes())
    named = ["denoise", str(folder / "new\nline\x1b[2J.npy"), "-m", str(plain), "-o", str(folder / "out"), *device]
    yield Case("a name of many lines", named, 0, None)


def run(case: Case, folder: Path) -> Outcome:
    """Run a command in a process forked off this one, and look how it ends."""
    from temclean import cli

    noted = folder / "said.txt"
    process = os.fork()
    if process == 0:
        written = os.open(noted, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND)
        for stream in (1, 2):
            os.dup2(written, stream)
        try:
            cli.main(case.arguments)
        except SystemExit as done:
            sys.stdout.flush()
            os._exit(int(done.code or 0))
        os._exit(99)
    status, usage = _ended(process)
    code = os.waitstatus_to_exitcode(status)
    lines = noted.read_bytes().decode(errors="backslashreplace").splitlines()
    messages = [line for line in lines if " -> " not in line and not line.endswith(" on cpu")]
    seconds, megabytes = usage.ru_utime + usage.ru_stime, usage.ru_maxrss // 1024
    wrong = []
    if seconds > SECONDS and seconds > SECONDS * yardstick() / USUAL:
        wrong.append("too slow")
    if megabytes > MEGABYTES:
        wrong.append("too much memory")
    if code != case.code:
        wrong.append(f"exit code {code}, not {case.code}")
    if len(messages) != (case.said is not None):
        wrong.append(f"{len(messages)} lines")
    if case.said and not any(case.said in line for line in messages):
        wrong.append(f"it does not say {case.said!r}")
    if not all(line.isprintable() for line in lines):
        wrong.append("a line holds control codes")
    return Outcome(case.name, round(seconds, 2), megabytes, code, lines, ", ".join(wrong))


def _ended(process: int) -> tuple[int, resource.struct_rusage]:
    """Wait for a process, and end it when it takes far too long; return its status and what it took."""
    began = time.monotonic()
    while True:
        ended, status, usage = os.wait4(process, os.WNOHANG)
        if ended:
            return status, usage
        if time.monotonic() - began > PATIENCE:
            os.kill(process, 9)
        time.sleep(0.01)


def main() -> int:
    for name in EVERYWHERE.split():
        import_module(name)
    as_json = "--json" in sys.argv
    given = [word for word in sys.argv[1:] if word != "--json"]
    failed = 0
    with tempfile.TemporaryDirectory() as made:
        folder = Path(given[0] if given else made)
        folder.mkdir(parents=True, exist_ok=True)
        for case in cases(folder):
            outcome = run(case, folder)
            failed += bool(outcome.wrong)
            if as_json:
                print(json.dumps(asdict(outcome)), flush=True)
            else:
                print(f"{outcome.seconds:6.2f} s {outcome.megabytes:5d} MB  {case.name}: {outcome.wrong or 'well'}")
                for line in outcome.lines if outcome.wrong else []:
                    print(f"        {line[:200]!a}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
