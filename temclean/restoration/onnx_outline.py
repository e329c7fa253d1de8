"""The outline of an ONNX file, and what in it speaks against running it.

An ONNX file is a protocol buffer. Only its outline is read here, in one pass over views of the content, so neither onnx
nor onnxruntime is needed, and what a stranger's file holds is known before any of it is run.
"""

import hashlib
from collections.abc import Iterator

# Field numbers of the messages in onnx.proto, and protocol buffers' wire types.
GRAPH, OPSET, METADATA, FUNCTION = 7, 8, 14, 25  # ModelProto
OPSET_DOMAIN, OPSET_VERSION = 1, 2  # OperatorSetIdProto
KEY, VALUE = 1, 2  # StringStringEntryProto
NODE, INITIALIZER, SPARSE_INITIALIZER = 1, 5, 15  # GraphProto
OPERATOR, ATTRIBUTE, DOMAIN = 4, 5, 7  # NodeProto
TENSORS, GRAPHS, SPARSE = {5, 10}, {6, 11}, {22, 23}  # AttributeProto
DIMENSION, VALUES, EXTERNAL, LOCATION = 1, {4, 5, 6, 7, 9, 10, 11}, 13, 14  # TensorProto
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5

STANDARD = {b"", b"ai.onnx"}
CONTROL = {b"If", b"Loop", b"Scan", b"SequenceMap"}

MOST_FIELDS = 300_000
"""A network of 4,000 nodes has about 100,000; so many take a third of a second to read."""

MOST_VALUES = 4
"""Values of a tensor for each byte that is stored of it, at most: those of two bits."""

Value = int | memoryview


class TooManyFieldsError(Exception):
    """The file has more fields than a network needs."""


class Outline:
    """The parts of an ONNX model.

    Parameters
    ----------
    content
        The whole file.

    Attributes
    ----------
    graph : memoryview
        The graph, undecoded.
    opset : int or None
        Version of ONNX's own operators that the graph is written in.
    entries : dict
        The entries of ``metadata_props``; of two of one name the last.
    objection : str or None
        Why the model must not be run: what is in it that could read other files, run without end, or claim more
        memory than the file has bytes.

    Raises
    ------
    ValueError
        If the content is not a whole ONNX model.
    TooManyFieldsError
        If it has more than `MOST_FIELDS` fields.
    """

    def __init__(self, content: bytes) -> None:
        self._left = MOST_FIELDS
        self.entries: dict[str, bytes] = {}
        self.objection: str | None = None
        self.opset: int | None = None
        graphs = []
        for number, value in self._fields(memoryview(content)):
            if isinstance(value, int):
                continue
            if number == GRAPH and len(value) > 0:
                graphs.append(value)
            elif number == OPSET:
                self._look_at_opset(dict(self._fields(value)))
            elif number == METADATA:
                entry = {name: bytes(part) for name, part in self._fields(value) if not isinstance(part, int)}
                self.entries[entry.get(KEY, b"").decode()] = entry.get(VALUE, b"")
            elif number == FUNCTION:
                self._object("functions of its own")
        if len(graphs) != 1:
            raise ValueError(f"{len(graphs)} graphs")
        self.graph = graphs[0]
        for number, value in self._messages(self.graph):
            if number == NODE:
                self._look_at_node(value)
            elif number == INITIALIZER:
                self._look_at_tensor(value)
            elif number == SPARSE_INITIALIZER:
                self._object("sparse weights")

    def _look_at_opset(self, opset: dict[int, Value]) -> None:
        domain, version = opset.get(OPSET_DOMAIN, b""), opset.get(OPSET_VERSION)
        if not isinstance(domain, int) and bytes(domain) in STANDARD and isinstance(version, int):
            self.opset = version

    def _look_at_node(self, node: memoryview) -> None:
        for number, value in self._messages(node):
            if number == DOMAIN and bytes(value) not in STANDARD:
                self._object(f"an operator of {bytes(value)[:60].decode(errors='replace')!r}, which is not ONNX's own")
            elif number == OPERATOR and bytes(value) in CONTROL:
                self._object(f"control flow ({bytes(value).decode()})")
            elif number == ATTRIBUTE:
                for part, inner in self._messages(value):
                    if part in GRAPHS:
                        self._object("control flow (a graph within the graph)")
                    elif part in SPARSE:
                        self._object("sparse weights")
                    elif part in TENSORS:
                        self._look_at_tensor(inner)

    def _look_at_tensor(self, tensor: memoryview) -> None:
        values, stored = 1, 0
        for number, value in self._fields(tensor):
            if number == EXTERNAL or (number == LOCATION and value != 0):
                self._object("weights that lie in another file")
            elif number == DIMENSION:
                for length in [value] if isinstance(value, int) else _varints(value):
                    values *= length
            elif number in VALUES:
                stored += 1 if isinstance(value, int) else len(value)
        if values > MOST_VALUES * stored:
            self._object(f"weights that claim {values:.3g} values, of which {stored} bytes are stored")

    def _object(self, to: str) -> None:
        self.objection = self.objection or to

    def _messages(self, message: memoryview) -> Iterator[tuple[int, memoryview]]:
        """Yield the fields that hold bytes; for a protocol buffer, others of these numbers are not there."""
        for number, value in self._fields(message):
            if not isinstance(value, int):
                yield number, value

    def _fields(self, message: memoryview) -> Iterator[tuple[int, Value]]:
        """Yield field numbers and values of a protocol buffer; ValueError if it is not one."""
        position, end = 0, len(message)
        while position < end:
            self._left -= 1
            if self._left < 0:
                raise TooManyFieldsError
            key, position = _varint(message, position)
            number, wire = key >> 3, key & 7
            if number == 0:
                raise ValueError("field 0")
            if wire == VARINT:
                value, position = _varint(message, position)
                yield number, value
                continue
            if wire == BYTES:
                length, position = _varint(message, position)
            elif wire in (FIXED64, FIXED32):
                length = 8 if wire == FIXED64 else 4
            else:
                raise ValueError(f"wire type {wire}")
            if position + length > end:
                raise ValueError("cut short")
            yield number, message[position : position + length]
            position += length


def digest(graph: bytes | memoryview) -> str:
    """Return the SHA-256 of a graph, which the metadata keeps so that damage is noticed."""
    return hashlib.sha256(graph).hexdigest()


def _varints(packed: memoryview) -> Iterator[int]:
    position = 0
    while position < len(packed):
        value, position = _varint(packed, position)
        yield value


def _varint(message: memoryview, position: int) -> tuple[int, int]:
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
