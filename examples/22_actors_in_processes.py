"""Actors in processes: the same refs and calls; arrays among the arguments go in shared memory."""

import os

import numpy as np

from mojo_seq import Actor, ActorRef, ActorSystem, ProcessPool, SharedBufferHandle
from mojo_seq import create_shared_buffer as create

Array = np.ndarray[tuple[int], np.dtype[np.float64]]
COUNT = 1_000_000


class Smoother(Actor):
    def smooth(self, samples: Array) -> Array:
        return np.convolve(samples, np.ones(4) / 4, "valid")

    def double(self, buffer: SharedBufferHandle) -> SharedBufferHandle:
        buffer.as_array(np.float64)[:] *= 2  # in place: this process owns it now
        return buffer  # and now whoever asked does

    def pid(self) -> int:
        return os.getpid()


class Camera(Actor):
    """Lives in a process of its own, and asks the other one directly."""

    def __init__(self, smoother: ActorRef[Smoother]) -> None:
        self._smoother = smoother

    async def shoot(self) -> float:
        samples = np.arange(COUNT, dtype=np.float64)
        smoothed = await self._smoother.ask(Smoother.smooth, samples)  # a copy goes, and comes
        return float(smoothed[0])

    def pid(self) -> int:
        return os.getpid()


def main() -> None:
    # The pool outside: its processes are still there when the system ends the actors in them.
    with ProcessPool(2) as pool, ActorSystem() as system:
        smoother = system.spawn(Smoother, on=pool)
        camera = system.spawn(Camera, smoother, on=pool)
        pids = {os.getpid(), smoother.pid().result(), camera.pid().result()}
        assert len(pids) == 3
        assert camera.ask(Camera.shoot).result() == 1.5

        buffer = create(COUNT * 8)
        buffer.as_array(np.float64)[:] = 1.0
        with smoother.ask(Smoother.double, buffer).result() as doubled:  # nothing is copied
            assert not buffer.is_valid  # it has moved
            assert (doubled.as_array(np.float64) == 2.0).all()
    print(f"{COUNT:,} numbers went between {len(pids)} processes, with copies and without")


if __name__ == "__main__":
    main()
