"""What is written beside a result to judge it by: what was taken away, and what the raw image says of each spot.

``files`` writes what was asked for of each finished result; ``residual``, ``spots`` and ``widths`` make it, frame by
frame of a stack.
"""
