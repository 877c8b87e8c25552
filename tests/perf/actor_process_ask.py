"""Asks to an actor in another process, 64 bytes there and back, against xoscar and Ray.

One right after the other: on one processor that shows what the software costs; on two what it costs
to wake a sleeping processor, or that a short spin saved it. After a pause all are asleep for
certain. xoscar is asked by a coroutine, as it has to be, and Ray by a thread.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

from harness import Contender, Measure, Scale, main, one_core, rested, two_cores
from process_actors import Link, mojo, mojo_asyncio, mojo_between_workers, ray, xoscar
from verdict import Target

PAYLOAD = b"x" * 64

Cores = Callable[[], tuple[int, int]]

THREAD = "mojo_seq, a thread asks"
COROUTINE = "mojo_seq, a coroutine asks"
WORKER = "mojo_seq, another worker process asks"
OURS: dict[str, Link] = {THREAD: mojo, COROUTINE: mojo_asyncio, WORKER: mojo_between_workers}
PEERS: dict[str, Link] = {"xoscar": xoscar, "ray": ray}


def steady(link: Link, cores: Cores, scale: Scale) -> float:
    """Microseconds of an ask, one right after the other."""
    with link(*cores()) as asks:
        return scale.per_operation(lambda n: asks("ping", PAYLOAD, n), 1.0) * 1e6


def after_a_pause(link: Link, cores: Cores, scale: Scale) -> float:
    """Microseconds of an ask that begins when everybody sleeps."""
    with link(*cores()) as asks:
        asks("ping", PAYLOAD, scale.n(500))
        return rested(lambda: asks("ping", PAYLOAD, 1), scale.n(500)) * 1e6


def measure(
    where: str, take: Callable[[Link, Cores, Scale], float], cores: Cores, *ours: str
) -> Measure:
    return Measure(
        f"ask, actor in another process, {where}",
        "us",
        (
            *(Contender(name, partial(take, OURS[name], cores)) for name in ours),
            *(Contender(name, partial(take, link, cores), name) for name, link in PEERS.items()),
        ),
        (
            *(Target.within(name, "xoscar", 0.2) for name in ours),
            *(Target.within(name, "ray", 0.1) for name in ours),
        ),
    )


MEASURES = (
    measure("one processor", steady, one_core, *OURS),
    measure("two processors", steady, two_cores, *OURS),
    measure("two processors, after a pause", after_a_pause, two_cores, THREAD, COROUTINE),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
