"""How often ``--model auto`` is right: simulated images of all kinds, and the table of what is chosen for what.

python tests/bench/bench_choice.py [--count 600] [--size 192] [--first 0]
"""

import argparse
import collections
import math
import time
from collections.abc import Iterator

import numpy as np

from temclean import noise, specimen
from temclean.restoration.choice import About, choose

ALL = ("general", "g", "sp", "gsp", "bbg", "hrtem", "lrtem", "hrstem", "lrstem", "hrsem", "lrsem")
"""Every model that there is; ``general`` is right wherever ``g`` is, which knows even grain alone."""

SIMPLE = ("g", "sp", "gsp")
MICROSCOPES = ("tem", "stem", "sem")
TRUTHS = (*SIMPLE, *(f"{scale}{kind}" for kind in MICROSCOPES for scale in ("hr", "lr")))


def drawn(truth: str, number: int, size: int) -> tuple[np.ndarray, About]:
    """Draw an image for which one model is right, and what its file says."""
    rng = np.random.default_rng([16, TRUTHS.index(truth), number])
    angstroms = math.exp(rng.uniform(math.log(0.04), math.log(0.5)))
    if truth in SIMPLE:
        kind = str(rng.choice(["hr", "lr", "scene", "graphene", "coherent", "phase"]))
        clean = specimen.scale(specimen.draw(kind, size, angstroms, number).image)
        return noise.apply(clean, noise.FAMILIES[truth](rng.uniform(0.05, 0.36)), number), About()
    scale, microscope = truth[:2], truth[2:]
    clean = specimen.draw(scale, size, angstroms, number).image
    shown = angstroms if scale == "hr" else math.exp(rng.uniform(math.log(3.1), math.log(100.0)))
    noisy = noise.apply(clean, noise.FAMILIES[microscope](pixel_size=shown), number)
    return noisy, About(microscope.upper(), shown)  # type: ignore[arg-type]


def right_for(truth: str) -> set[str]:
    """Return the models that are right for an image."""
    return {truth, "general"} if truth == "g" else {truth}


def images(count: int, size: int, first: int = 0) -> Iterator[tuple[str, np.ndarray, About]]:
    """Yield images for each model in turn."""
    for number in range(first, first + count):
        truth = TRUTHS[number % len(TRUTHS)]
        yield truth, *drawn(truth, number // len(TRUTHS), size)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--count", type=int, default=600)
    parser.add_argument("--size", type=int, default=192)
    parser.add_argument("--first", type=int, default=0, help="number of the first image")
    options = parser.parse_args()
    table: dict[str, collections.Counter[str]] = collections.defaultdict(collections.Counter)
    seconds = 0.0
    for truth, image, about in images(options.count, options.size, options.first):
        began = time.process_time()
        choice = choose(image, about, ALL)
        seconds += time.process_time() - began
        table[truth][choice.name] += 1
        if choice.name not in right_for(truth):
            print(f"{truth} -> {choice.name}: {choice.reason}")
    print(f"{'is':8}" + "".join(f"{name:>9}" for name in ALL))
    for truth, row in table.items():
        print(f"{truth:8}" + "".join(f"{row[name] or '.':>9}" for name in ALL))
    right = sum(row[name] for truth, row in table.items() for name in right_for(truth))
    share, each = 100 * right / options.count, 1e3 * seconds / options.count
    print(f"right: {right} of {options.count} ({share:.1f}%), {each:.0f} ms each")


if __name__ == "__main__":
    main()
