"""OME-Zarr, a folder of chunks: ``reader`` finds the arrays in it that are images, with their axes."""
