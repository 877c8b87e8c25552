"""A process without descriptors says so to those who wait for something from it."""

from __future__ import annotations

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager

from strangers import Depot, Friend
from strangers.fixtures import TIMEOUT, Put

from mojo_seq import ResourceExhaustedError


@contextmanager
def no_descriptors() -> Iterator[None]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    highest = max(map(int, os.listdir("/proc/self/fd")))
    taken = []
    resource.setrlimit(resource.RLIMIT_NOFILE, (highest + 1, limits[1]))
    try:
        try:
            while True:
                taken.append(os.dup(0))
        except OSError:
            yield
    finally:
        for fd in taken:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def test_who_asks_a_home_for_the_way_is_told_that_it_cannot_be_told_now(put: Put) -> None:
    depot, friend = put(Depot), put(Friend)
    assert depot.add(1).result(TIMEOUT) == 1
    friend.keep(depot).result(TIMEOUT)
    with no_descriptors():
        error = friend.ask_kept("add").exception(TIMEOUT)
    assert isinstance(error, ResourceExhaustedError)
    assert friend.ask_kept("add").result(TIMEOUT) == 2
