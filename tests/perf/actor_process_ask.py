"""Asks to an actor in another process, 64 bytes there and back, against xoscar and Ray.

One right after the other: on one processor that shows what the software costs; on two what it costs
to wake a sleeping processor, or that a short spin saved it. After a pause all are asleep for
certain. xoscar is asked by a coroutine, as it has to be, and Ray by a thread. Last they are asked
with a ref instead, and give it back.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial

from harness import Measure, main
from process_actors import mojo_asyncio, mojo_between_workers
from verdict import Target

from mojo_seq.cli.bench.cases.ask_process import PAYLOAD, Link, mojo, ray, steady
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.peers.xoscar_actors import xoscar
from mojo_seq.cli.bench.placing import TwoCores, one_core, two_cores
from mojo_seq.cli.bench.scale import Scale, rested

THREAD = "mojo_seq, a thread asks"
COROUTINE = "mojo_seq, a coroutine asks"
WORKER = "mojo_seq, another worker process asks"
OURS: dict[str, Link] = {THREAD: mojo, COROUTINE: mojo_asyncio, WORKER: mojo_between_workers}
PEERS: dict[str, Link] = {"xoscar": xoscar, "ray": ray}
PARTS = {"xoscar": 0.2, "ray": 0.1}


def after_a_pause(link: Link, cores: TwoCores, scale: Scale) -> float:
    """Microseconds of an ask that begins when everybody sleeps."""
    with link(*cores()) as asks:
        asks("ping", PAYLOAD, scale.n(500))
        return rested(lambda: asks("ping", PAYLOAD, 1), scale.n(500)) * 1e6


def with_a_ref(link: Link, cores: TwoCores, scale: Scale) -> float:
    """Microseconds of an ask that has a ref in it, like its answer."""
    with link(*cores()) as asks:
        ref = asks("own", None, 1)
        return scale.per_operation(lambda n: asks("ping", ref, n), 1.0) * 1e6


def measure(
    where: str,
    take: Callable[[Link, TwoCores, Scale], float],
    cores: TwoCores,
    *ours: str,
    limit: float | None = None,
    peers: dict[str, Link] = PEERS,
) -> Measure:
    return Measure(
        f"ask, actor in another process, {where}",
        "us",
        (
            *(Contender(name, partial(take, OURS[name], cores)) for name in ours),
            *(Contender(name, partial(take, link, cores), name) for name, link in peers.items()),
        ),
        (
            *(Target.within(name, each, PARTS[each]) for each in peers for name in ours),
            *(Target.at_most(name, limit, "us") for name in ours if limit is not None),
        ),
    )


MEASURES = (
    measure("one processor", steady, one_core, *OURS),
    measure("two processors", steady, two_cores, *OURS, limit=10),
    measure("two processors, after a pause", after_a_pause, two_cores, THREAD, COROUTINE),
    measure("with a ref, one processor", with_a_ref, one_core, *OURS, peers={"xoscar": xoscar}),
)

if __name__ == "__main__":
    sys.exit(main(__file__, __doc__, MEASURES))
