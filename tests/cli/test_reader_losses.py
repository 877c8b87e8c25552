"""mojo_seq.cli.reader and lane: whenever workers die, no file is lost, and none done twice."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from reader_bench import Bench, WorkerByHand

from mojo_seq import PeerClosedError
from mojo_seq.cli import reader
from mojo_seq.cli.lane import CAPACITY, CHUNK, UNANSWERED
from mojo_seq.cli.records import from_message


def make_files(folder: Path, sizes: list[int]) -> None:
    for number, size in enumerate(sizes):
        (folder / f"{number}").write_bytes(bytes([number % 256]) * size)


def test_files_of_a_dead_worker_go_to_another(tmp_path: Path) -> None:
    make_files(tmp_path, [2 * CAPACITY, 2 * CAPACITY])
    with Bench(tmp_path, workers=2) as bench:
        bench.kill(bench.workers[0])
        bench.serve_all()
        assert bench.sizes() == [2 * CAPACITY] * 2


def test_a_loss_is_told_once_and_before_the_files_that_it_delays(tmp_path: Path) -> None:
    make_files(tmp_path, [2 * CAPACITY, 2 * CAPACITY])
    with Bench(tmp_path, workers=2) as bench:
        bench.kill(bench.workers[1])
        bench.serve_all()
        first, *others = bench.outcomes()
        assert first == {"lost": 2}
        assert [list(other) for other in others] == [["file"]] * 2


@pytest.mark.parametrize("reply_is_read_first", [True, False])
def test_what_a_worker_has_answered_is_done(tmp_path: Path, reply_is_read_first: bool) -> None:
    make_files(tmp_path, [CHUNK, CHUNK + 1, CHUNK + 2])
    with Bench(tmp_path, workers=2) as bench:
        mortal, _ = bench.workers
        mortal.answer(mortal.requests()[0])
        if reply_is_read_first:
            bench.run()
        bench.kill(mortal)
        bench.serve_all()
        assert bench.sizes() == [CHUNK, CHUNK + 1, CHUNK + 2]  # none of them twice


def test_a_half_read_file_is_begun_anew(tmp_path: Path) -> None:
    content = random.Random(1).randbytes(2 * CAPACITY + 1)
    (tmp_path / "file").write_bytes(content)
    with Bench(tmp_path, workers=2) as bench:
        mortal = next(worker for worker in bench.workers if worker.stream.query())
        for parts in mortal.requests():
            mortal.answer(parts)
            bench.run()
        bench.kill(mortal)
        bench.run()
        (heir,) = bench.workers
        received = b""
        while requests := heir.requests():
            received += heir.stream.read(peek=True)
            for parts in requests:
                heir.answer(parts)
            bench.run()
        assert received == content
        assert bench.sizes() == [len(content)]


def test_a_worker_that_has_finished_takes_over(tmp_path: Path) -> None:
    make_files(tmp_path, [2 * CAPACITY] * 4)
    with Bench(tmp_path, workers=2) as bench:
        mortal, heir = bench.workers
        bench.workers = [heir]
        bench.serve_all()
        assert heir.requests() == [] and heir.pipe.query_signals_state().writable
        bench.workers = [mortal, heir]
        bench.kill(mortal)
        bench.serve_all()
        assert bench.sizes() == [2 * CAPACITY] * 4


@pytest.mark.parametrize("part", ["stream", "pipe"])
def test_half_of_a_death_is_death(tmp_path: Path, part: str) -> None:
    make_files(tmp_path, [2 * CAPACITY, 2 * CAPACITY])
    with Bench(tmp_path, workers=2) as bench:
        mortal = bench.workers.pop(0)
        getattr(mortal, part).close()
        bench.serve_all()
        other = mortal.pipe if part == "stream" else mortal.stream
        assert other.query_signals_state().peer_closed
        assert bench.sizes() == [2 * CAPACITY] * 2


def test_workers_that_were_dead_from_the_beginning(tmp_path: Path) -> None:
    make_files(tmp_path, [CAPACITY] * 5)
    with Bench(tmp_path, workers=1, stillborn=3) as bench:
        bench.serve_all()
        outcomes = bench.outcomes()
    assert [each["lost"] for each in outcomes if "lost" in each] == [2, 3, 4]
    assert [each["file"]["size"] for each in outcomes if "file" in each] == [CAPACITY] * 5


@pytest.mark.parametrize(("workers", "stillborn"), [(1, 0), (3, 0), (0, 1), (0, 5), (2, 2)])
def test_it_gives_up_when_no_worker_is_left(tmp_path: Path, workers: int, stillborn: int) -> None:
    make_files(tmp_path, [10] * 20)
    with Bench(tmp_path, workers=workers, stillborn=stillborn) as bench:
        for worker in bench.workers[:]:
            bench.kill(worker)
            bench.run()
        *losses, last = bench.outcomes()
    assert sorted(each["lost"] for each in losses) == list(range(1, workers + stillborn + 1))
    assert last == {"given_up": True}


def test_it_does_not_give_up_when_no_file_is_left(tmp_path: Path) -> None:
    make_files(tmp_path, [10] * 20)
    with Bench(tmp_path) as bench:
        (worker,) = bench.workers
        for parts in worker.requests():
            worker.answer(parts)
        bench.kill(worker)
        bench.run()
        *files, last = bench.outcomes()
    assert [each["file"]["size"] for each in files] == [10] * 20
    assert last == {"lost": 1}


def test_the_problems_of_a_dead_worker_are_looked_at_again(tmp_path: Path) -> None:
    make_files(tmp_path, [2 * CAPACITY] * 2)
    with Bench(tmp_path, workers=2) as bench:
        mortal, heir = bench.workers
        for path in tmp_path.iterdir():
            path.write_bytes(b"short")  # both are being read
        for parts in mortal.requests():
            mortal.stream.discard(sum(nbytes for nbytes, _ in parts))
        bench.run()  # now the reader knows that one was changed
        bench.kill(mortal)
        bench.workers = [heir]
        bench.serve_all()
        kinds = [next(iter(each)) for each in bench.outcomes()]
    assert sorted(kinds) == ["file", "lost", "problem"]  # anew: nothing is wrong with it now


def test_progress_ends_with_the_bytes_that_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reader, "PROGRESS_INTERVAL", 0.0)
    make_files(tmp_path, [2 * CAPACITY] * 3)
    with Bench(tmp_path, workers=3) as bench:
        bench.kill(bench.workers[0])
        bench.run()
        bench.kill(bench.workers[0])
        bench.serve_all()
        progress = []
        with pytest.raises(PeerClosedError):
            while True:
                match from_message(bench.results.read()):
                    case {"progress": nbytes}:
                        progress.append(nbytes)
    assert progress[-1] == max(progress) == 6 * CAPACITY


def test_losing_a_worker_after_being_cancelled(tmp_path: Path) -> None:
    make_files(tmp_path, [2 * CAPACITY] * 3)
    with Bench(tmp_path, workers=3) as bench:
        bench.cancelled = True
        bench.kill(bench.workers[0])
        bench.run()
        assert bench.outcomes() == [{"lost": 1}]
        for worker in bench.workers:
            assert worker.pipe.query_signals_state().peer_closed


@pytest.mark.parametrize("seed", range(60))
def test_any_order_of_answers_and_deaths(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    sizes = [rng.choice([0, 1, 1000, CHUNK, CAPACITY + 5]) for _ in range(rng.randrange(40))]
    sizes += [0] * rng.choice([0, 2 * UNANSWERED])
    make_files(tmp_path, sizes)
    with Bench(tmp_path, workers=rng.randint(1, 4), stillborn=rng.randint(0, 1)) as bench:
        waiting: dict[WorkerByHand, list[list[tuple[int, bool]]]] = {w: [] for w in bench.workers}
        for _ in range(rng.randrange(200)):
            if not bench.workers:
                break
            worker = rng.choice(bench.workers)
            waiting[worker] += worker.requests()
            if rng.random() < 0.03:
                bench.kill(worker)
            elif waiting[worker] and worker.pipe.query_signals_state().writable:
                worker.answer(waiting[worker].pop(0))
            if rng.random() < 0.7:
                bench.run()
        for worker in bench.workers:
            for parts in waiting[worker]:
                worker.answer(parts)
        bench.serve_all()
        outcomes = bench.outcomes()
    done = [each["file"] for each in outcomes if "file" in each]
    assert len({file["path"] for file in done}) == len(done)
    if {"given_up": True} in outcomes:
        assert not bench.workers and len(done) < len(sizes)
    else:
        assert sorted(file["size"] for file in done) == sorted(sizes)
    lost = [each["lost"] for each in outcomes if "lost" in each]
    assert len(set(lost)) == len(lost)
