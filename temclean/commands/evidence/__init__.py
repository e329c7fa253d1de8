"""What is written beside a result to judge it by: what was taken away, and what the raw image says of each spot.

``files`` writes what was asked for of each finished result, ``residual`` and ``spots`` make it; all go through a stack
frame by frame.
"""
