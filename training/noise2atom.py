"""Train Noise2Atom (Wang 2020): ``temclean train noise2atom MOVIE -o my.onnx``, or on simulated movies."""

from pathlib import Path

import click
import torch

from temclean.training import pairing


@click.command(name="noise2atom")
@click.option("--simulated", is_flag=True, help="On simulated movies of platinum on carbon, whose atoms are known.")
@click.option("-o", "--out", type=click.Path(path_type=Path), required=True)
@click.option("--start", default="bbg", show_default=True, help="Model or checkpoint to begin with.")
@click.option("--steps", default=2000, show_default=True, type=click.IntRange(min=1), help="Updates.")
@click.option("--batch", default=8, show_default=True, type=click.IntRange(min=1))
@click.option("--crop", default=128, show_default=True, type=click.IntRange(min=32))
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0))
@click.option("--resume", is_flag=True)
@click.option("--threads", default=2, show_default=True, type=click.IntRange(min=1))
@click.option("--every", default=100, show_default=True, type=click.IntRange(min=1))
def main(
    simulated: bool,
    out: Path,
    start: str,
    steps: int,
    batch: int,
    crop: int,
    seed: int,
    resume: bool,
    threads: int,
    every: int,
) -> None:
    """Train on simulated movies."""
    torch.set_num_threads(threads)
    pairing.train(pairing.Paired(start, steps=steps, batch=batch, crop=crop, seed=seed), out, resume, every)
