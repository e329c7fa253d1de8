"""Training pairs made on the fly, a second on one core: ``python tests/bench/bench_pairs.py [SECONDS]``.

Each line is a stream as training takes it: crops of 128x128 from a bank of scenes renewed as it goes, with fresh
intensities and noise, normalised and stacked in batches of 16. The bank's first scenes are not counted. Returns 1 if a
family makes fewer than 400 pairs a second.
"""

import sys
import time

import torch

from temclean.training.data import DataOptions
from temclean.training.stream import Pairs

BAR = 400
STREAMS = {
    **{family: DataOptions({family: 1.0}, first=24, renewal=0.1) for family in ("g", "sp", "gsp", "bbg")},
    **{
        f"{family} {what}": DataOptions({family: 1.0}, {what: 1.0}, pixel_sizes=(0.025, 0.9), first=24, renewal=0.05)
        for family in ("tem", "stem", "sem")
        for what in ("hr", "lr")
    },
}


def main(seconds: float) -> int:
    torch.set_num_threads(1)
    slowest = float("inf")
    for name, options in STREAMS.items():
        pairs = Pairs(options, seed=1)
        for number in pairs.bank:
            pairs.scene(number)
        made, began, spent = 0, time.perf_counter(), time.process_time()
        while time.perf_counter() < began + seconds:
            made += len(pairs.batch()[0])
        rate = made / (time.process_time() - spent)
        slowest = min(slowest, rate)
        print(f"{name:8} {rate:6.0f} pairs a CPU second", flush=True)
    print(f"bar {BAR}")
    return int(slowest < BAR)


if __name__ == "__main__":
    sys.exit(main(float(sys.argv[1]) if len(sys.argv) > 1 else 5.0))
