#!/bin/sh
# The first g, sp, gsp and bbg with the updates that the shipped ones had, in a straight line (they took the detours that
# the run log in ../README.md tells). About six hours on two cores; --resume goes on after a stop.
set -eu
checkpoints=training/checkpoints
run() { temclean train "$@" --threads 2 --resume; }

run base --batch 8 --steps 13000 --rate 1e-3
run gsp --start $checkpoints/base.pt --batch 8 --steps 90000 --rate 8e-4
run g --start $checkpoints/base.pt --batch 8 --steps 16000 --rate 8e-4
run sp --start $checkpoints/gsp.pt --batch 8 --steps 3250 --rate 8e-4
run bbg --start $checkpoints/g.pt --batch 4 --steps 60000 --rate 8e-4
run bbg-keep --start $checkpoints/g.pt --steps 5500 --rate 6e-4
for name in g sp gsp bbg bbg-keep; do
    python -m temclean.training.export "$checkpoints/$name.pt" "$name"
done
