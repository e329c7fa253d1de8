"""One tile through the network, and what the network must not be left alone with."""

import numpy as np
from numpy.typing import NDArray

from temclean.errors import ModelError
from temclean.restoration import extremes, grid
from temclean.restoration.models import Session

REACH = 1.0
"""How far below and above its scale a network sees an image, in units of the scale: further out it has not been shown
anything, and one bright particle or wild pixel would ring through its surroundings."""

WILD = {"sp", "gsp"}
"""Noise families whose models take wild pixels out."""

ATOMS_ALONE = {"n2a"}
"""Families whose models show atoms alone: of what stands out, which is a single count or two, nothing is put back."""


def run(session: Session, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
    """Restore a tile, (rows, columns), from itself and its neighbours in time, (frames, rows, columns)."""
    return _alone(session, tiles[0]) if len(tiles) == 1 else _together(session, tiles)


def _alone(session: Session, tile: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run the network on a tile (rows, columns) within its reach; what stands out of that is put back as it is.

    But wild pixels are not put back if the model is one that takes them out: what stands out counts as its median over
    3x3 pixels, so that bright particles stay; and areas at black or white, which are too large for wild pixels, stay.
    """
    within = tile.clip(-REACH, 1.0 + REACH)
    outside = np.nonzero(within != tile)
    put_back = outside[0].size and session.model.family not in ATOMS_ALONE
    beyond = tile - within if put_back else None
    wild = session.model.family in WILD
    restored = _finite(session, session.run(within[None, None])[0, 0])
    if session.model.multiple % grid.BLOCK == 0:  # so that blocks of neighbouring tiles coincide
        grid.remove(within, restored)
    if wild:
        extremes.keep_areas(within, restored)
    if beyond is not None:
        if wild:
            windows = np.lib.stride_tricks.sliding_window_view(np.pad(beyond, 1, mode="edge"), (3, 3))
            restored[outside] += np.median(windows[outside], axis=(1, 2))
        else:
            restored[outside] += beyond[outside]
    return restored


def _together(session: Session, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run a model of movies on a tile of all frames that it looks at, (frames, rows, columns).

    Nothing is cut off and put back: such a model has seen how far its movie reaches, and what it must not see of the
    middle frame, each pixel itself, would come back.
    """
    restored = _finite(session, session.run(tiles[None])[0, 0])
    if session.model.multiple % grid.BLOCK == 0:
        grid.remove(tiles[len(tiles) // 2], restored)
    return restored


def _finite(session: Session, restored: NDArray[np.float32]) -> NDArray[np.float32]:
    if not np.isfinite(restored).all():  # whole numbers would become 0 or the greatest there is, without a word
        raise ModelError(f"{session.model.path}: gave values that are not finite; take another model")
    return restored
