"""A cluster of Dask, of real processes on this machine: what it gives is what one process gives, whoever dies."""

import json
import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from temclean import io
from temclean.io import temporary
from temclean.restoration import models

distributed = pytest.importorskip("distributed", reason="Dask is not installed")
pytest.importorskip("zarr", reason="the zarr extra is not installed")
pytest.importorskip("onnxruntime", reason="the cpu extra is not installed")

import clusters  # noqa: E402

from temclean.commands.cluster import connection, running, unfinished, work  # noqa: E402
from temclean.commands.jobs import Job  # noqa: E402
from temclean.evidence.findings import Findings  # noqa: E402
from temclean.io.omezarr import writer  # noqa: E402

Run = Callable[..., Any]
DATA = Path(__file__).parents[2] / "data"
NETWORK, MOVIE = DATA / "network.onnx", DATA / "movie.onnx"
PIXELS = np.random.default_rng(3).integers(100, 4000, (12, 48, 64)).astype(np.uint16)


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as made:
        yield made
        for nanny in made.workers.values():  # or each is given four seconds to end by itself
            nanny.auto_restart = False
            os.kill(nanny.pid, signal.SIGKILL)


def whole(cluster: Any, client: Any) -> None:
    """Wait until the scheduler knows the two workers that run, and no other: of one that died it hears later."""
    until = time.monotonic() + 60
    while True:
        alive = {nanny.worker_address for nanny in list(cluster.workers.values())}
        if len(alive - {None}) == 2 and alive == set(client.nthreads()):
            return
        assert time.monotonic() < until, (alive, client.nthreads())
        time.sleep(0.02)


@pytest.fixture
def client(cluster: Any) -> Iterator[Any]:
    with distributed.Client(cluster, set_as_default=False) as made:
        whole(cluster, made)
        yield made
        if "dying" in cluster.scheduler.worker_plugins:
            made.unregister_worker_plugin("dying")


@pytest.fixture
def movie(tmp_path: Path) -> Path:
    image = io.Image.from_array(PIXELS, 0.1, "nm")
    return io.write(tmp_path / "movie.zarr", image, list(PIXELS))


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize(
    "wishes",
    [
        ["-m", NETWORK],
        ["-m", NETWORK, "--frames", 5],
        ["-m", MOVIE],
        ["-m", NETWORK, "--dtype", "int8", "--blend", 0.3, "--mirrored", 4],
    ],
)
def test_the_result_is_that_of_one_process_to_the_last_byte(
    run: Run, movie: Path, cluster: Any, client: Any, wishes: list[Any]
) -> None:
    line = ["denoise", movie, "--device", "cpu", "--json", *wishes]
    here = run(*line, "-o", movie.with_name("here.ome.zarr"))
    there = run(*line, "-o", movie.with_name("there.ome.zarr"), "--scheduler", cluster.scheduler_address)
    assert (here.code, there.code) == (0, 0), there.err
    assert "2 workers" in there.err
    records = [json.loads(done.out) for done in (here, there)]
    assert [record.pop("output") for record in records] == [
        str(movie.with_name(f"{name}.ome.zarr")) for name in ("here", "there")
    ]
    assert [record.pop("seconds") > 0 for record in records] == [True, True]
    assert records[0] == records[1]
    wanted = contents(movie.with_name("here.ome.zarr"))
    assert contents(movie.with_name("there.ome.zarr")) == wanted
    assert len(wanted) == 2 + len(PIXELS)
    assert sorted(path.name for path in movie.parent.iterdir()) == ["here.ome.zarr", "movie.zarr", "there.ome.zarr"]


def test_a_worker_that_is_killed_loses_nothing(
    run: Run, movie: Path, cluster: Any, client: Any, tmp_path: Path
) -> None:
    line = ["denoise", movie, "--device", "cpu", "-m", NETWORK]
    run(*line, "-o", movie.with_name("here.ome.zarr"))
    client.register_plugin(clusters.Dying(tmp_path / "died", 3))
    before = set(client.nthreads())
    there = run(*line, "-o", movie.with_name("there.ome.zarr"), "--scheduler", cluster.scheduler_address)
    assert there.code == 0, there.err
    assert (tmp_path / "died").exists()
    assert before - set(client.nthreads()), "one has died"
    assert contents(movie.with_name("there.ome.zarr")) == contents(movie.with_name("here.ome.zarr"))


