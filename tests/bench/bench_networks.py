"""Compare networks that are trained alike, from nothing: ``python tests/bench/bench_networks.py [NAME ...]``.

Each candidate (``--list`` shows them) learns for the same time (``--minutes``) on what ``general`` is trained on, from
the same stream, its rate falling to zero as the time goes by. The time is that of the training thread on its core: what
a clock would show on a quiet machine, and fair to all on a busy one; drawing pairs is not in it. A row of the table:

- parameters in millions, GFLOP for 512 x 512 pixels, milliseconds for these in ONNX Runtime on two threads (the best of
  five), of what is exported;
- updates made;
- PSNR in dB and MS-SSIM of held-out pairs, after a fit: ``--count`` from each microscope and detail;
- the same of the check set's middles in four noises, where there is one (see checkset.py);
- grid: how far the spectrum of a smooth image's result stands out at (N/2, N/2), where rows and columns alternate; 1 to
  2 where there is no grid.

With ``--folder`` each checkpoint is kept there, under the candidate's name, for ``python -m temclean.training.export``.
"""

import argparse
import json
import math
import os
import time
from dataclasses import asdict, replace
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")

import numpy as np
import onnx
import onnxruntime
import torch
from bench_checkset import QUICK, middle, score
from checkset import FOLDER, pair, scenes
from scipy import ndimage
from torch.utils.flop_counter import FlopCounterMode

from temclean import noise
from temclean.specimen import Specimen
from temclean.training import evaluate, loop, networks, onnx_graph, single_shot
from temclean.training.recipes import RECIPES, Recipe
from temclean.training.stream import Feed

SIDE = 512
WIDTHS = networks.WIDTHS


def house(widths: tuple[int, ...] = WIDTHS, more: tuple[int, ...] = (), **shape: object) -> Recipe:
    return replace(RECIPES["general"], widths=widths, more=more, shape=shape)


def dense(**shape: int) -> Recipe:
    return replace(RECIPES["general"], network="cgrdn", shape=shape, rate=6e-4)


CANDIDATES = {
    "plain": house(),
    "two-blocks": house(more=(1,), deeper=(1,)),
    "three-blocks": house(more=(1, 1), deeper=(1, 1)),
    "dilated": house(more=(1, 2, 4)),
    "far": house(more=(1, 2, 4, 8), deeper=(1, 2)),
    "wide-2": house((64, *WIDTHS[1:])),
    "wide-4": house((128, *WIDTHS[1:])),
    "general": RECIPES["general"],
    "dense": dense(width=32, growth=16, groups=3, blocks=3, layers=5),
    "no-biases": house(more=(1, 2, 4), biases=False),
    "branches": house(more=(1, 2, 4), branches=True),
    "full-head": house(more=(1, 2, 4), full=8),
}
"""``plain`` is the network that the older models have (`g` and so on), ``general`` that of the model of its name."""

FIRST: dict[int, Specimen] = {}
"""The scenes that every candidate begins with."""


def train(recipe: Recipe, minutes: float, threads: int, out: Path) -> loop.Run:
    """Train for so many minutes of this thread."""
    torch.manual_seed(1)
    torch.set_num_threads(threads)
    network = networks.build(asdict(recipe)).to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(network.parameters(), lr=recipe.rate, weight_decay=recipe.weight_decay, fused=True)
    run = loop.Run(network, optimizer, out, average=recipe.average, clip=0.5)
    feed = Feed(recipe.data, 1)
    (pairs,) = feed.streams
    pairs.drawn.update(FIRST)
    FIRST.update({number: pairs.scene(number) for number in pairs.bank})
    began = time.thread_time()
    for noisy, clean, rare in feed:
        gone = (time.thread_time() - began) / (60.0 * minutes)
        if gone >= 1.0:
            break
        warm = min(1.0, (run.step + 1) / recipe.warm_up)
        run.set_rate(recipe.rate * warm * 0.5 * (1.0 + math.cos(math.pi * gone)))
        with loop.mixed("cpu"):
            restored = network(noisy.contiguous(memory_format=torch.channels_last))
        run.update(single_shot.objective(recipe, restored.float(), clean, rare))
    return run


def exported(weights: loop.Weights, recipe: Recipe) -> tuple[networks.Network, onnx.ModelProto]:
    """Return what averaged weights are exported as."""
    network = networks.build(asdict(recipe))
    network.load_state_dict(weights)
    plain = networks.folded(network).eval()
    model = onnx_graph.to_onnx(plain)
    onnx_graph.verify(plain, onnx_graph.Runner(model))
    return plain, model


