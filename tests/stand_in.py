"""The command line with a network that adds 1, slowly, so that there is time for something to go wrong."""

import sys
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from temclean import cli
from temclean.restoration import models, pipeline, tiling
from temclean.restoration.scaling import Scaling

PLACES = [
    (models, "load"),
    (models, "open_session"),
    (pipeline, "scaling"),
    (pipeline, "plan"),
    (pipeline, "denoise_frames"),
]
"""What is replaced."""


def install(pause: float = 0.01) -> None:
    """Put it in the place of every model; it takes so many seconds a frame."""

    def frames(pixels: Any, session: Any, **_: Any) -> Iterator[Any]:
        for index in range(len(pixels)):
            time.sleep(pause)
            yield pixels[index] + 1

    parts = [
        lambda name: SimpleNamespace(
            name=name, family="", sha256="5e55", frames=1, joined=1, normalisation=SimpleNamespace(scanned=False)
        ),
        lambda model, *_: SimpleNamespace(model=model, device="cpu", fallback=None),
        lambda *_, **__: Scaling(0.0, 100.0),
        lambda shape, *_: tiling.plan(shape, 1),
        frames,
    ]
    for (module, name), part in zip(PLACES, parts, strict=True):
        setattr(module, name, part)


if __name__ == "__main__":
    install()
    cli.main(sys.argv[1:])
