"""Inference beside r_em (Lobato 2024; PyPI's tk_r_em), in turns on one machine.

    python tests/bench/bench_r_em.py [PYTHON] [MODEL] [--size PX]

Without PYTHON it says so and does nothing. PYTHON is that of an environment with ``tk_r_em``, ``tensorflow-cpu`` and
``tf_keras``, which wants other packages than temclean does. Each program loads its network once and then restores the
same image again and again, by turns, on the threads that it likes. CPU seconds are sound on a machine that does other
work too. Returns 1 if r_em takes less than ten times as many.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from temclean.evidence import samples
from temclean.restoration import models, pipeline

BAR = 10
ROUNDS = 4
PEER = """
import sys, time
import numpy as np
from tk_r_em import load_network
network = load_network("sfr_hrstem")
image = np.load(sys.argv[1])[None, :, :, None].astype(np.float32)
network.predict(image, batch_size=1)
print("ready", flush=True)
for _ in sys.stdin:
    wall, cpu = time.perf_counter(), time.process_time()
    network.predict(image, batch_size=1)
    print(time.perf_counter() - wall, time.process_time() - cpu, flush=True)
"""


def start_peer(python: str, image: np.ndarray, path: Path) -> subprocess.Popen[str]:
    """Start r_em on an image and wait until its network is loaded."""
    np.save(path, image)
    environment = {**os.environ, "TF_USE_LEGACY_KERAS": "1", "TF_CPP_MIN_LOG_LEVEL": "3"}
    command = [python, "-c", PEER, str(path)]
    peer = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment)
    while peer.stdout is not None and peer.stdout.readline().strip() != "ready":
        if peer.poll() is not None:
            raise SystemExit("r_em did not start; see above")
    return peer


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("python", nargs="?")
    parser.add_argument("model", nargs="?", default="general")
    parser.add_argument("--size", type=int, default=512)
    options = parser.parse_args()
    if options.python is None:
        print("r_em not measured: give the Python of an environment with tk_r_em, tensorflow-cpu and tf_keras")
        return 0
    image = np.random.default_rng(0).poisson(50.0, (options.size, options.size)).astype(np.float32)
    model = models.load(options.model)
    pipeline.denoise(image, model)
    ours, theirs = [], []
    with TemporaryDirectory() as folder, start_peer(options.python, image, Path(folder, "image.npy")) as peer:
        assert peer.stdin is not None
        assert peer.stdout is not None
        for _ in range(ROUNDS):
            samples.forget()
            wall, cpu = time.perf_counter(), time.process_time()
            pipeline.denoise(image, model)
            ours.append((time.perf_counter() - wall, time.process_time() - cpu))
            peer.stdin.write("again\n")
            peer.stdin.flush()
            while len(values := peer.stdout.readline().split()) != 2:
                if peer.poll() is not None:
                    raise SystemExit("r_em stopped; see above")
            theirs.append((float(values[0]), float(values[1])))
        peer.stdin.close()
    (wall, cpu), (peer_wall, peer_cpu) = np.median(ours, axis=0), np.median(theirs, axis=0)
    print(f"{options.size}x{options.size}: {options.model} {wall:.3f} s ({cpu:.3f} s CPU), "
          f"r_em sfr_hrstem {peer_wall:.2f} s ({peer_cpu:.2f} s CPU)")  # fmt: skip
    print(f"ratio {peer_wall / wall:.0f} (CPU {peer_cpu / cpu:.0f}), bar {BAR}")
    return int(peer_cpu < BAR * cpu)


if __name__ == "__main__":
    sys.exit(main())
