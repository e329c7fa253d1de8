"""Read the metadata of an ONNX file without onnx: it is a protocol buffer, and only its outline is needed."""

from collections.abc import Iterator

# Field numbers of ModelProto and StringStringEntryProto in onnx.proto, and protocol buffers' wire types.
GRAPH, METADATA = 7, 14
KEY, VALUE = 1, 2
VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5


def metadata(content: bytes) -> dict[str, bytes]:
    """Return the entries of ``metadata_props``.

    Raises
    ------
    ValueError
        If the content is not a whole ONNX model.
    """
    entries, graphs = {}, 0
    for number, value in _fields(content):
        graphs += number == GRAPH and len(value) > 0
        if number == METADATA:
            entry = dict(_fields(value))
            entries[entry.get(KEY, b"").decode()] = entry.get(VALUE, b"")
    if graphs != 1:
        raise ValueError(f"{graphs} graphs")
    return entries


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
