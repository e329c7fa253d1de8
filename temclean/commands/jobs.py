"""Decide what is denoised and where each result goes, before anything is opened."""

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from difflib import get_close_matches
from pathlib import Path

from temclean import io
from temclean.commands.inputs import NOWHERE, Found, expand
from temclean.errors import ParameterError, TemcleanError
from temclean.restoration.shipped import available

OPEN_NAME = "MODEL"
"""Stands in the name of a result for the model that is yet to be chosen."""

PREVIEW = "preview_of"
"""What a picture of a result says of itself: the result's name."""

EVIDENCE = "evidence_of"
"""What a residual and the like say of themselves: the result's name."""

MANY = 2000
"""Inputs that may take a second or more to look at."""


@dataclass(frozen=True)
class Job:
    """One file to denoise and where its result goes, or the reason why that cannot be."""

    source: Path
    target: Path | None
    problem: str | None = None
    dtype: str | None = None
    """Type of the result's pixels; None for the input's own."""
    image: str | None = None
    """Which of several images of the file; None the only one, or the first."""
    before: str | None = None
    """What comes before the model in the name of the result, where the model is yet to be chosen."""
    joined: int | None = None
    """Frames of a movie that are taken together, for a model of single images; None as many as the model wants."""
    blend: float = 0.0
    """Share of the raw image in the result, 0 to 1."""
    mirrored: int = 1
    """Mirror images of which the result is the mean."""
    inputs: tuple[str, ...] = ()
    """Models with whose name the result would be written over an input."""

    @property
    def wishes(self) -> dict[str, object]:
        """What is noted in its result of what was asked for, by name; None where that is nothing unusual."""
        mirrored = self.mirrored if self.mirrored > 1 else None
        return {"dtype": self.dtype, "image": self.image, "blend": self.blend or None, "mirrored": mirrored}

    def file_name(self, model: str) -> str:
        """Return the name of its result, were this its model."""
        if self.before is None or self.target is None:
            raise ValueError(f"{self.target} has its name")
        return f"{self.before}_{model}{self.target.name.removeprefix(f'{self.before}_{OPEN_NAME}')}"

    def named(self, model: str) -> "Job":
        """Return the job with this model's name in that of its result, where it was open."""
        if self.before is None or self.target is None:
            return self
        place = self.target.with_name(self.file_name(model))
        problem = (
            f"its result would be written over the input {place}; give another -o" if model in self.inputs else None
        )
        return replace(self, target=place, problem=problem, before=None)


@dataclass(frozen=True)
class Plan:
    """The jobs in order, and the inputs left out because temclean made them."""

    jobs: tuple[Job, ...]
    left_out: tuple[Path, ...] = ()


