"""A numpy array of 8 MiB as the argument of a task, which looks at both ends of it; one worker.

By value it is copied at least once; a shared array is where both processes see it.
"""

from __future__ import annotations

from functools import partial

import numpy as np

from mojo_seq import shared_array
from mojo_seq.cli.bench.case import Case
from mojo_seq.cli.bench.contender import Contender
from mojo_seq.cli.bench.peers.pool_tasks import ends
from mojo_seq.cli.bench.peers.pools import (
    OpenExecutor,
    executor_pool,
    mojo_pool,
    multiprocessing_pool,
    ray_pool,
)
from mojo_seq.cli.bench.scale import Scale

COUNT = 1 << 20  # of 8 bytes
CALLS = 100


def by_value(open_pool: OpenExecutor, scale: Scale) -> float:
    array = np.ones(COUNT)
    with open_pool(1) as pool:
        return scale.per_turn(lambda: pool.submit(ends, array).result(), scale.n(CALLS)) * 1e3


def shared(scale: Scale) -> float:
    array = shared_array(COUNT)
    with mojo_pool(1) as pool:
        return scale.per_turn(lambda: pool.submit(ends, array).result(), scale.n(CALLS)) * 1e3


def applied(scale: Scale) -> float:
    array = np.ones(COUNT)
    with multiprocessing_pool(1) as pool:
        return scale.per_turn(lambda: pool.apply(ends, (array,)), scale.n(CALLS)) * 1e3


def ray_task(scale: Scale) -> float:
    array = np.ones(COUNT)
    with ray_pool(1) as ray:
        remote = ray.remote(ends)
        return scale.per_turn(lambda: ray.get(remote.remote(array)), scale.n(CALLS)) * 1e3


CASE = Case(
    "array of 8 MiB as the argument of a pool's task",
    "ms",
    (
        Contender("mojo_seq.ProcessPool", partial(by_value, mojo_pool)),
        Contender("mojo_seq, a shared_array", shared),
        Contender("ProcessPoolExecutor", partial(by_value, executor_pool), "concurrent.futures"),
        Contender("multiprocessing.Pool", applied, "multiprocessing"),
        Contender("Ray, a task", ray_task, "ray"),
    ),
)