def test_what_kills_every_worker_is_told_and_the_rest_is_kept(
    run: Run, movie: Path, cluster: Any, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = ["denoise", movie, "--device", "cpu", "-m", NETWORK, "--scheduler", cluster.scheduler_address]
    line += ["-o", movie.with_name("there.ome.zarr")]
    monkeypatch.setattr(cluster.scheduler, "allowed_failures", 0)
    client.register_plugin(clusters.Dying(None, 11))
    done = run(*line)
    assert (done.code, "died" in done.err, "--resume" in done.err) == (1, True, True)
    (left,) = movie.parent.glob(".there.ome.zarr.*.part")
    kept = (left / "journal.jsonl").read_text().split()
    assert len(kept) > 1
    assert not movie.with_name("there.ome.zarr").exists()
    whole(cluster, client)
    client.unregister_worker_plugin("dying")
    assert run(*line, "--resume").code == 0
    assert not left.exists()


class Stopping:
    """Interrupts a run when so many tasks are done, and counts how many there are."""

    def __init__(self, after: int = 1000) -> None:
        self.left, self.asked = after, 0

    def begin(self, job: Job, tiles: int) -> None:
        self.asked += tiles

    def advance(self, tiles: int) -> None:
        self.left -= 1
        if not self.left:
            raise KeyboardInterrupt


def test_a_run_that_was_stopped_goes_on_and_does_again_what_is_damaged(movie: Path, client: Any) -> None:
    target = movie.with_name("out.zarr")
    there = running.Cluster(client, models.load(NETWORK), work.Setting("cpu"))
    whole = Stopping()
    assert [each.status for each in there.run([Job(movie, movie.with_name("w.zarr"))], progress=whole)] == ["done"]
    with pytest.raises(KeyboardInterrupt):
        list(there.run([Job(movie, target)], progress=Stopping(5)))
    (left,) = movie.parent.glob(".out.zarr.*.part")
    lines = (left / "journal.jsonl").read_text().splitlines()
    frames = [json.loads(line)["first"] for line in lines if line]
    assert len(frames) == 5
    with (left / "journal.jsonl").open("a") as file:
        file.write('\n{"first": 0, "st')  # as a power cut leaves it
    chunks = [left / "result" / "s0" / "c" / str(frame) / "0" / "0" for frame in frames]
    chunks[0].write_bytes(chunks[1].read_bytes())
    rest = Stopping()
    (done,) = there.run([Job(movie, target)], resume=True, progress=rest)
    assert (done.status, rest.asked) == ("done", whole.asked * (len(PIXELS) - 4) // len(PIXELS))
    assert contents(target) == contents(movie.with_name("w.zarr"))
    assert [each.status for each in there.run([Job(movie, target)], resume=True)] == ["kept"]


def test_how_far_a_beam_strayed_is_kept_for_another_run(movie: Path) -> None:
    with io.read(movie) as image:
        begun = unfinished.Unfinished(movie.with_name("out.zarr"), {}, image, PIXELS.dtype, resume=False)
        writer.put(writer.reopen(begun.result), 0, PIXELS[0])
        done = work.Done(0, 1, io.checksum([PIXELS[0]]), "cpu", findings=(Findings(strayed=0.4),))
        begun.add(done)
        begun.leave()
        again = unfinished.Unfinished(movie.with_name("out.zarr"), {}, image, PIXELS.dtype, resume=True)
        again.leave()
    assert again.done == {0: done}


def test_what_one_run_writes_another_leaves_alone(movie: Path, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    there = running.Cluster(client, models.load(NETWORK), work.Setting("cpu"))
    with pytest.raises(KeyboardInterrupt):
        list(there.run([Job(movie, movie.with_name("out.zarr"))], progress=Stopping(2)))
    (left,) = movie.parent.glob(".out.zarr.*.part")
    (left / "owner").write_text(f"{temporary.HOST}-1")  # a process that runs
    (done,) = there.run([Job(movie, movie.with_name("out.zarr"))], resume=True)
    assert "another run" in str(done.error)
    (left / "owner").write_text("000000-1")  # of another machine: nobody knows
    (done,) = there.run([Job(movie, movie.with_name("out.zarr"))])
    assert "another run" in str(done.error)
    assert left.is_dir()
    (done,) = there.run([Job(movie, movie.with_name("out.zarr"))], resume=True)
    assert done.status == "done"


def test_files_of_other_formats_are_done_one_by_a_worker(run: Run, tmp_path: Path, cluster: Any, client: Any) -> None:
    (tmp_path / "in").mkdir()
    for index, pixels in enumerate(PIXELS[:3]):
        io.write(tmp_path / "in" / f"{index}.tif", io.Image.from_array(pixels, 0.1, "nm"), [pixels])
    (tmp_path / "in" / "bad.tif").write_bytes(b"II*\0\0")
    line = ["denoise", tmp_path / "in", "-m", NETWORK, "--device", "cpu"]
    here = run(*line, "-o", tmp_path / "here")
    there = run(*line, "-o", tmp_path / "there", "--scheduler", cluster.scheduler_address)
    assert (here.code, there.code) == (1, 1)
    assert there.out == here.out.replace(str(tmp_path / "here"), str(tmp_path / "there"))
    assert here.err.splitlines()[-2:] == there.err.splitlines()[-2:]
    assert contents(tmp_path / "there") == contents(tmp_path / "here")
    assert len(contents(tmp_path / "there")) == 3


def test_a_worker_that_lacks_something_is_named(run: Run, movie: Path, cluster: Any, client: Any) -> None:
    one = min(client.nthreads())
    line = ["denoise", movie, "-m", NETWORK, "--scheduler", cluster.scheduler_address, "-o", movie.with_name("o.zarr")]
    client.run(clusters.blind, str(movie))
    blind = run(*line)
    client.run(clusters.blind, "")
    assert (blind.code, blind.err.count("\n")) == (1, 2), blind.err
    assert "does not see this file; put it on a disk that all workers share" in blind.err
    client.run(clusters.lose, "temclean", workers=[one])
    lacking = run(*line)
    client.run(clusters.lose, "temclean", again=True, workers=[one])
    assert (lacking.code, lacking.err.count("\n")) == (2, 1), lacking.err
    assert f"worker {one} has no temclean" in lacking.err


def test_no_scheduler_is_one_line(run: Run, movie: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(connection, "PATIENCE", 0.3)
    (tmp_path / "wrong.json").write_text("{}")
    for line, words in (
        (["--scheduler", "tcp://127.0.0.1:9"], "no scheduler of Dask answers at tcp://127.0.0.1:9"),
        (["--scheduler", "nonsense"], "no scheduler of Dask answers at nonsense"),
        (["--scheduler-file", tmp_path / "absent.json"], "there is no such file; dask scheduler"),
        (["--scheduler-file", tmp_path / "wrong.json"], "is no file of a scheduler"),
        (["--scheduler-file", tmp_path / "a", "--scheduler", "tcp://a:1"], "leave one out"),
    ):
        done = run("denoise", movie, "-m", NETWORK, *line)
        assert (done.code, done.out, done.err.count("\n")) == (2, "", 1), done.err
        assert words in done.err
    monkeypatch.setitem(sys.modules, "distributed", None)
    done = run("denoise", movie, "-m", NETWORK, "--scheduler", "tcp://127.0.0.1:9")
    assert (done.code, "temclean[dask]" in done.err) == (2, True)


def test_the_file_of_a_scheduler_names_it(run: Run, movie: Path, cluster: Any, client: Any, tmp_path: Path) -> None:
    (tmp_path / "scheduler.json").write_text(json.dumps({"address": cluster.scheduler_address}))
    done = run("denoise", movie, "-m", NETWORK, "--scheduler-file", tmp_path / "scheduler.json", "-q")
    assert (done.code, done.err) == (0, "")
    assert done.out == f"{movie} -> {movie.with_name('movie_network.zarr')}\n"
