"""What an ONNX file says about itself: all that is known about a model lies in its metadata."""

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from temclean.errors import ModelError
from temclean.restoration.onnx_outline import MOST_FIELDS, Outline, TooManyFieldsError, digest

METADATA_KEY = "temclean"
METADATA_FORMAT = 1
FORMAT_OF_MOVIES = 2
"""Of models that look at several frames, which older versions of temclean must not run on one."""

FORMAT_BEYOND = 3
"""Of networks that look beyond the image, which is more than older versions would give them."""

MOST_BYTES = 512 << 20
"""Of a model's file. The largest networks for restoring images that people use have 300 MB."""

MOST_METADATA = 4 << 20
DEEPEST = 32
LARGEST = 2**53
"""Greatest number in metadata: beyond it whole numbers and floats part."""

MOST_PIXELS = 2**14
"""Of ``multiple``, ``halo`` and ``beyond``."""

MOST_FRAMES = 33
"""That a model looks at."""

MOST_JOINED = 15
"""Frames that are taken together for a model of single images."""


@dataclass(frozen=True)
class Normalisation:
    """What becomes 0 and 1 before the network sees an image: these percentiles of the whole image or stack.

    ``room``, in units of their distance, is left below and above them where the noise is not cut off. Of models that
    know ``scanned`` images, the lag of the detector is undone before all else (`temclean.evidence.lag`), and rows are
    put back from which the beam strayed, for a second look (`temclean.evidence.lines.straying`).
    """

    method: str
    low: float
    high: float
    room: float = 0.0
    scanned: bool = False


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
    frames : int
        How many frames of a movie it looks at to restore the middle one; 1 for single images.
    joined : int
        How many frames of a movie are taken together for it (`temclean.restoration.together`) unless the user says.
    beyond : int
        Pixels around the input that the network looks at and does not restore: its input is larger by twice as many.
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
    frames: int = 1
    joined: int = 1
    beyond: int = 0


def describe(path: Path) -> Model:
    """Read what a model's file says; ModelError if it is damaged, unfit to be run, or not one of temclean's."""
    try:
        size = path.stat().st_size
        if size > MOST_BYTES:
            raise ModelError(f"{path}: has {size >> 20} MB, and a model at most {MOST_BYTES >> 20}; give another one")
        content = path.read_bytes()
    except OSError as error:
        raise ModelError(f"{path}: the model cannot be read: {error.strerror or error}") from error
    return _model(_facts(content, path), path, hashlib.sha256(content).hexdigest())


def _facts(content: bytes, path: Path) -> dict[str, Any]:
    """Return temclean's entry in the metadata of an ONNX file; ModelError if the network is not what it tells."""
    try:
        found = Outline(content)
    except ValueError as error:
        raise ModelError(f"{path}: damaged, or not an ONNX file; get a whole copy") from error
    except TooManyFieldsError as error:
        raise ModelError(f"{path}: has more than {MOST_FIELDS} fields: no model needs them; give another") from error
    entry = found.entries.get(METADATA_KEY)
    if entry is None:
        raise ModelError(f"{path}: an ONNX file, but not a model of temclean: it lacks the metadata {METADATA_KEY!r}")
    if found.objection:
        raise ModelError(
            f"{path}: is not run, as it has {found.objection}; give a model that is one file of plain operators"
        )
    facts = _parsed(entry, path)
    if facts.get("graph_sha256") not in (None, digest(found.graph)):
        raise ModelError(f"{path}: the network in it is damaged; get a whole copy")
    return facts


def _parsed(entry: bytes, path: Path) -> dict[str, Any]:
    """Return metadata of sound JSON, whose numbers and depth anything can take."""
    try:
        if len(entry) > MOST_METADATA:
            raise ValueError(f"{len(entry)} bytes")
        facts = json.loads(entry, parse_constant=_no_number)
        if not isinstance(facts, dict):
            raise ValueError("not an object")
        _check(facts)
    except RecursionError as error:
        raise ModelError(f"{path}: its metadata is damaged: too deep") from error
    except ValueError as error:
        raise ModelError(f"{path}: its metadata is damaged: {error}") from error
    return facts


def _no_number(text: str) -> NoReturn:
    raise ValueError(f"{text} is not a number of JSON")


def _check(value: object, depth: int = 0) -> None:
    if depth > DEEPEST:
        raise ValueError("too deep")
    if isinstance(value, int | float) and not abs(value) <= LARGEST:
        raise ValueError("a number in it is too large")
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            _check(inner, depth + 1)


def _model(facts: dict[str, Any], path: Path, sha256: str) -> Model:
    version = facts.get("format")
    if version not in (METADATA_FORMAT, FORMAT_OF_MOVIES, FORMAT_BEYOND):
        raise ModelError(f"{path}: metadata of format {version!r}; this temclean reads 1 to 3: update it")
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
            frames=int(facts["frames"]) if version == FORMAT_OF_MOVIES else 1,
            joined=int(facts.get("joined", 1)),
            beyond=int(facts["beyond"]) if version == FORMAT_BEYOND else 0,
        )
        ordered = 0 <= float(normalisation.low) < float(normalisation.high) <= 100 and 0 <= normalisation.room < 1
    except (KeyError, IndexError, TypeError, ValueError, OverflowError) as error:
        raise ModelError(f"{path}: its metadata is damaged: {type(error).__name__}: {error}") from error
    if normalisation.method != "percentile" or not ordered:
        raise ModelError(f"{path}: this temclean does not know the normalisation {normalisation}: update it")
    sizes = {"halo": model.halo, "beyond": model.beyond}
    if not (1 <= model.multiple <= MOST_PIXELS and all(0 <= size <= MOST_PIXELS for size in sizes.values())):
        told = ", ".join(f"{name} {size}" for name, size in {"multiple": model.multiple, **sizes}.items())
        raise ModelError(f"{path}: its metadata is damaged: {told}")
    if not (1 <= model.frames <= MOST_FRAMES and model.frames % 2):
        raise ModelError(f"{path}: its metadata is damaged: {model.frames} frames")
    if not (1 <= model.joined <= MOST_JOINED and model.joined % 2) or model.joined > 1 < model.frames:
        raise ModelError(f"{path}: its metadata is damaged: {model.joined} frames taken together")
    if not (model.name.isprintable() and model.family.isprintable()):
        raise ModelError(f"{path}: its metadata is damaged: control codes in the name {model.name[:60]!a}")
    return model
