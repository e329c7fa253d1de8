"""A frame through the network, tile by tile, and what the network must not be left alone with."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from temclean.errors import ModelError
from temclean.evidence import data_bar, lag
from temclean.evidence.corrections import lattices, texture
from temclean.evidence.corrections.recorded import Recorded
from temclean.evidence.ends import Ends
from temclean.evidence.impulses import hits
from temclean.evidence.impulses.hits import Place
from temclean.evidence.lines import shuffled, straightened
from temclean.restoration import extremes, grid, tiling
from temclean.restoration.models import Session
from temclean.restoration.scaling import Scaling
from temclean.restoration.surroundings import Surrounded

REACH = 1.0
"""How far below and above its scale a network sees an image, in units of the scale: further out it has not been shown
anything, and one bright particle or wild pixel would ring through its surroundings."""

LEAST_STEPS = 30
"""Whole numbers between dark and bright that a first result needs to tell by how much rows are displaced."""

MOST_LOOKS = 3
"""Times at most that an image is looked at again whose rows were put back."""

SEEN, TRIAL = 256, 0.05
"""Side of the part of a frame in which a model is tried, in pixels, and by how much of its scale pixels are changed."""

WILD = {"sp", "gsp"}
"""Noise families whose models take wild pixels out."""

IMPULSES_ALONE = {"sp"}
"""Those of them whose models change nothing else."""

LOOKED_AT_TWICE = {"general", "lr", "fast", "g", "gsp"}
"""Families whose models look once more at an image in which bad pixels were replaced, and change nothing but noise;
into whose results comes back what they lack of the waves of a lattice."""

KEEPING = LOOKED_AT_TWICE - WILD
"""Those of them into whose results fine structure comes back too: of that wild pixels do not tell."""

ATOMS_ALONE = {"n2a"}
"""Families whose models show atoms alone: of what stands out, which is a single count or two, nothing is put back."""


def restore_steadily(
    window: list[NDArray[Any]],
    out: NDArray[Any],
    session: Session,
    cut: tiling.Plan,
    scale: Scaling,
    progress: Callable[[int], object] | None = None,
) -> tuple[NDArray[Any], dict[str, Any]]:
    """Denoise as :func:`restore`, and once more where single pixels stand out, and where a scanned beam strayed.

    These pixels take the value of the first result then, and the rows are put back; rows out of order, before all else.
    Of weak noise comes back what the model took away that noise cannot be. Return the frame that was denoised in the
    end, and what was seen to, by the names of `temclean.evidence.findings.Findings`.
    """
    family, scanned = session.model.family, session.model.normalisation.scanned
    strayed = moved = 0.0
    if scanned and len(window) == 1 and not scale.flat:
        found = shuffled.put_in_order(window[0])
        window, moved = ([found.image], found.width) if found else (window, 0.0)
    replaced = restore(window, out, session, cut, scale, progress)
    frame = window[len(window) // 2]
    coarse = out.dtype.kind in "iu" and scale.high - scale.low - scale.room < LEAST_STEPS
    if len(window) > 1 or scale.flat or coarse:
        return frame, {"hits": len(replaced)} | ({"strayed": moved} if moved else {})
    steady = straightened.by_repeats(frame, out) if scanned else None
    for look in range(MOST_LOOKS):
        if steady is None:
            break
        frame, strayed = steady.image, steady.straying.width
        restore([frame], out, session, cut, scale)
        again = steady.again and look + 1 < MOST_LOOKS
        steady = straightened.by_repeats(window[0], out, steady.straying) if again else None
    if family in LOOKED_AT_TWICE:
        left = hits.left(*data_bar.above(frame, out), scale.low, scale.high, many=family in WILD)
        left = [place for place in left if place not in replaced]
        if left:
            frame = frame.copy()
            rows, columns = np.array(left).T
            frame[rows, columns] = out[rows, columns]
            restore([frame], out, session, cut, scale)
            replaced |= set(left if family not in WILD else ())
    if scanned and not (strayed or moved) and (steady := straightened.by_slopes(frame, out, first=True)):
        frame, strayed = steady.image, steady.straying.width
        restore([frame], out, session, cut, scale)
    strayed = max(strayed, moved)
    seen_to: dict[str, Any] = {"hits": len(replaced)} | ({"strayed": strayed} if strayed else {})
    if family in LOOKED_AT_TWICE:
        above = slice(data_bar.rows_above(frame))
        recorded = Recorded(window[0][above])
        lattices.correct(
            frame[above], out[above], replaced, recorded=recorded, strayed=bool(strayed),
            divergence=partial(divergence, frame, out, session, scale, recorded.cut),
        )  # fmt: skip
        if family in KEEPING and not scale.lag and not strayed:
            beam = None if scanned else partial(_beam_shows, frame[above], out[above])
            seen_to["back"] = texture.put_back(frame[above], out[above], replaced, recorded=recorded, unless=beam)
    return frame, seen_to


def _beam_shows(frame: NDArray[Any], out: NDArray[Any]) -> bool:
    """Return whether a scanned beam left a lag or rows that strayed, which models of other images do not look for."""
    return bool(lag.measure(frame[None])) or straightened.by_slopes(frame, out, first=True) is not None


def restore(
    window: list[NDArray[Any]],
    out: NDArray[Any],
    session: Session,
    cut: tiling.Plan,
    scale: Scaling,
    progress: Callable[[int], object] | None = None,
) -> set[Place]:
    """Denoise the middle one of the frames that the model looks at into ``out``, tile by tile.

    Return which pixels, (row, column), were hit and replaced before the network saw them. Models that take such pixels
    out by themselves see them, and those of movies, which know them from the frames around.
    """
    if scale.flat:
        out[...] = window[len(window) // 2]
        if progress:
            progress(len(cut))
        return set()
    alone = len(window) == 1 and session.model.family not in WILD | ATOMS_ALONE
    replaced: set[Place] = set()
    # What the kernel cannot write goes through a band of rows.
    direct = tiling.writable(out.dtype)
    dtype = out.dtype if direct else _kernel_type(out.dtype)
    blender = tiling.Blender(cut, dtype, offset=scale.low, scale=scale.high - scale.low)
    beyond, unit = session.model.beyond, 1 / (scale.high - scale.low)
    frames = [Surrounded(frame, beyond, scale.low, scale.high) for frame in window]
    tiles = np.empty((len(window), *(side + 2 * beyond for side in cut.tile)), dtype=np.float32)
    across = len(cut.columns.starts)
    for row in range(len(cut.rows.starts)):
        rows = blender.band(row)
        band = out[rows] if direct else np.empty((rows.stop - rows.start, out.shape[1]), dtype=dtype)
        for number in range(row * across, (row + 1) * across):
            for frame, tile in zip(frames, tiles, strict=True):
                frame.tile(cut, number, scale.low, unit, tile)
            usual = alone and tiles.min() >= -hits.BEYOND and tiles.max() <= 1.0 + hits.BEYOND
            if alone and not usual:
                replaced |= _own(cut.own(number), hits.replace_hits(tiles[0]), beyond)
            blender.add(run(session, tiles, within=bool(usual))[None], band, rows.start)
            if progress:
                progress(1)
        if session.model.family in IMPULSES_ALONE:
            extremes.keep_exactly(window[len(window) // 2][rows], band, scale.high - scale.low)
        if not direct:
            if out.dtype.kind == "f":
                np.clip(band, np.finfo(out.dtype).min, np.finfo(out.dtype).max, out=band)
            out[rows] = band
    return replaced


def divergence(
    frame: NDArray[Any], out: NDArray[Any], session: Session, scale: Scaling, cut: Ends | None = None
) -> float:
    """Return how much of each pixel a model leaves in its result: the mean of the derivatives by the pixel itself.

    Pixels in the middle of a frame are changed by random signs, and the result's change is laid beside these (Ramani,
    Blu and Unser 2008); but not those at the ends of a detector, on which their noise has no influence. The standard
    error is some thousandths.
    """
    beyond, multiple, unit = session.model.beyond, session.model.multiple, 1 / (scale.high - scale.low)
    side = max((SEEN - 2 * beyond) // multiple, 1) * multiple + 2 * beyond
    place = tuple(slice(max(length - side, 0) // 2, min((length + side) // 2, length)) for length in frame.shape)
    tile, before = ((each[place].astype(np.float64) - scale.low) * unit for each in (frame, out))
    tile = np.pad(tile, [(0, side - length) for length in tile.shape], mode="symmetric").clip(-REACH, 1.0 + REACH)
    signs = np.where(np.random.default_rng(0).random(tile.shape) < 0.5, -1.0, 1.0)
    if cut:
        signs[: before.shape[0], : before.shape[1]][cut.at(frame[place])] = 0.0
    after = session.run((tile + TRIAL * signs).astype(np.float32)[None, None])[0, 0]
    margin = max(side // 4, beyond)
    middle = tuple(slice(margin, min(length, side - margin)) for length in before.shape)
    inner = tuple(slice(each.start - beyond, each.stop - beyond) for each in middle)
    change = (after[inner] - before[middle]) * signs[middle]
    return float(change.mean()) / TRIAL


def _own(own: tuple[range, range], places: list[Place], beyond: int) -> set[Place]:
    """Return where those places in a tile, with what lies ``beyond`` it, are in the image that are the tile's own."""
    rows, columns = own
    found = ((rows.start + row - beyond, columns.start + column - beyond) for row, column in places)
    return {place for place in found if place[0] in rows and place[1] in columns}


