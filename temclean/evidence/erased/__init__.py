"""What a network took away that noise cannot be, and puts back.

``texture`` is fine structure without any order, by the variance of the residual; ``waves`` what repeats, by its
spectrum; ``recorded`` what both need to know of the noise.
"""
