"""Train temclean's networks on simulated images and export them to ONNX (needs the ``train`` extra)."""
