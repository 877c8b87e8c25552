"""Awaits of answers with spins and without, with processors to spare and without, and what happens
to a program in the middle of them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

AWAITS = """
import asyncio, os, sys

from mojo_seq import Actor, ActorSystem, ProcessPool

class Echo(Actor):
    def ping(self, thing):
        return thing

class Asker(Actor):
    def __init__(self, *others):
        self.others = others

    async def ask_all(self, times):
        for number in range(times):
            for other in self.others:
                assert await other.ping(number) == number
        return times

async def main(*actors):
    asker, *others = actors
    for number in range(500):
        for other in others:
            assert await other.ping(number) == number
    done = await asyncio.gather(*(other.ping(n) for n in range(100) for other in others))
    assert sorted(done) == sorted([*range(100)] * len(others))
    assert await asker.ask_all(500) == 500

if __name__ == "__main__":
    if sys.argv[1] == "one":
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    with ProcessPool(2) as pool, ActorSystem(2) as system:
        others = [system.spawn(Echo), system.spawn(Echo, on=pool)]
        for asker in [system.spawn(Asker, *others), system.spawn(Asker, *others, on=pool)]:
            asyncio.run(main(asker, *others))
"""

INTERRUPTED = """
import asyncio, os, signal, threading

from mojo_seq import Actor, ActorSystem, ProcessPool

class Echo(Actor):
    def ping(self, thing):
        return thing

async def main(remote, local, begun):
    number = 0
    while True:
        number += 1
        assert await remote.ping(number) == number
        assert await local.ping(number) == number
        if number == 200:
            begun.set()

def interrupt(begun):
    begun.wait()
    os.kill(os.getpid(), signal.SIGINT)

if __name__ == "__main__":
    with ProcessPool(1) as pool, ActorSystem(1) as system:
        remote, local = system.spawn(Echo, on=pool), system.spawn(Echo)
        for _ in range(5):
            begun = threading.Event()
            thread = threading.Thread(target=interrupt, args=(begun,))
            thread.start()
            try:
                asyncio.run(main(remote, local, begun))
            except KeyboardInterrupt:
                print("interrupted")
            thread.join()
        assert remote.ping(1).result(10) == local.ping(1).result(10) == 1
"""

FORKED = """
import asyncio, os

from mojo_seq import Actor, ActorSystem, ProcessPool

class Echo(Actor):
    def ping(self, thing):
        return thing

async def ask(actor):
    for number in range(200):
        assert await actor.ping(number) == number

async def in_child():
    with ActorSystem(1) as system:
        await ask(system.spawn(Echo))

if __name__ == "__main__":
    with ProcessPool(1) as pool, ActorSystem(1) as system:
        actors = system.spawn(Echo, on=pool), system.spawn(Echo)
        for actor in actors:
            asyncio.run(ask(actor))
        child = os.fork()
        if child == 0:
            asyncio.run(in_child())
            os._exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        for actor in actors:
            asyncio.run(ask(actor))
"""


def run(tmp_path: Path, program: str, *arguments: str, spin: str = "auto") -> str:
    script = tmp_path / "awaiting.py"
    script.write_text(program)
    done = subprocess.run(
        [sys.executable, "-W", "ignore::DeprecationWarning", str(script), *arguments],
        env=os.environ | {"MOJO_SEQ_SPIN": spin},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


@pytest.mark.parametrize("spin", ["auto", "never"])
@pytest.mark.parametrize("processors", ["one", "all"])
def test_coroutines_and_actors_that_await(tmp_path: Path, spin: str, processors: str) -> None:
    run(tmp_path, AWAITS, processors, spin=spin)


def test_control_c_in_the_middle_of_awaits(tmp_path: Path) -> None:
    assert run(tmp_path, INTERRUPTED).split() == ["interrupted"] * 5


def test_a_forked_child_has_actors_of_its_own(tmp_path: Path) -> None:
    run(tmp_path, FORKED)
