"""From files on disk to files on disk, beside the network alone in the same run; memory; and how soon it begins.

    python tests/bench/bench_throughput.py [--model NAME] [--count N] [--threads N] [--many N] [--folder DIR]

N frames of 512x512 of 16 bits, as single TIFF files and as one stack, go through `temclean denoise` with all that it
does by default: checksums, warnings, notes. Every 25 frames the network alone denoises as many that lie in memory, with
the same session, while the clock of the run stands. Then the peak memory of a movie of 2,000 frames beside one of 200,
and of a folder of 100,000 files (hard links, as many as a disk allows) the time to the first result and the memory by
then, with a network that does nothing. Fails below 85% of the network's pace, above 1.1 times the memory of the shorter
movie, and after 10 s and 300 MB. CPU seconds, which stay sound on a machine that does other work too, stand beside.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import tifffile

from temclean import noise, specimen
from temclean.commands import batch, jobs
from temclean.restoration import models, pipeline
from temclean.restoration.surroundings import Surrounded

SIDE, TURN, LINKS = 512, 25, 60_000
IDENTITY = Path(__file__).parents[1] / "data" / "identity.onnx"


def frames(count: int) -> list[np.ndarray]:
    """Return counted electrons on particles, 20 a pixel: a few images, over and over."""
    clean = specimen.draw("bright-field", SIDE, 30.0, 1).image
    made = [(20 * noise.apply(clean, noise.Poisson(20.0), seed)).astype(np.uint16) for seed in range(8)]
    return [made[number % len(made)] for number in range(count)]


def now() -> np.ndarray:
    return np.array([time.perf_counter(), time.process_time()])


@dataclass
class Turns:
    """A run's progress, at which the network alone takes a turn now and then."""

    session: models.Session
    tile: np.ndarray
    done: int = 0
    alone: np.ndarray = field(default_factory=lambda: np.zeros(2))
    ratios: list[float] = field(default_factory=list)
    since: np.ndarray = field(default_factory=now)

    def begin(self, job: jobs.Job, tiles: int) -> None:
        """Start a file."""

    def advance(self, tiles: int) -> None:
        self.done += tiles
        if self.done % TURN == 0:
            run = now() - self.since
            began = now()
            for _ in range(TURN):
                self.session.run(self.tile)
            took = now() - began
            self.alone += took
            self.ratios.append(took[0] / run[0])
            self.since = now()


def pace(what: str, inputs: list[Path], out: Path, session: models.Session, tile: np.ndarray, count: int) -> float:
    """Denoise files and return the pace as a share of the network's."""
    turns = Turns(session, tile)
    began = now()
    results = list(batch.run(jobs.plan(list(map(str, inputs)), session.model.name, out).jobs, session, progress=turns))
    took = now() - began - turns.alone
    failed = [result for result in results if result.status != "done"]
    if failed:
        raise SystemExit(f"{len(failed)} failed: {failed[0].error}")
    share = turns.alone * count / (TURN * len(turns.ratios)) / took
    quartiles = np.percentile(turns.ratios, (25, 50, 75))
    print(
        f"{what:20} {count / took[0]:6.1f} frames/s: {share[0]:.2f} of the network (in {len(turns.ratios)} turns "
        f"{quartiles[0]:.2f} {quartiles[1]:.2f} {quartiles[2]:.2f}); its share of the CPU {share[1]:.2f}",
        flush=True,
    )
    return float(share[0])


def command(*arguments: object) -> list[str]:
    return [sys.executable, "-m", "temclean", "denoise", *map(str, arguments), "--device", "cpu"]


def peak(movie: Path, out: Path) -> int:
    """Return the most memory in bytes that denoising a movie takes, mapped files left out."""
    child = subprocess.Popen(command(movie, "-m", IDENTITY, "-o", out, "-q"), stdout=subprocess.DEVNULL)
    most = 0
    while child.poll() is None:
        most = max(most, memory(child.pid))
        time.sleep(0.02)
    if child.returncode:
        raise SystemExit(f"exit code {child.returncode}")
    return most


