"""The plugin for napari: ``reader`` opens files as layers, ``widget`` denoises them by ``work``, in a thread.

napari finds it by ``napari.yaml``; nothing else of temclean imports it.
"""