def plan(
    names: Sequence[str],
    model: str | None,
    out: Path | None = None,
    *,
    recursive: bool = False,
    include_results: bool = False,
    shard: tuple[int, int] = (1, 1),
    image: str | None = None,
    tell: Callable[[str], object] | None = None,
    dtype: str | None = None,
    blend: float = 0.0,
    joined: int | None = None,
    mirrored: int = 1,
) -> Plan:
    """Return which files are denoised and where their results go.

    Parameters
    ----------
    names
        Files, folders and globs.
    model
        Name of the model, which becomes part of every file name; None where it is chosen file by file.
    out
        A folder; or, where there is one input and ``out`` has a suffix that can be written, the file itself.
    recursive
        Go through the folders below folders too; ``out`` then gets the same tree, as it does for a glob with ``**``.
    include_results
        Take temclean's own results for inputs too. Otherwise they are left out, so that a glob can be used twice.
    shard
        ``(i, n)``: the jobs dealt out to ``n`` machines, the hand of the ``i``-th, counted from 1.
    image
        Of files with several images, the one of this name or number, or all of them if it is ``"all"``.
    tell
        Called with a line about what takes a while.
    dtype
        Type of the results' pixels, instead of the input's own.
    blend
        Share of the raw images in the results, 0 to 1.
    joined
        Frames of a movie that are taken together; None as many as the model wants.
    mirrored
        Mirror images of which results are the mean.

    Raises
    ------
    ParameterError
        If there is no such shard, the model's name cannot be part of a file name, or ``out`` is of no use.
    """
    index, count = shard
    if not 1 <= index <= count:
        raise ParameterError(f"shard {index}/{count} does not exist: in I/N, I goes from 1 to N")
    if model is not None and (not model or Path(model).name != model):
        raise ParameterError(f"the model calls itself {model!r}, which cannot be part of a file name; rename it")
    if out is not None and out.suffix.lower() not in io.WRITERS:
        if out.is_file():
            raise ParameterError(
                f"{out} is a file; give a folder, or a name that ends in {', '.join(sorted(io.WRITERS))}"
            )
        if out.suffix.lower() in io.READERS and not out.is_dir():
            raise ParameterError(f"{out}: temclean reads this format but does not write it; give a name in .tif")
        meant = get_close_matches(out.suffix.lower(), io.WRITERS, 1, 0.7)
        if meant and not out.exists():
            raise ParameterError(f"{out} ends nearly in {meant[0]}: write that, or make the folder {out} first")
    found = expand(names, recursive=recursive)
    if tell and len(found) >= MANY:
        tell(f"looking at {len(found)} files")
    forms = [None if item.problem else _form(item.path) for item in found]
    ours = [
        not item.problem and is_left_out(item.path, include_results, form)
        for item, form in zip(found, forms, strict=True)
    ]
    chosen = [(item, form) for item, form, left_out in zip(found, forms, ours, strict=True) if not left_out]
    images = [(item, which, form) for item, form in chosen for which in _images(item, image)]
    if out is not None and _names_a_file(out) and len(images) > 1:
        what = f"{len(chosen)} inputs" if len(chosen) > 1 else f"{len(images)} images"
        raise ParameterError(f"{out} is the name of one file, and there are {what}; give a folder with -o")
    alone = len(images) == 1
    common = Job(Path(), None, dtype=dtype, blend=blend, joined=joined, mirrored=mirrored)
    jobs = [_job(item, which, model, out, common, form, alone=alone) for item, which, form in images]
    return Plan(
        jobs=tuple(refuse_clashes(jobs))[index - 1 :: count],
        left_out=tuple(item.path for item, left_out in zip(found, ours, strict=True) if left_out),
    )


def target(
    source: Path,
    model: str,
    out: Path | None = None,
    *,
    alone: bool = False,
    under: Path = NOWHERE,
    dtype: str | None = None,
    image: str = "",
    form: io.Format | None = None,
) -> Path:
    """Return where the result of ``source`` goes: ``STEM_MODEL.EXT``, beside it or in the folder ``out``.

    ``alone`` says that there is no other result, so that ``out`` may be the file itself; ``under`` is the folder in
    ``out``. A format that cannot hold pixels of ``dtype`` gives way to TIFF. Of a file with several images, ``image``
    comes before the model: ``STEM_IMAGE_MODEL.EXT``. ``form`` is what the file is, where that is known.
    """
    if out is not None and alone and _names_a_file(out):
        return out
    folder = source.parent if out is None else out / under if under != NOWHERE else out
    parts = [_stem(source), image, model] if image else [_stem(source), model]
    return folder / f"{'_'.join(parts)}{io.output_suffix(source, dtype, form)}"


def _stem(source: Path) -> str:
    """Return the name of a file without its suffixes: ``a`` of ``a.tif.gz`` and of ``a.ome.zarr``."""
    stem, suffix = source.stem, source.suffix.lower()
    packed = suffix == ".gz" or (suffix == ".zarr" and Path(stem).suffix.lower() == ".ome")
    return Path(stem).stem if packed else stem


def _names_a_file(out: Path) -> bool:
    return out.suffix.lower() in io.WRITERS and (not out.is_dir() or io.is_folder_format(out))


