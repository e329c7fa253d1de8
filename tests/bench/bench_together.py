"""Measure what `denoise --frames 3` gains on simulated movies of atoms, and whether what changes leaves a ghost.

    python tests/bench/bench_together.py [MODEL ...] [--seeds N] [--dose E ...] [--frames N]

For each kind of movie and dose (electrons a pixel at intensity 1) the PSNR of frames denoised one by one, taken
together with their neighbours, and of plain means of three frames, which is what there would be without registering and
comparing. The ghost is what stands, in the frames beside a hop, where the atom was or will be, over the atom's own
height and beyond what the model leaves there of one frame; with its standard error.
"""

import argparse

import numpy as np

from temclean.restoration import models, pipeline
from temclean.restoration.together import Together
from temclean.specimen import movies


def psnr(image, truth):
    return -10 * np.log10(np.mean((image - truth) ** 2))


def under(frame, place):
    """Return the mean of a frame around a place, weighted as an atom."""
    y, x = np.mgrid[: frame.shape[0], : frame.shape[1]]
    weight = np.exp(-((y - place[0]) ** 2 + (x - place[1]) ** 2) / (2 * 1.5**2))
    return (weight * frame).sum() / weight.sum()


def places(movie, margin=8):
    """Yield frame, the other frame, and the place in both, of what is in the other and not in the frame."""
    size = movie.frames.shape[1]
    for hop in movie.hops[:8]:
        for index, place, other in ((hop.frame, hop.left, hop.frame - 1), (hop.frame - 1, hop.reached, hop.frame)):
            if place is None or not 0 < index < len(movie.frames) - 1:
                continue
            here, there = (np.add(place, movie.drift[each] - movie.drift[hop.frame]) for each in (index, other))
            height = under(movie.frames[other], there) - under(movie.frames[index], here)
            if here.min() >= margin and here.max() < size - margin and height > 0.05:
                yield index, here, height


def measure(session, kind, dose, seeds, count):
    gains, ghosts, heights = [], [], []
    for seed in range(seeds):
        movie = movies.draw(kind, frames=12, size=96, seed=seed)
        noisy = np.random.default_rng(seed).poisson(movie.frames.clip(0) * dose).astype(np.float32)
        scale, of_means = (pipeline.scaling(noisy, session.model, joined=joined) for joined in (False, True))
        mean = np.stack([noisy[max(0, index - 1) : index + 2].mean(axis=0) for index in range(12)])
        sources = ((noisy, scale), (Together(noisy, count), of_means), (mean, of_means))
        wanted = {4, 5} | {index for index, _, _ in places(movie)}
        results = [
            {
                index: next(pipeline.denoise_frames(source, session, scaling=its, which=[index])) / dose
                for index in wanted
            }
            for source, its in sources
        ]
        gains += [[psnr(result[index], movie.frames[index]) for result in results] for index in (4, 5)]
        for index, place, height in places(movie):
            more = results[1][index] - results[0][index]
            ghosts.append(under(more, place) - np.median(more))  # not what both differ by everywhere
            heights.append(height)
    one, joined, mean = np.mean(gains, axis=0)
    line = f"{session.model.name:8} {kind:9} {dose:4g} e/px "
    line += f" one by one {one:.2f} dB, together {joined:.2f}, mean {mean:.2f}"
    if heights:
        ghosts, heights = np.array(ghosts), np.array(heights)
        error = np.std(ghosts / heights) / np.sqrt(len(heights))
        line += f"; ghost {(ghosts * heights).sum() / (heights**2).sum():+.3f} ({error:.3f}, {len(heights)} places)"
    print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["general", "g"])
    parser.add_argument("--seeds", type=int, default=4)
    parser.add_argument("--dose", type=float, nargs="+", default=[2, 5, 20])
    parser.add_argument("--frames", type=int, default=3)
    options = parser.parse_args()
    for name in options.models:
        session = models.open_session(models.load(name), "cpu")
        for kind in movies.KINDS:
            for dose in options.dose:
                measure(session, kind, dose, options.seeds, options.frames)


if __name__ == "__main__":
    main()
