#!/bin/sh
# The four networks of Chae et al. (2025) as training/baseline has them; --resume goes on after a stop. Without --updates
# each has the paper's 150 epochs, 168900 updates: about six hours on one quiet core at this width.
set -eu
for family in g sp gsp bbg; do
    python -m temclean.training.chae "$family" --width 16 --updates "${1:-3000}" --threads 1 --resume
done
