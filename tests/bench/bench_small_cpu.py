"""Kernels and networks on two threads of a processor without AVX-512, beside this one with all that it has.

    python tests/bench/bench_small_cpu.py [MODEL...] [--rounds N]

onnxruntime and our kernels ask the processor what it can do, and take no other word for it. On Linux, where the
processor lets that question fail (``cpuid_fault`` in /proc/cpuinfo), a small library in C that is loaded first answers
it, and leaves AVX-512 and AMX out. Both kinds of process take turns, and their results must agree. Prints by how much
longer the smaller processor takes; fails above 4 times, where one kind of instruction would not be the reason.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

LIBRARY = r"""
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <cpuid.h>
#include <signal.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#define REGISTERS ((ucontext_t *)context)->uc_mcontext.gregs

static void answer(int number, siginfo_t *info, void *context) {
    const uint8_t *at = (const uint8_t *)REGISTERS[REG_RIP];
    if (at[0] != 0x0f || at[1] != 0xa2) { signal(SIGSEGV, SIG_DFL); return; }
    unsigned leaf = REGISTERS[REG_RAX], part = REGISTERS[REG_RCX], a, b, c, d;
    syscall(SYS_arch_prctl, ARCH_SET_CPUID, 1);
    __cpuid_count(leaf, part, a, b, c, d);
    syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0);
    if (leaf == 7 && part == 0) {
        b &= ~(1u << 16 | 1u << 17 | 1u << 21 | 1u << 26 | 1u << 27 | 1u << 28 | 1u << 30 | 1u << 31);
        c &= ~(1u << 1 | 1u << 6 | 1u << 11 | 1u << 12 | 1u << 14);
        d &= ~(1u << 2 | 1u << 3 | 1u << 8 | 1u << 22 | 1u << 23 | 1u << 24 | 1u << 25);
    } else if (leaf == 7) {
        a = b = c = d = 0;
    }
    REGISTERS[REG_RAX] = a; REGISTERS[REG_RBX] = b; REGISTERS[REG_RCX] = c; REGISTERS[REG_RDX] = d;
    REGISTERS[REG_RIP] += 2;
}

__attribute__((constructor)) static void begin(void) {
    struct sigaction action = {.sa_sigaction = answer, .sa_flags = SA_SIGINFO | SA_NODEFER};
    sigaction(SIGSEGV, &action, 0);
    if (syscall(SYS_arch_prctl, ARCH_SET_CPUID, 0)) _exit(77);
}
"""


def work(models_named: list[str], place: Path) -> None:
    """Print the CPU milliseconds that each thing takes, the best of some, and keep the results."""
    from temclean import metrics, noise
    from temclean.restoration import models, tiling

    draw = np.random.default_rng(0)
    image = draw.random((1024, 1024), dtype=np.float32)
    other = image + draw.normal(0, 0.1, image.shape).astype(np.float32)
    cut = tiling.plan(image.shape, 256, overlap=32)
    runs: dict[str, Callable[[], object]] = {
        "ms_ssim": lambda: metrics.ms_ssim(image, other),
        "counted electrons": lambda: noise.apply(image, noise.Poisson(20.0), 1),
        "tiles": lambda: tiling.blend(tiling.split(image, cut), cut),
    }
    for name in models_named:
        session = models.open_session(models.load(name), "cpu", 2)
        tile = np.pad(image[:512, :512], session.model.beyond)[None, None]
        runs[name] = lambda session=session, tile=tile: session.run(tile)
    took = {}
    for name, run in runs.items():
        np.save(place / f"{name}.npy", np.asarray(run()))
        times = []
        for _ in range(5):
            began = time.process_time()
            run()
            times.append(time.process_time() - began)
        took[name] = 1e3 * min(times)
    print(json.dumps(took))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["lde", "g", "general"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        work(options.models, options.work)
        return
    if not sys.platform.startswith("linux") or "cpuid_fault" not in Path("/proc/cpuinfo").read_text():
        print("this processor cannot pass for a smaller one: no cpuid_fault in /proc/cpuinfo")
        return
    with tempfile.TemporaryDirectory() as made:
        place = Path(made)
        (place / "smaller.c").write_text(LIBRARY)
        library = place / "smaller.so"
        subprocess.run(["cc", "-O2", "-shared", "-fPIC", "-o", library, place / "smaller.c"], check=True)
        took: dict[str, list[dict[str, float]]] = {"all": [], "without AVX-512": []}
        for _ in range(options.rounds):
            for kind, rounds in took.items():
                (place / kind).mkdir(exist_ok=True)
                preload = {} if kind == "all" else {"LD_PRELOAD": str(library)}
                command = [sys.executable, __file__, *options.models, "--work", str(place / kind)]
                done = subprocess.run(
                    command, env={**os.environ, **preload}, stdout=subprocess.PIPE, text=True, check=True
                )
                rounds.append(json.loads(done.stdout))
        slowest = 0.0
        for name in took["all"][0]:
            full, less = (min(each[name] for each in rounds) for rounds in took.values())
            one, two = (np.load(place / kind / f"{name}.npy") for kind in took)
            apart = float(np.abs(one - two).max() / max(float(np.abs(one).max()), 1e-9))
            times = f"{full:7.1f} ms of CPU, {less:7.1f} without AVX-512: {less / full:.2f} times"
            print(f"{name:18} {times}, {apart:.0e} off")
            if apart > 1e-4:
                raise SystemExit(f"{name}: the results differ by {apart:.1e}")
            slowest = max(slowest, less / full)
    if slowest > 4:
        raise SystemExit(f"{slowest:.1f} times as long on a processor without AVX-512")


if __name__ == "__main__":
    main()
