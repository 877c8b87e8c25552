"""Refs in what is sent to other processes."""

from __future__ import annotations

import sys

from mojo_seq import _core
from mojo_seq.actor.actor_ref import ActorRef
from mojo_seq.actor.reasons import StopReason
from mojo_seq.actor.remote.connections import connections
from mojo_seq.actor.remote.description import Description
from mojo_seq.actor.remote.ended_target import EndedTarget
from mojo_seq.actor.remote.node import box_of, node_of
from mojo_seq.actor.remote.placed_target import PlacedTarget
from mojo_seq.actor.remote.remote_target import RemoteTarget
from mojo_seq.process.encoding import here

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Any

    from mojo_seq.system import MessagePipeHandle


def reduce_ref(ref: ActorRef[Any]) -> tuple[Any, ...]:
    """What pickle makes of a ref, where an object is encoded for a pipe or a process is started.

    Raises:
        TypeError: elsewhere.
    """
    encoder = here.encoder
    if encoder is not None and encoder.trial:
        return str, ()
    if encoder is None and not _starts_process():
        raise TypeError(
            "an ActorRef can be sent to actors and as an argument of a process; over pipes as "
            "ref.to_message()"
        )
    target = ref._target
    description = describe(ref)
    if isinstance(target, EndedTarget):
        return load_ref, (*_parts(description), None)
    if getattr(target, "system", None) is not None and not getattr(target, "is_hosted", False):
        node_of(target.system).note(target)
    home = description.identity[0]
    introduction: Any
    if encoder is None:
        introduction = introduce(target)
    else:
        introduction = encoder.add_once(home, lambda: introduce(target))
    return load_ref, (*_parts(description), introduction)


def _parts(description: Description) -> tuple[Any, ...]:
    return (
        description.identity,
        description.name,
        description.module,
        description.qualname,
        tuple(description.methods),
        description.placed,
        description.box,
    )


def _starts_process() -> bool:
    context = sys.modules.get("multiprocessing.context")
    return context is not None and context.get_spawning_popen() is not None


def describe(ref: ActorRef[Any]) -> Description:
    """What is told of a ref's actor."""
    target = ref._target
    known = getattr(target, "description", None)
    if isinstance(known, Description):
        return known
    cls = target.actor_class
    placed = bool(getattr(target, "is_placed", False))
    return Description(
        target.identity,
        target.name,
        cls.__module__,
        cls.__qualname__,
        ref._methods,
        placed,
        box_of(target),
    )


def introduce(target: Any) -> MessagePipeHandle:
    """A pipe to the home of an actor."""
    home = target.identity[0]
    node = connections.node(home)
    if node is not None:
        return node.introduce()
    if isinstance(target, RemoteTarget | PlacedTarget):
        return target.introduce()
    connection = connections.find(home)
    if connection is not None:
        return connection.introduce()
    return node_of(target.system).introduce()


def load_ref(
    identity: tuple[bytes, int],
    name: str | None,
    module: str,
    qualname: str,
    methods: tuple[str, ...],
    placed: bool,
    box: tuple[int, str] | None,
    introduction: int | MessagePipeHandle | None,
) -> ActorRef[Any]:
    """What is pickled in the place of a ref."""
    pipe: Any = introduction
    decoder = here.decoder
    node = connections.node(identity[0])
    if node is not None:
        if isinstance(pipe, _core.Handle):
            pipe.close()
        local = node.find_ref(identity[1])
        if local is not None:
            return local
        ended = Description(identity, name, module, qualname, frozenset(methods), placed, box)
        return ActorRef(EndedTarget(ended, node.reason_of(identity[1])), ended.methods)
    connection = connections.find(identity[0])
    if connection is None:
        if isinstance(pipe, int):
            pipe = decoder.take(pipe) if decoder is not None else None
        connection = connections.join(identity[0], pipe)
    elif isinstance(pipe, _core.Handle):
        pipe.close()
    description = Description(identity, name, module, qualname, frozenset(methods), placed, box)
    if connection is None:
        return ActorRef(EndedTarget(description, _no_way(), is_alive=True), description.methods)
    target = (PlacedTarget if placed else RemoteTarget)(description, connection)
    return ActorRef(target, description.methods)


def ref_to(
    identity: tuple[bytes, int], name: str | None, module: str, qualname: str
) -> ActorRef[Any]:
    """A ref to an actor of which only that is known, to be shown."""
    node = connections.node(identity[0])
    local = None if node is None else node.find_ref(identity[1])
    if local is not None:
        return local
    description = Description(identity, name, module, qualname, frozenset(), False, None)
    return ActorRef(EndedTarget(description, _no_way(), is_alive=True), frozenset())


def _no_way() -> StopReason:
    error = _core.ActorDeadError("the ref has come without a way to its actor")
    return StopReason("failed", error)
