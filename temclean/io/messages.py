"""Keep other people's warnings and exceptions from reaching the user as anything but one line."""

import logging
import threading
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from temclean.errors import FileError, ImageError, TemcleanError

# Without a handler, Python's last resort prints these loggers' warnings to stderr.
for _name in ("tifffile", "PIL", "mrcfile", "h5py"):
    logging.getLogger(_name).addHandler(logging.NullHandler())


class _Silence:
    """Ignore every warning while at least one thread is inside.

    ``warnings.catch_warnings`` swaps global state, so two threads that overlap could restore it in the wrong order.
    """

    def __init__(self) -> None:
        self.lock = threading.Lock()
        self.depth = 0
        self.saved = warnings.catch_warnings()

    def __enter__(self) -> None:
        with self.lock:
            if self.depth == 0:
                self.saved = warnings.catch_warnings()
                self.saved.__enter__()
                warnings.simplefilter("ignore")
            self.depth += 1

    def __exit__(self, *exc: object) -> None:
        with self.lock:
            self.depth -= 1
            if self.depth == 0:
                self.saved.__exit__(None, None, None)


silence = _Silence()


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turn whatever goes wrong inside into one line about `path`."""
    try:
        with silence:
            yield
    except TemcleanError:
        raise
    except FileNotFoundError as error:
        raise FileError(f"{path}: there is no such file; check the name") from error
    except IsADirectoryError as error:
        raise FileError(f"{path}: this is a folder, not a file; name the files in it") from error
    except PermissionError as error:
        if path.is_dir():  # as Windows says of folders
            raise FileError(f"{path}: this is a folder, not a file; name the files in it") from error
        raise FileError(f"{path}: may not be read; check its permissions and who holds it") from error
    except MemoryError as error:
        raise ImageError(f"{path}: needs more memory than there is, or is damaged; copy it again") from error
    except OSError as error:
        raise FileError(f"{path}: cannot be read ({first_line(error)}); copy it again from its source") from error
    except Exception as error:
        raise damaged(path, first_line(error)) from error


def damaged(path: Path, detail: str) -> ImageError:
    """Return the error for a file whose content makes no sense."""
    return ImageError(f"{path}: damaged or incomplete ({detail}); copy it again or export it anew")


def first_line(error: BaseException) -> str:
    """Return an exception's message as one short printable line."""
    return printable(getattr(error, "strerror", None) or str(error) or type(error).__name__)


def printable(text: object) -> str:
    """Return the first line of a text from outside, fit to be shown: no control codes, no halves of letters."""
    line = "".join(char if char.isprintable() else " " for char in str(text).strip().split("\n", 1)[0])
    return line if len(line) <= 160 else line[:157] + "..."
