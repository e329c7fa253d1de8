#!/bin/sh
# The first g, sp, gsp and bbg: one network learns three families, then one family each from there.
# About two hours on two shared cores; every step is repeatable from its seed, and --resume goes on after a stop.
set -eu
checkpoints=training/checkpoints
temclean train base --steps 8000 --resume
for name in gsp g sp bbg; do
    temclean train "$name" --steps 5000 --rate 6e-4 --start "$checkpoints/base.pt" --resume
    python -m temclean.training.export "$checkpoints/$name.pt" "$name"
done
