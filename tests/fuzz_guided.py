"""Damage files where it reaches new code: libFuzzer watches which lines of the readers each change gets to (atheris).

``python tests/fuzz_guided.py [--minutes M] [--only NAME]``, or ``make fuzz``: the files of ``damaged_files.py`` and a
model take turns. What got somewhere new is kept in ``~/.cache/temclean/fuzz``, where the next run goes on; what
crashed, hung or took too much memory lies there as ``NAME-crash-...``, and ``--again FILE`` opens it once more.
"""

import argparse
import contextlib
import subprocess
import sys
import tempfile
from importlib.util import find_spec
from pathlib import Path

KEPT = Path.home() / ".cache" / "temclean" / "fuzz"
MODEL = Path(__file__).parent / "data" / "network.onnx"
SECONDS = 20
"""For one file, in instrumented code."""

MEMORY = 2048
"""MB that the whole process may take."""


def names() -> list[str]:
    from damaged_files import MADE

    return [*MADE, MODEL.name]


def work(name: str, arguments: list[str]) -> None:
    """Hand libFuzzer one way to open files, and let it run."""
    import atheris

    with atheris.instrument_imports(include=["temclean", "tifffile", "mrcfile"]):
        import tifffile  # noqa: F401
        from damaged_files import MADE, open_fully

        from temclean import io
        from temclean.errors import ModelError
        from temclean.restoration import models

    shared = Path("/dev/shm")  # results are synced to the disk, which takes a thousand times as long
    with tempfile.TemporaryDirectory(dir=shared if shared.is_dir() else None) as folder:
        path = Path(folder) / name
        seeds = Path(arguments[-1])
        if name == MODEL.name:
            (seeds / "seed").write_bytes(MODEL.read_bytes())
        else:
            MADE[name](path)
            (seeds / "seed").write_bytes(path.read_bytes())

        def one(data: bytes) -> None:
            path.write_bytes(data)
            if name == MODEL.name:
                with contextlib.suppress(ModelError):
                    models.load(path)
            else:
                open_fully(path)
                io.provenance(path)

        atheris.Setup([sys.argv[0], *arguments], one)
        atheris.Fuzz()


def fuzz(name: str, seconds: int) -> bool:
    """Fuzz one kind of file in a process of its own; return whether all was well."""
    kept = KEPT / name
    kept.mkdir(parents=True, exist_ok=True)
    options = [f"-timeout={SECONDS}", f"-rss_limit_mb={MEMORY}", "-max_len=65536", "-verbosity=1", "-print_pcs=0"]
    command = [sys.executable, __file__, "--work", name, *options, f"-max_total_time={seconds}"]
    command += [f"-artifact_prefix={KEPT / name}-", str(kept)]
    done = subprocess.run(command, capture_output=True, text=True, errors="replace", check=False)
    lines = done.stderr.splitlines()
    last = next((line for line in reversed(lines) if "cov:" in line), "")
    print(f"{name:16} {last.strip() or 'no news'}", flush=True)
    if done.returncode:
        at = next((at for at, line in enumerate(lines) if "Uncaught" in line or "ERROR:" in line), -30)
        print("\n".join(f"    {line}" for line in lines[at:][:30]))
    return done.returncode == 0


def main() -> int:
    if sys.argv[1:2] == ["--work"]:
        work(sys.argv[2], sys.argv[3:])
        return 0
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0, help="in all")
    parser.add_argument("--only", metavar="NAME", help="one file of tests/damaged_files.py, or network.onnx")
    parser.add_argument("--again", metavar="FILE", type=Path, help="open one file that was kept")
    given = parser.parse_args()
    if given.again:
        from damaged_files import open_fully

        named = Path(tempfile.mkdtemp()) / given.again.name.partition("-")[0]
        named.write_bytes(given.again.read_bytes())
        print(open_fully(named))
        return 0
    if find_spec("atheris") is None:
        print("atheris is not here: pip install atheris (Linux; Python 3.11 to 3.13)")
        return 0
    chosen = [given.only] if given.only else names()
    well = [fuzz(name, max(1, int(60 * given.minutes / len(chosen)))) for name in chosen]
    print(
        f"{len(chosen)} kinds of files, {given.minutes:g} minutes: {well.count(False)} crashed, hung or took too much"
    )
    return 0 if all(well) else 1


if __name__ == "__main__":
    sys.exit(main())
