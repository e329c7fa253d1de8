"""The models that ship with temclean, one ONNX file each; all that is known about a model lies inside its file."""