def work(network: networks.Network) -> float:
    """Return GFLOP for an image of SIDE x SIDE pixels, a multiplication and its addition being two."""
    with torch.no_grad(), FlopCounterMode(display=False) as counter:
        network(torch.zeros(1, 1, SIDE, SIDE))
    return counter.get_total_flops() / 1e9


def milliseconds(model: onnx.ModelProto) -> float:
    """Return the best of five runs on such an image, with two threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 2
    session = onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    image = np.random.default_rng(1).random((1, 1, SIDE, SIDE), dtype=np.float32)
    spent = []
    for _ in range(6):
        began = time.perf_counter()
        session.run(None, {"image": image})
        spent.append(time.perf_counter() - began)
    return 1e3 * min(spent[1:])


def grid(restore: onnx_graph.Runner) -> float:
    """Return the spectrum (Hann) of a smooth image's result at (N/2, N/2), over its median 4 to 16 pixels around."""
    smooth = ndimage.gaussian_filter(np.random.default_rng(4).random((256, 256)), 6)
    smooth = (smooth - smooth.min()) / np.ptp(smooth)
    result = restore(noise.apply((0.1 + 0.7 * smooth).astype(np.float32), noise.Gaussian(0.2), 5))
    window = np.hanning(256)
    spectrum = np.abs(np.fft.fft2((result - result.mean()) * window[:, None] * window))
    around = np.roll(spectrum, (144, 144), (0, 1))[:33, :33]  # (128, 128) comes to (16, 16)
    rest = np.ones((33, 33), bool)
    rest[13:20, 13:20] = False
    return float(around[15:18, 15:18].max() / np.median(around[rest]))


def held_out(restore: onnx_graph.Runner, count: int) -> tuple[float, float]:
    """Return PSNR and MS-SSIM of validation pairs of all six models, on the mean."""
    rows = [evaluate.microscope_scores(restore, name, count) for name in evaluate.MICROSCOPES]
    return tuple(float(np.mean([row[f"{key}_restored"] for row in rows])) for key in ("psnr", "ms_ssim"))


def checked(restore: onnx_graph.Runner, folder: Path) -> tuple[float, float]:
    """Return the same of the check set; not numbers where there is none."""
    found = []
    for scene in map(middle, scenes(folder)):
        for name in QUICK:
            clean, noisy = pair(scene, name)
            scores = score(scene, None, clean, restore(noisy))
            found.append((scores["psnr"], scores["msssim"]))
    return tuple(np.mean(found, axis=0)) if found else (math.nan, math.nan)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", default=list(CANDIDATES), metavar="NAME", help="candidates [all]")
    parser.add_argument("--list", action="store_true", help="name the candidates and what they cost")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--count", type=int, default=8, help="held-out pairs of each microscope and detail")
    parser.add_argument("--checkset", type=Path, default=FOLDER)
    parser.add_argument("--folder", type=Path, help="keep checkpoints there")
    options = parser.parse_args()
    if unknown := set(options.names) - set(CANDIDATES):
        parser.error(f"no candidate is called {', '.join(sorted(unknown))}: {', '.join(CANDIDATES)}")
    if options.list:
        for name in options.names:
            network = networks.folded(networks.build(asdict(CANDIDATES[name])))
            size = sum(weight.numel() for weight in network.parameters())
            print(f"{name:14}{size / 1e6:8.2f} M{work(network):8.1f} GFLOP{network.reach:6d} px of reach", flush=True)
        return
    print("| network | M | GFLOP | ms | updates | held out: PSNR | MS-SSIM | check set: PSNR | MS-SSIM | grid |")
    print("|" + 10 * "---|", flush=True)
    for name in options.names:
        recipe = CANDIDATES[name]
        run = train(recipe, options.minutes, options.threads, (options.folder or Path()) / f"{name}.pt")
        if options.folder:
            said = {"recipe": json.dumps(asdict(recipe)), "origin": []}
            made = {"command": f"bench_networks.py {name} --minutes {options.minutes:g}", "commit": loop.commit()}
            made |= {"hours": round(run.hours, 3), "images": run.step * recipe.data.batch, **said}
            run.save({**said, "record": made})
        network, model = exported(run.weights, recipe)
        restore = onnx_graph.Runner(model)
        size = sum(weight.numel() for weight in network.parameters())
        cells = [f"{size / 1e6:.2f}", f"{work(network):.1f}", f"{milliseconds(model):.0f}", str(run.step)]
        for psnr, ms_ssim in (held_out(restore, options.count), checked(restore, options.checkset)):
            cells += [f"{psnr:.2f}", f"{ms_ssim:.4f}"]
        print(f"| {name} | " + " | ".join([*cells, f"{grid(restore):.1f}"]) + " |", flush=True)


if __name__ == "__main__":
    main()
