"""What travels to a worker, and what it does: it gets paths, numbers and a scale, reads and writes by itself."""

import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from temclean import io
from temclean.commands import batch
from temclean.commands.jobs import Job
from temclean.commands.records import Result
from temclean.commands.sessions import Sessions
from temclean.errors import DeviceError, FileError, ImageError, ModelError
from temclean.evidence.findings import Findings
from temclean.restoration import models, pipeline, together
from temclean.restoration.conversion import Conversion
from temclean.restoration.models import Device, Model, Session
from temclean.restoration.scaling import Scaling


@dataclass(frozen=True)
class Setting:
    """How models are run; a worker does as many tasks at once as it has threads."""

    device: Device = "auto"
    threads: int = 1
    tile: int | None = None
    mirrored: int = 1


@dataclass(frozen=True)
class Network:
    """A model, by the name or the path that it has everywhere."""

    name: str
    sha256: str

    @classmethod
    def of(cls, model: Model) -> "Network":
        """Return what travels of a model: its file does not."""
        return cls(models.name_of(model), model.sha256)

    def load(self) -> Model:
        """Return the model as it is here."""
        if Path(self.name).is_absolute() and not Path(self.name).is_file():
            raise FileError(f"{here()} does not see the model {self.name}; {SHARE}")
        model = models.load(self.name)
        if model.sha256 != self.sha256:
            raise ModelError(f"{here()} has another model {self.name}: install the same temclean there")
        return model


@dataclass(frozen=True)
class Movie:
    """An input, as it is, and the result that its frames go to."""

    source: Path
    image: str | None
    stamp: tuple[int, int]
    shape: tuple[int, ...]
    dtype: str
    result: Path
    scaling: Scaling
    wanted: str | None = None
    blend: float = 0.0
    joined: int = 1


@dataclass(frozen=True)
class Done:
    """Frames that have been written, from `first` to before `stop`, and what there is to say of them.

    Attributes
    ----------
    sha256 : of their pixels.
    levels, findings : `cautions.noise_level` and `pipeline.examine` of those that are not flat.
    clipped, total : values that did not fit the type, of how many.
    """

    first: int
    stop: int
    sha256: str
    device: str
    levels: tuple[float, ...] = ()
    findings: tuple[Findings, ...] = ()
    clipped: int = 0
    total: int = 0


SHARE = "put it on a disk that all workers share, under the same name"


def here() -> str:
    """Return the words for this worker."""
    from distributed import get_worker

    return f"worker {get_worker().address} on {platform.node()}"


def stamp(path: Path) -> tuple[int, int]:
    """Return the size and the time of change of a file, by which another machine tells that it is the same."""
    status = path.stat()
    return (0, 0) if path.is_dir() else (status.st_size, status.st_mtime_ns)


def denoise_range(movie: Movie, network: Network, setting: Setting, first: int, stop: int) -> Done:
    """Denoise the frames from `first` to before `stop` and write them to their places."""
    from temclean.io.omezarr import writer

    _see(movie.source)
    if not movie.result.is_dir():
        raise FileError(f"{here()} does not see the folder {movie.result.parent.parent} of the result; {SHARE}")
    session = _session(network.load(), setting)
    levels: list[float] = []
    found: list[Findings] = []
    array = writer.reopen(movie.result)
    with io.read(movie.source, movie.image) as image:
        pixels = image.pixels
        if (stamp(movie.source), pixels.shape, str(pixels.dtype)) != (movie.stamp, movie.shape, movie.dtype):
            raise ImageError(f"is another file for {here()}, or has changed; run it again when it is finished")
        conversion = Conversion(pixels.dtype, movie.wanted, movie.blend, movie.joined > 1, movie.scaling.lag)
        conversion.done = first
        order = together.Order.of(pixels.shape, image.axes)
        frames = pipeline.denoise_frames(
            conversion.before(together.joined(pixels, movie.joined, order)),
            session,
            tile=setting.tile,
            scaling=movie.scaling,
            order=order,
            noise=levels.append,
            findings=found.append,
            which=range(first, stop),
        )

        def written() -> Iterator[io.Array]:
            for index, frame in enumerate(frames, first):
                result = conversion.after(frame)
                writer.put(array, index, result)
                yield result

        total = io.checksum(written())
    return Done(
        first,
        stop,
        total,
        session.device,
        tuple(levels),
        tuple(found),
        conversion.clipped,
        conversion.total,
    )


def denoise_file(job: Job, network: Network | None, setting: Setting, overwrite: bool, resume: bool) -> Result:
    """Denoise a file whose result is written from one end to the other, as ``temclean denoise`` does here."""
    _see(job.source)
    sessions = _Sessions(setting, network.load() if network else None)
    (result,) = batch.run([job], sessions, overwrite=overwrite, resume=resume, tile=setting.tile)
    return result


class _Sessions(Sessions):
    """Models of which each process has one session, opened when it is first needed."""

    def __init__(self, setting: Setting, given: Model | None) -> None:
        super().__init__(setting.device, setting.threads, given=given, mirrored=setting.mirrored)
        self._setting = setting

    def session(self, model: Model, reason: str | None) -> Session:
        return _session(model, self._setting)


def _session(model: Model, setting: Setting) -> Session:
    """Return the one session of this process."""
    try:
        return models.session_of(model.path, setting.device, setting.threads, setting.mirrored)
    except DeviceError as error:
        raise DeviceError(f"{here()}: {error}") from error


def _see(source: Path) -> None:
    if not source.exists():
        raise FileError(f"{here()} does not see this file; {SHARE}")
    if not os.access(source, os.R_OK):
        raise FileError(f"{here()} may not read this file; check its permissions")
