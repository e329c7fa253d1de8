#!/bin/sh
# Models like the shipped ones, with the updates that those had, in a straight line. Those took the detours that the run
# log in ../README.md tells, and the recipes changed on the way; their files tell the options of each of
# their runs. Hours on two cores; --resume goes on after a stop.
set -eu
checkpoints=training/checkpoints
run() { temclean train single-shot "$@" --threads 2 --resume; }

run base --batch 8 --steps 13750 --rate 1e-3
run gsp --start $checkpoints/base.pt --steps 211500 --rate 8e-4
run g --start $checkpoints/base.pt --steps 227600 --rate 8e-4
run sp --start $checkpoints/gsp.pt --steps 7250 --rate 8e-4
run bbg --start $checkpoints/g.pt --steps 207450 --rate 8e-4
run bbg-keep --start $checkpoints/g.pt --steps 9000 --rate 7e-4
run general --start $checkpoints/g.pt --steps 30000 --rate 5e-4
for name in g sp gsp bbg bbg-keep general; do
    python -m temclean.training.export "$checkpoints/$name.pt" "$name"
done
