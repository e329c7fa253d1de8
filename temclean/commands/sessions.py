"""The models of a run: one for all its files, or for each file the one that fits it."""

from collections.abc import Callable
from contextlib import nullcontext

from temclean import io
from temclean.commands.jobs import Job
from temclean.restoration import choice, models
from temclean.restoration.models import Device, Model, Session

OPEN = 2
"""Models that are held ready at once; each takes memory."""

Told = Callable[[Session, str], object]


class Sessions:
    """Models that are chosen file by file, opened when they are first needed, of which few are kept.

    Parameters
    ----------
    device, threads, mirrored
        As for `temclean.models.open_session`.
    given
        The model that was named, for all files.
    tell
        Called when a model is first opened, with its session and why it was chosen.
    """

    def __init__(
        self,
        device: Device = "auto",
        threads: int | None = None,
        tell: Told | None = None,
        *,
        given: Model | None = None,
        mirrored: int = 1,
    ) -> None:
        self._given = given
        self._device, self._threads, self._mirrored, self.tell = device, threads, mirrored, tell
        self._models: dict[str, Model] = {}
        self._open: dict[str, Session] = {}
        self._told: set[str] = set()

    def settle(self, job: Job, image: io.Image | None = None) -> tuple[Job, Model, str | None]:
        """Return the job with the name of its result, its model, and why it was chosen; None where it was given.

        What is chosen by is the job's source, or an `image` of it that is open already.
        """
        if self._given:
            return job, self._given, None
        with nullcontext(image) if image else io.read(job.source, job.image) as opened:
            chosen = choice.choose(opened)
        if chosen.name not in self._models:
            self._models[chosen.name] = models.load(chosen.name)
        model = self._models[chosen.name]
        return job.named(model.name), model, chosen.reason

    def session(self, model: Model, reason: str | None) -> Session:
        """Return a model ready to run; call it from one thread only."""
        session = self._open.pop(model.name, None)
        if session is None:
            while len(self._open) >= OPEN:
                del self._open[next(iter(self._open))]  # the one whose last use is longest ago
            session = models.open_session(model, self._device, self._threads, self._mirrored)
        self._open[model.name] = session
        if self.tell and model.name not in self._told:
            self._told.add(model.name)
            self.tell(session, reason or "")
        return session


class OneSession(Sessions):
    """One model for all files."""

    def __init__(self, session: Session) -> None:
        super().__init__(given=session.model)
        self._only = session

    def session(self, model: Model, reason: str | None) -> Session:
        """Return the model ready to run."""
        return self._only
