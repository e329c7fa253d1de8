#!/bin/sh
# The four networks of Chae et al. (2025), with the updates that those in training/baseline had; give another number to go
# on from the checkpoints, 168900 for the paper's 150 epochs (five to six hours each on one quiet core).
set -eu
for family in g sp gsp bbg; do
    temclean train chae "$family" --width 16 --updates "${1:-12000}" --threads 1 --resume
done