def _form(path: Path) -> io.Format | None:
    try:
        return io.identify(path)
    except (TemcleanError, OSError):  # as its reader will say
        return None


def is_left_out(path: Path, include_results: bool = False, form: io.Format | None = None) -> bool:
    """Return whether temclean made this file; one that cannot be read is for its reader to complain about.

    With ``include_results`` only pictures and evidence of results are left out.
    """
    try:
        made = io.provenance(path, form)
    except (TemcleanError, OSError):
        return False
    return made is not None and (PREVIEW in made or EVIDENCE in made or not include_results)


@dataclass(frozen=True)
class _Which:
    """An image of a file, and what stands for it in the name of its result."""

    image: str | None = None
    in_names: str = ""


def _images(item: Found, image: str | None) -> list[_Which]:
    """Return which images of a file are meant; the only one of a file has no name."""
    if image is None or item.problem:
        return [_Which()]
    try:
        names = io.list_images(item.path)
        places = range(len(names)) if image == "all" else [io.select(item.path, names, image)]
    except (TemcleanError, OSError):  # its reader will say the same when its turn comes
        return [_Which(image, io.file_names([image])[0])]
    if len(names) == 1:
        return [_Which()]
    in_names = io.file_names(names)
    return [_Which(names[place], in_names[place]) for place in places]


def _job(
    item: Found,
    which: _Which,
    model: str | None,
    out: Path | None,
    common: Job,
    form: io.Format | None,
    *,
    alone: bool,
) -> Job:
    if item.problem:
        return replace(common, source=item.path, problem=item.problem)
    name = OPEN_NAME if model is None else model
    place = target(
        item.path, name, out, alone=alone, under=item.under, dtype=common.dtype, image=which.in_names, form=form
    )
    fixed = model is not None or (out is not None and alone and _names_a_file(out))
    before = None if fixed else "_".join(filter(None, (_stem(item.path), which.in_names)))
    return replace(common, source=item.path, target=place, image=which.image, before=before)


def refuse_clashes(jobs: Sequence[Job]) -> Iterable[Job]:
    """Keep one input from being written over, and two results from landing on one name: the first input has it."""
    key_of = _Keys()
    sources = {key_of(job.source): job.source for job in jobs if job.target}
    taken: dict[str, Job] = {}
    models = list(available())
    for job in jobs:
        if job.target is None:
            yield job
            continue
        key = key_of(job.target)
        first = taken.setdefault(key, job)
        if key in sources:
            problem = f"its result would be written over the input {sources[key]}; give another -o"
            yield replace(job, problem=problem)
        elif first is not job:
            problem = f"its result would be {job.target}, as that of {first.source} is; give it another -o"
            yield replace(job, problem=problem)
        elif job.before is not None:
            folder = os.path.dirname(job.target)  # noqa: PTH120
            hit = [name for name in models if key_of.within(folder, job.file_name(name)) in sources]
            yield replace(job, inputs=tuple(hit)) if hit else job
        else:
            yield job


class _Keys:
    """Names by which two paths to one file are told to be the same; each folder is looked into once."""

    def __init__(self) -> None:
        self._folders: dict[str, tuple[str, set[str]]] = {}

    def __call__(self, path: Path) -> str:
        return self.within(*os.path.split(path))

    def within(self, parent: str, name: str) -> str:
        """Return the name by which a file in a folder is known."""
        if parent not in self._folders:
            self._folders[parent] = os.path.realpath(parent), _links(parent)
        folder, links = self._folders[parent]
        if name in links or name == "..":
            return os.path.normcase(os.path.realpath(os.path.join(parent, name)))  # noqa: PTH118
        return os.path.normcase(os.path.join(folder, name))  # noqa: PTH118


def _links(folder: str) -> set[str]:
    """Return the names in a folder that are links to elsewhere."""
    try:
        with os.scandir(folder or os.curdir) as entries:
            return {entry.name for entry in entries if entry.is_symlink()}
    except OSError:  # it is not there yet
        return set()
