"""Pykka's actors, a thread each."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from mojo_seq.cli.bench.placing import pin


@contextmanager
def started(actor_class: Any, *args: Any) -> Iterator[Any]:
    """A ref of a new actor, which is stopped at the end."""
    ref = actor_class.start(*args)
    try:
        yield ref
    finally:
        ref.stop()


class Echo:
    """Answers what it is asked."""

    def ping(self, payload: bytes) -> bytes:
        return payload

    def pin(self, core: int) -> None:
        pin(core)


@contextmanager
def pykka_echo(core: int) -> Iterator[Callable[[bytes], Any]]:
    """An actor's method, called by proxy, that gives back its argument; on that processor."""
    import pykka

    with started(type("PykkaEcho", (Echo, pykka.ThreadingActor), {})) as ref:
        proxy = ref.proxy()
        proxy.pin(core).get()
        yield proxy.ping
