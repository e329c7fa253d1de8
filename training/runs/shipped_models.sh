#!/bin/sh
# Models like the shipped ones, with about the updates that those had, in a straight line. Those took the detours that the
# run log in ../README.md tells, and the recipes changed on the way; their files tell the options of each of
# their runs. A week on two cores; --resume goes on after a stop.
set -eu
checkpoints=training/checkpoints
run() { temclean train single-shot "$@" --threads 2 --resume; }

run fast --steps 200000
run bbg --start $checkpoints/fast.pt --steps 200000 --rate 8e-4
run general --start $checkpoints/fast.pt --steps 100000
run lr --start $checkpoints/general.pt --steps 20000
run g --start $checkpoints/general.pt --steps 7000
run gsp --start $checkpoints/general.pt --steps 7000
run sp --start $checkpoints/gsp.pt --steps 2500
for name in fast bbg general lr g gsp sp; do
    python -m temclean.training.export "$checkpoints/$name.pt" "$name"
done
