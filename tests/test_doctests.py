"""What the examples in docstrings print is what stands there."""

import doctest
import importlib
from pathlib import Path

import pytest

import temclean

PACKAGE = Path(temclean.__file__).parent
WITH_EXAMPLES = sorted(
    ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
    for path in PACKAGE.rglob("*.py")
    if "training" not in path.parts and ">>> " in path.read_text(encoding="utf-8")
)


@pytest.mark.parametrize("name", sorted({*WITH_EXAMPLES} - {"temclean.hyperspy"}))  # its files are the user's
def test_examples_hold(name: str) -> None:
    failed, tried = doctest.testmod(importlib.import_module(name))
    assert (failed, tried > 0) == (0, True)
