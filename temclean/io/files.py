"""How a file of any format is opened and written.

What a format can hold beyond its pixels is kept; where it can't be written, the result is a TIFF that Fiji and HyperSpy
read with the right pixel size. Each format's own rules are in its module.
"""

import json
import os
import secrets
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from temclean.errors import FileError, ImageError, TemcleanError
from temclean.io.formats import MRC, NPY, PNG, TIFF, WRITERS, Format, identify
from temclean.io.image import Array, Image
from temclean.io.messages import first_line, reading, silence
from temclean.io.note import Note
from temclean.io.selection import select
from temclean.io.temporary import remove, stem, writer


def read(path: str | os.PathLike[str], image: str | int | None = None) -> Image:
    """Open an image file; its frames are read when they are asked for.

    The content decides what the file is, not its name. Of a file with several images, `image` takes one by its name
    or its number, as :func:`list_images` counts them from 1; the first is the default. What was ignored or changed
    stands in the image's `warnings`; `temclean.denoise` repeats it as warnings of Python.

    Raises
    ------
    FileError
        It is missing, a folder, unreadable, or no image file at all.
    ImageError
        It is damaged, cut short, or holds no image, or none of that name.
    MissingExtraError
        It needs an optional package.
    """
    path = Path(path)
    with reading(path):
        module = identify(path).load()
        if hasattr(module, "list_images"):
            found: Image = module.read(path, image)
        else:
            select(path, [path.stem], image)
            found = module.read(path)
    return found


def read_unfinished(path: str | os.PathLike[str]) -> Image | None:
    """Open a stack that is still being written, with the frames that are there so far; None of a format without order.

    MRC and NumPy say where each frame lies, and all that are whole are there. Of TIFF the last page is left out, which
    may be there in part.

    Raises
    ------
    FileError, ImageError : as :func:`read`; there may be no frame yet.
    """
    path = Path(path)
    with reading(path):
        form = identify(path)
        if form is TIFF:
            image = read(path)
            image.pixels.shape = (len(image.pixels) - 1, *image.pixels.shape[-2:])
            return image
        if form is MRC or form is NPY:
            found: Image = form.load().read(path, unfinished=True)
            return found
    return None


def list_images(path: str | os.PathLike[str]) -> list[str]:
    """Return the names of the images in a file, one for each, the one first that is read where none is named.

    Raises
    ------
    FileError, ImageError, MissingExtraError : as :func:`read`.
    """
    path = Path(path)
    with reading(path):
        module = identify(path).load()
        names: list[str] = module.list_images(path) if hasattr(module, "list_images") else [path.stem]
    return names


def write(
    path: str | os.PathLike[str],
    image: Image,
    frames: Iterable[Array],
    provenance: Mapping[str, Any] | None = None,
    *,
    replace: bool = True,
) -> Path:
    """Write `frames` to `path` with the calibration and metadata of `image`, in the format that the suffix names.

    Frames are taken one by one; they are as many as ``image.pixels`` and of its shape, and their own dtype is kept.
    The file appears under its name only when it is whole; with ``replace`` it takes the place of one that is there.

    Raises
    ------
    FileError
        The folder cannot be written, the disk is full, the suffix is not one of ``WRITERS``, or the file is there.
    ImageError
        The format cannot hold such pixels, or the frames do not fit `image`.
    """
    path = Path(path)
    form = WRITERS.get(path.suffix.lower())
    if form is None:
        raise FileError(f"{path}: this format cannot be written; name one of {', '.join(sorted(WRITERS))}")
    note = None if provenance is None else Note(provenance)
    iterator = iter(frames)
    with silence:
        module = form.load("writer")
    first = next(iterator, None)
    if first is None:
        raise ImageError(f"{path}: there are no frames to write")
    dtype = np.asarray(first).dtype.newbyteorder("=")
    check_pixels(path, form, module, dtype, image)
    with whole(path, replace=replace) as temporary, silence:
        passing = checked(path, image, first, iterator)
        module.write(temporary, image, dtype, note.watch(passing) if note else passing, note)
    return path


