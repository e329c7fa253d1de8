"""Scripts with which other programs call the command line, or install it: they name this very installation."""

import json
import sys
from importlib import resources
from typing import Literal

from temclean import __version__
from temclean.restoration.shipped import AUTO, available

Program = Literal["fiji", "dm", "module", "easybuild"]
FILES: dict[Program, str] = {
    "fiji": "temclean.ijm",
    "dm": "temclean.s",
    "module": "temclean.tcl",
    "easybuild": "temclean.eb",
}


def script(program: Program) -> str:
    """Return the text of a program's script, with the path of this Python and the names of the models in it.

    Both languages write texts as JSON does: in double quotes, a backslash before a quote or a backslash.
    """
    template = resources.files("temclean.data").joinpath(FILES[program]).read_text(encoding="utf-8")
    names = [AUTO, *sorted(available())]
    parts = {
        "@PROGRAM@": json.dumps(sys.executable, ensure_ascii=False),
        "@MODELS@": ", ".join(map(json.dumps, names)),
        "@NAMES@": ", ".join(names),
        "@VERSION@": __version__,
        "@PREFIX@": sys.prefix,
    }
    for mark, text in parts.items():
        template = template.replace(mark, text)
    return template
