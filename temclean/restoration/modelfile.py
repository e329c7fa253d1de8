"""What an ONNX file says about itself: all that is known about a model lies in its metadata.

An ONNX file is a protocol buffer; only its outline is read here, so neither onnx nor onnxruntime is needed.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from temclean.errors import ModelError

METADATA_KEY = "temclean"
METADATA_FORMAT = 1

# Field numbers of ModelProto and StringStringEntryProto in onnx.proto, and protocol buffers' wire types.
GRAPH, METADATA = 7, 14
KEY, VALUE = 1, 2
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class Normalisation:
    """What becomes 0 and 1 before the network sees an image: these percentiles of the whole image or stack.

    ``room``, in units of their distance, is left below and above them where the noise is not cut off.
    """

    method: str
    low: float
    high: float
    room: float = 0.0


@dataclass(frozen=True)
class Model:
    """All that is known about a model; read from its file.

    Attributes
    ----------
    name, family, summary : str
        Its own name, the noise it was trained on, and what it is for.
    levels : (float, float)
        Least and greatest noise level in training; intensities in [0, 1].
    pixel_sizes : (float, float)
        Least and greatest pixel size in training, in Å.
    normalisation : Normalisation
        How images are brought to the scale of training.
    multiple : int
        Height and width of the input must be multiples of this.
    halo : int
        Pixels next to a cut that are not to be trusted.
    training : dict
        Command, commit, hours, images, parameters.
    data : str
        What it was trained on.
    scores : dict
        What it reached on held-out images.
    licence : str
        Of the weights.
    path : Path
        The ONNX file.
    sha256 : str
        Of that file.
    """

    name: str
    family: str
    summary: str
    levels: tuple[float, float]
    pixel_sizes: tuple[float, float]
    normalisation: Normalisation
    multiple: int
    halo: int
    training: dict[str, Any]
    data: str
    scores: dict[str, Any]
    licence: str
    path: Path
    sha256: str


def describe(path: Path) -> Model:
    """Read what a model's file says; ModelError if it is damaged or not one of temclean's."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: the model cannot be read: {error.strerror or error}") from error
    return _model(_facts(content, path), path, hashlib.sha256(content).hexdigest())


def _facts(content: bytes, path: Path) -> dict[str, Any]:
    """Return temclean's entry in the metadata of an ONNX file; ModelError if the network is not what it tells."""
    try:
        graph, entries = outline(content)
    except ValueError as error:
        raise ModelError(f"{path}: damaged, or not an ONNX file; get a whole copy") from error
    entry = entries.get(METADATA_KEY)
    if entry is None:
        raise ModelError(f"{path}: an ONNX file, but not a model of temclean: it lacks the metadata {METADATA_KEY!r}")
    try:
        facts = json.loads(entry)
    except ValueError as error:
        raise ModelError(f"{path}: its metadata is damaged: {error}") from error
    if not isinstance(facts, dict):
        raise ModelError(f"{path}: its metadata is damaged: not an object")
    if facts.get("graph_sha256") not in (None, digest(graph)):
        raise ModelError(f"{path}: the network in it is damaged; get a whole copy")
    return facts


def _model(facts: dict[str, Any], path: Path, sha256: str) -> Model:
    version = facts.get("format")
    if version != METADATA_FORMAT:
        raise ModelError(f"{path}: metadata of format {version!r}; this temclean reads {METADATA_FORMAT}: update it")
    try:
        normalisation = Normalisation(**facts["normalisation"])
        levels, pixel_sizes = (tuple(map(float, facts[key])) for key in ("levels", "pixel_sizes"))
        model = Model(
            **{key: str(facts[key]) for key in ("name", "family", "summary", "data", "licence")},
            levels=(levels[0], levels[1]),
            pixel_sizes=(pixel_sizes[0], pixel_sizes[1]),
            normalisation=normalisation,
            multiple=int(facts["multiple"]),
            halo=int(facts["halo"]),
            training=dict(facts["training"]),
            scores=dict(facts["scores"]),
            path=path,
            sha256=sha256,
        )
        ordered = 0 <= float(normalisation.low) < float(normalisation.high) <= 100 and 0 <= normalisation.room < 1
    except (KeyError, IndexError, TypeError, ValueError) as error:
        raise ModelError(f"{path}: its metadata is damaged: {type(error).__name__}: {error}") from error
    if normalisation.method != "percentile" or not ordered:
        raise ModelError(f"{path}: this temclean does not know the normalisation {normalisation}: update it")
    if model.multiple < 1 or model.halo < 0:
        raise ModelError(f"{path}: its metadata is damaged: multiple {model.multiple}, halo {model.halo}")
    return model


def outline(content: bytes) -> tuple[bytes, dict[str, bytes]]:
    """Return the graph and the entries of ``metadata_props``.

    Raises
    ------
    ValueError
        If the content is not a whole ONNX model.
    """
    entries, graphs = {}, []
    for number, value in _fields(content):
        if number == GRAPH and len(value) > 0:
            graphs.append(value)
        if number == METADATA:
            entry = dict(_fields(value))
            entries[entry.get(KEY, b"").decode()] = entry.get(VALUE, b"")
    if len(graphs) != 1:
        raise ValueError(f"{len(graphs)} graphs")
    return graphs[0], entries


def digest(graph: bytes) -> str:
    """Return the SHA-256 of a graph, which the metadata keeps so that damage is noticed."""
    return hashlib.sha256(graph).hexdigest()


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield field numbers and contents of a protocol buffer; ValueError if it is not one."""
    position = 0
    while position < len(message):
        key, position = _varint(message, position)
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            length = _varint(message, position)[1] - position
        elif wire == BYTES:
            length, position = _varint(message, position)
        elif wire in (FIXED64, FIXED32):
            length = 8 if wire == FIXED64 else 4
        else:
            raise ValueError(f"wire type {wire}")
        if number == 0 or position + length > len(message):
            raise ValueError("cut short")
        yield number, message[position : position + length]
        position += length


def _varint(message: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            raise ValueError("cut short")
        byte = message[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
    raise ValueError("endless number")