def memory(process: int) -> int:
    """Return what a process holds now, in bytes; the pages of files that are mapped can go at any time."""
    try:
        text = Path(f"/proc/{process}/status").read_text()
    except OSError:
        return 0
    return 1024 * sum(int(line.split()[1]) for line in text.splitlines() if line.startswith(("RssAnon", "RssShmem")))


def start(folder: Path, out: Path) -> tuple[float, float, int]:
    """Return the seconds to the first result of a folder, the CPU seconds of them, and the memory by then."""
    began = time.perf_counter()
    child = subprocess.Popen(command(folder, "-m", IDENTITY, "-o", out, "-q", "--json"), stdout=subprocess.PIPE)
    if child.stdout is None or not child.stdout.readline():
        raise SystemExit("no result")
    seconds = time.perf_counter() - began
    used = Path(f"/proc/{child.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    held = memory(child.pid)
    child.kill()
    child.wait()
    return seconds, sum(map(int, used)) / os.sysconf("SC_CLK_TCK"), held


def of_many(place: Path, count: int) -> list[str]:
    """Print how soon a folder of so many files begins, and return what was missed."""
    (place / "many").mkdir()
    for number in range(count):
        path = place / "many" / f"image_{number:06}.tif"
        if number % LINKS == 0:
            tifffile.imwrite(path, np.arange(64 * 64, dtype=np.uint16).reshape(64, 64))
            first = path
        else:
            path.hardlink_to(first)
    seconds, used, held = start(place / "many", place / "out_of_many")
    print(f"{count} files: the first result after {seconds:.1f} s ({used:.1f} of CPU), {held / 1e6:.0f} MB")
    return ["many files begin late, or take much memory"] if seconds > 10 or held > 300e6 else []


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="g")
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--many", type=int, default=100_000)
    parser.add_argument("--folder", type=Path, help="where the files are made, of a few GB")
    options = parser.parse_args()
    missed = []
    with tempfile.TemporaryDirectory(dir=options.folder) as made:
        place = Path(made)
        (place / "in").mkdir()
        if options.count:
            pictures = frames(options.count)
            files = [place / "in" / f"{number:04}.tif" for number in range(options.count)]
            for path, picture in zip(files, pictures, strict=True):
                tifffile.imwrite(path, picture)
            tifffile.imwrite(place / "stack.tif", np.stack(pictures), photometric="minisblack")
            session = models.open_session(models.load(options.model), "cpu", options.threads)
            scale = pipeline.scaling(pictures[0][None], session.model)
            cut = pipeline.plan((SIDE, SIDE), session.model)
            beyond = session.model.beyond
            tile = np.empty((1, 1, *(side + 2 * beyond for side in cut.tile)), np.float32)
            around = Surrounded(pictures[0], beyond, scale.low, scale.high)
            around.tile(cut, 0, scale.low, 1 / (scale.high - scale.low), tile[0, 0])
            for _ in range(3):
                session.run(tile)
            print(f"{options.count} frames of {SIDE}x{SIDE}, {options.model}, {options.threads} threads")
            for what, inputs in (("one by one", files), ("one stack", [place / "stack.tif"])):
                share = pace(what, inputs, place / "out", session, tile, options.count)
                if share < 0.85:
                    missed.append(f"{what}: {share:.2f} of the network's pace, below 0.85")
        peaks = []
        for count in (200, 2000):
            tifffile.imwrite(place / "movie.tif", np.stack(frames(count)), photometric="minisblack")
            peaks.append(peak(place / "movie.tif", place / "of_movie.tif"))
            (place / "of_movie.tif").unlink()
        print(f"a movie of 200 frames takes {peaks[0] / 1e6:.0f} MB, one of 2,000 {peaks[1] / 1e6:.0f} MB")
        if peaks[1] > 1.1 * peaks[0]:
            missed.append("the memory grows with the movie")
        if options.many:
            missed += of_many(place, options.many)
    if missed:
        raise SystemExit("; ".join(missed))


if __name__ == "__main__":
    main()
