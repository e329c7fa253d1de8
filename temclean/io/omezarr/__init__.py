"""OME-Zarr, a folder of chunks: ``reader`` finds the images in it, with their axes, and ``writer`` writes one.

``container`` is what a result takes over from its source.
"""