@contextmanager
def whole(path: Path, *, replace: bool = True) -> Iterator[Path]:
    """Yield a name to write a file under; it gets its own when all is well and on the disk, and is removed when not.

    Raises
    ------
    FileError : it cannot be written; or, without ``replace``, another has its name by now.
    """
    temporary = path.with_name(f".{stem(path)}.{writer()}-{secrets.token_hex(4)}.part")
    try:
        yield temporary
        to_disk(temporary)
        if temporary.is_dir():
            _move(temporary, path, replace=replace)
        elif replace or not _claim(temporary, path):
            temporary.replace(path)
    except FileExistsError as error:
        remove(temporary)
        raise FileError(f"{path}: another program has written it meanwhile; --overwrite replaces it") from error
    except BaseException as error:
        with suppress(OSError):
            remove(temporary)
        if isinstance(error, OSError) and not isinstance(error, TemcleanError):
            raise FileError(f"{path}: cannot be written ({first_line(error)}); {remedy(error, path)}") from error
        raise


def to_disk(path: Path) -> None:
    """See that a file, or all in a folder, is on the disk: or a power cut could leave its name without its content."""
    for each in [path] if path.is_file() else (one for one in path.rglob("*") if one.is_file()):
        with each.open("rb+") as file:
            os.fsync(file.fileno())


def _move(temporary: Path, path: Path, *, replace: bool) -> None:
    """Give a folder its name; what had it before is put aside first, as a folder cannot take another's place.

    A folder that is no result of temclean's may hold much else, and is never replaced.
    """
    if not os.path.lexists(path):
        temporary.rename(path)
        return
    if not replace:
        raise FileExistsError(path)
    if path.is_dir() and provenance(path) is None:
        raise FileError(f"{path}: is a folder that temclean has not made, which it never replaces; give another -o")
    before = temporary.with_name(temporary.name.removesuffix(".part") + "-0.part")
    path.rename(before)
    try:
        temporary.rename(path)
    except OSError:
        before.rename(path)
        raise
    remove(before)


def _claim(temporary: Path, path: Path) -> bool:
    """Give a file a name that none has yet, FileExistsError if one has; False where the disk has no links."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        # A server may have made the link and its answer got lost, whereupon NFS asks again.
        if not os.path.samestat(temporary.lstat(), path.lstat()):
            raise
    except OSError:
        if os.path.lexists(path):
            raise FileExistsError(path) from None
        return False
    temporary.unlink()
    return True


def check_pixels(path: Path, form: Format, module: ModuleType, dtype: np.dtype[Any], image: Image) -> None:
    """Refuse pixels that the format cannot hold."""
    code = f"{dtype.kind}{dtype.itemsize}"
    if code not in module.DTYPES:
        raise ImageError(f"{path}: {form.name} cannot hold {dtype.name} values; write .tif")
    if form is PNG and len(image.pixels) != 1:
        raise ImageError(f"{path}: PNG holds one image, not {len(image.pixels)} frames; write .tif")


def checked(path: Path, image: Image, first: Array, rest: Iterator[Array]) -> Iterator[Array]:
    """Yield the frames, each of the shape that `image` has, and as many."""
    expected, count = image.pixels.shape[-2:], len(image.pixels)
    frame: Array | None = first
    done = 0
    while frame is not None:
        if frame.shape != expected or frame.dtype != first.dtype:
            raise ImageError(
                f"{path}: frame {done} is {frame.shape} {frame.dtype}, not {expected} {first.dtype}; "
                "a stack has frames of one kind"
            )
        if done == count:
            raise ImageError(f"{path}: there are more than the {count} frames of the source")
        yield frame
        done += 1
        frame = next(rest, None)
    if done < count:
        raise ImageError(f"{path}: there are {done} frames, {count} are needed")


def remedy(error: OSError, path: Path) -> str:
    """Return what to do about a file that could not be written."""
    import errno

    if error.errno in {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC)}:
        return "make room on the disk or write elsewhere"
    if isinstance(error, FileNotFoundError) and not path.parent.exists():
        return f"make the folder {path.parent} first"
    return "write to another folder, or close the program that holds the file"


def provenance(path: str | os.PathLike[str], form: Format | None = None) -> dict[str, Any] | None:
    """Return what temclean noted in a result of its own, or None for any other file, a damaged or missing one too.

    With ``form`` it is not looked again what format it is of.
    """
    path = path if isinstance(path, Path) else Path(path)
    if form and not form.writes:
        return None
    try:
        with reading(path):
            form = form or identify(path)
            text = form.load("note").provenance(path) if form.writes else None
            found = json.loads(text) if text else None
    except (TemcleanError, ValueError):
        return None
    return found if isinstance(found, dict) else None
