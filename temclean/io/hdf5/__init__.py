"""Velox's and NCEM's ``.emd`` and HyperSpy's ``.hspy``.

``reader`` opens a file and picks the image; ``velox``, ``ncem`` and ``hyperspy`` find the images of their programs and
describe each as a ``signals.Signal``; ``texts`` looks for damage that libhdf5 would not survive, before it is asked.
"""