def _kernel_type(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """Return the type that tiles are blended into on the way to one that the kernel cannot write."""
    native = dtype.newbyteorder("=")
    if tiling.writable(native):
        return native
    return np.dtype(np.float32 if dtype.itemsize < 4 else np.float64)


def run(session: Session, tiles: NDArray[np.float32], *, within: bool = False) -> NDArray[np.float32]:
    """Restore a tile, (rows, columns), from itself and its neighbours in time, (frames, rows, columns).

    With what the model looks at beyond it on each side; ``within`` says that all is known to be within its reach.
    """
    return _alone(session, tiles[0], within) if len(tiles) == 1 else _together(session, tiles)


def _alone(session: Session, tile: NDArray[np.float32], within: bool) -> NDArray[np.float32]:
    """Run the network on a tile (rows, columns) within its reach; what stands out of that is put back as it is.

    But wild pixels are not put back if the model is one that takes them out: what stands out counts as its median over
    3x3 pixels where enough of 5x5 do, so that bright particles stay; and areas at black or white, which are too large
    for wild pixels, stay.
    """
    seen, put_back = tile, False
    if not within and (tile.min() < -REACH or tile.max() > 1.0 + REACH):
        seen = tile.clip(-REACH, 1.0 + REACH)
        put_back = session.model.family not in ATOMS_ALONE
    inner = _inner(seen, session.model.beyond)
    excess = _inner(tile, session.model.beyond) - inner if put_back else None
    outside = np.nonzero(excess) if excess is not None else ()
    wild = session.model.family in WILD
    restored = _finite(session, session.run(seen[None, None])[0, 0])
    if session.model.multiple % grid.BLOCK == 0:  # so that blocks of neighbouring tiles coincide
        grid.remove(inner, restored)
    if session.model.family in IMPULSES_ALONE:
        extremes.keep_untouched(inner, restored)
    if wild:
        extremes.keep_areas(inner, restored)
    if excess is not None:
        if wild:
            windows = np.lib.stride_tricks.sliding_window_view(np.pad(excess, 1, mode="edge"), (3, 3))
            together = extremes.sums((excess != 0).view(np.uint8), extremes.CLOSE)[outside] >= extremes.BODY
            restored[outside] += np.median(windows[outside], axis=(1, 2)) * together
        else:
            restored[outside] += excess[outside]
    return restored


def _inner(tile: NDArray[np.float32], border: int) -> NDArray[np.float32]:
    """Return a tile without its border of so many pixels."""
    return np.ascontiguousarray(tile[border:-border, border:-border]) if border else tile


def _together(session: Session, tiles: NDArray[np.float32]) -> NDArray[np.float32]:
    """Run a model of movies on a tile of all frames that it looks at, (frames, rows, columns).

    Nothing is cut off and put back: such a model has seen how far its movie reaches, and what it must not see of the
    middle frame, each pixel itself, would come back.
    """
    restored = _finite(session, session.run(tiles[None])[0, 0])
    if session.model.multiple % grid.BLOCK == 0:
        grid.remove(_inner(tiles[len(tiles) // 2], session.model.beyond), restored)
    return restored


def _finite(session: Session, restored: NDArray[np.float32]) -> NDArray[np.float32]:
    if not (
        np.isfinite(restored.min()) and np.isfinite(restored.max())
    ):  # whole numbers would become 0 or the greatest there is, without a word
        raise ModelError(f"{session.model.path}: gave values that are not finite; take another model")
    return restored
