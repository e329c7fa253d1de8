"""Models that a stranger could hand over: each is a whole ONNX file with temclean's metadata, made by hand.

``python tests/hostile_models.py FOLDER`` writes them all.
"""

import json
import struct
import sys
from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from typing import Any

FLOAT, INT64 = 1, 7
Value = int | bytes | str

FACTS: dict[str, Any] = {
    "format": 1, "name": "stranger", "family": "g", "summary": "s", "levels": [0.1, 0.2], "pixel_sizes": [0.1, 0.2],
    "normalisation": {"method": "percentile", "low": 0.5, "high": 99.5}, "multiple": 1, "halo": 0,
    "training": {}, "data": "d", "scores": {}, "licence": "l",
}  # fmt: skip


def varint(number: int) -> bytes:
    out = b""
    while number > 127:
        out += bytes([number & 127 | 128])
        number >>= 7
    return out + bytes([number])


def field(number: int, value: Value) -> bytes:
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    content = value.encode() if isinstance(value, str) else value
    return varint(number << 3 | 2) + varint(len(content)) + content


def tensor(name: str, kind: int, dims: Iterable[int], raw: bytes, *, more: bytes = b"") -> bytes:
    return b"".join(field(1, each) for each in dims) + field(2, kind) + field(8, name) + field(9, raw) + more


def numbers(name: str, *values: int) -> bytes:
    return tensor(name, INT64, [len(values)], struct.pack(f"<{len(values)}q", *values))


def node(operator: str, inputs: Iterable[str], outputs: Iterable[str], *attributes: bytes, domain: str = "") -> bytes:
    parts = [field(1, name) for name in inputs] + [field(2, name) for name in outputs]
    parts += [field(4, operator), *(field(5, each) for each in attributes)]
    return b"".join(parts) + (field(7, domain) if domain else b"")


def whole(name: str, value: int) -> bytes:
    """Return an attribute of one whole number."""
    return field(1, name) + field(3, value) + field(20, 2)


def value(name: str, kind: int = FLOAT, dims: Iterable[str | int] = ("batch", 1, "height", "width")) -> bytes:
    shape = b"".join(field(1, field(1, each) if isinstance(each, int) else field(2, each)) for each in dims)
    return field(1, name) + field(2, field(1, field(1, kind) + field(2, shape)))


def graph(nodes: Iterable[bytes], weights: Iterable[bytes] = (), more: bytes = b"") -> bytes:
    parts = [field(1, each) for each in nodes] + [field(2, "stranger")] + [field(5, each) for each in weights]
    return b"".join(parts) + field(11, value("image")) + field(12, value("restored")) + more


def file(content: bytes, facts: str | dict[str, Any] | None = None, more: bytes = b"") -> bytes:
    text = facts if isinstance(facts, str) else json.dumps({**FACTS, **(facts or {})})
    opset = field(8, field(1, "") + field(2, 18))
    return field(1, 9) + field(7, content) + opset + more + field(14, field(1, "temclean") + field(2, text))


def same(last: str = "image") -> bytes:
    return node("Identity", [last], ["restored"])


def plain(facts: str | dict[str, Any] | None = None) -> bytes:
    return file(graph([same()]), facts)


def loop() -> bytes:
    """Turn 2^63 - 1 times around, adding nothing."""
    inner = field(1, node("Identity", ["go"], ["on"])) + field(1, node("Identity", ["before"], ["after"]))
    inner += field(2, "body") + field(11, value("turn", INT64, ())) + field(11, value("go", 9, ()))
    inner += field(11, value("before")) + field(12, value("on", 9, ())) + field(12, value("after"))
    body = field(1, "body") + field(6, inner) + field(20, 5)
    return file(graph([node("Loop", ["turns", "", "image"], ["restored"], body)], [numbers("turns", 2**63 - 1)]))


def function() -> bytes:
    inner = field(1, "Inner") + field(4, "x") + field(5, "y") + field(7, node("Identity", ["x"], ["y"]))
    inner += field(9, field(1, "") + field(2, 18)) + field(10, "mine")
    mine = field(8, field(1, "mine") + field(2, 1))
    call = node("Inner", ["image"], ["restored"], domain="mine")
    return file(graph([call]), more=mine + field(25, inner))


def custom() -> bytes:
    call = node("Gelu", ["image"], ["restored"], domain="com.microsoft")
    return file(graph([call]), more=field(8, field(1, "com.microsoft") + field(2, 1)))


def external() -> bytes:
    where = field(13, field(1, "location") + field(2, "secret.txt")) + field(14, 1)
    outside = field(1, 1) + field(2, FLOAT) + field(8, "w") + where
    return file(graph([node("Add", ["image", "w"], ["restored"])], [outside]))


def claims() -> bytes:
    return file(graph([node("Add", ["image", "w"], ["restored"])], [tensor("w", FLOAT, [2**20, 2**20], b"\0" * 4)]))


def sparse() -> bytes:
    one = tensor("w", FLOAT, [1], struct.pack("<f", 1))
    where = tensor("", INT64, [1], struct.pack("<q", 5))
    wide = field(1, one) + field(2, where) + field(3, 2**33)
    return file(graph([node("Add", ["image", "w"], ["restored"])], more=field(15, wide)))


def most(of: str, *before: bytes) -> list[bytes]:
    """Add the greatest of a tensor to the image."""
    return [*before, node("ReduceMax", [of], ["m"], whole("keepdims", 0)), node("Add", ["image", "m"], ["restored"])]


def constant() -> bytes:
    nodes = most("c", node("ConstantOfShape", ["n"], ["c"]))
    return file(graph(nodes, [numbers("n", 10**10)]))


def expanded() -> bytes:
    """Spread the image over a shape that follows from its own."""
    nodes = [
        node("Shape", ["image"], ["s"]),
        node("Mul", ["s", "f"], ["t"]),
        node("Expand", ["one", "t"], ["c"]),
    ]
    one = tensor("one", FLOAT, [1], struct.pack("<f", 0))
    return file(graph(most("c", *nodes), [numbers("f", 100, 100, 100, 1), one]))


def doubled() -> bytes:
    names = ["image", *(f"c{turn}" for turn in range(40))]
    nodes = [node("Concat", [last, last], [out], whole("axis", 3)) for last, out in pairwise(names)]
    return file(graph(most(names[-1], *nodes)))


def slow() -> bytes:
    """Multiply matrices of 1200 x 1200 ten thousand times: an hour."""
    nodes = [node("ConstantOfShape", ["n"], ["c"])]
    names = ["c", *(f"p{turn}" for turn in range(10_000))]
    nodes += [node("MatMul", [last, "c"], [out]) for last, out in pairwise(names)]
    return file(graph(most(names[-1], *nodes), [numbers("n", 1200, 1200)]))


def no_number() -> bytes:
    """Divide the image less itself by itself less itself."""
    nodes = [node("Sub", ["image", "image"], ["d"]), node("Div", ["d", "d"], ["restored"])]
    return file(graph(nodes))


def text(**changes: object) -> str:
    return json.dumps({**FACTS, **changes})


MODELS: dict[str, tuple[Callable[[], bytes], str]] = {
    "loop": (loop, "control flow (Loop)"),
    "function": (function, "functions of its own"),
    "custom": (custom, "an operator of 'com.microsoft'"),
    "external": (external, "weights that lie in another file"),
    "claims": (claims, "weights that claim 1.1e+12 values"),
    "sparse": (sparse, "sparse weights"),
    "constant": (constant, "wanted more than 256 MB"),
    "expanded": (expanded, "wanted more than 256 MB"),
    "doubled": (doubled, "wanted more than 256 MB"),
    "slow": (slow, "took more than 3 s"),
    "fields": (lambda: b"\x08\x01" * 10_000_000, "has more than 300000 fields"),
    "infinity": (lambda: plain(text(halo=float("inf"))), "Infinity is not a number"),
    "digits": (lambda: plain(text(halo=0).replace('"halo": 0', f'"halo": {"9" * 400}')), "a number in it is too large"),
    "exponent": (lambda: plain(text().replace('"halo": 0', '"halo": 1e400')), "a number in it is too large"),
    "deep": (lambda: plain('{"training": ' + '{"a": ' * 200_000 + "1" + "}" * 200_001), "too deep"),
    "shallow": (lambda: plain('{"training": ' + '{"a": ' * 400 + "1" + "}" * 401), "too deep"),
    "nul": (lambda: plain({"name": "a\0b"}), "control codes in the name 'a\\x00b'"),
    "escapes": (lambda: plain({"name": "a\x1b]0;owned\x07"}), "control codes in the name"),
    "large": (lambda: plain({"multiple": 10**6}), "multiple 1000000"),
}
"""Each with what is said of it. None is opened without an error."""


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for name, (make, _) in MODELS.items():
        (folder / f"{name}.onnx").write_bytes(make())
