"""Refs over raw message pipes."""

from __future__ import annotations

from mojo_seq import _core
from mojo_seq.actor.actor_ref import ActorRef
from mojo_seq.process import object_codec

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Any

    from mojo_seq.system import Message


def encode(ref: ActorRef[Any]) -> Message:
    """A message with the ref and nothing else."""
    encoded = object_codec.encode(ref)
    payload = encoded.freeze()
    assert isinstance(payload, bytes)  # nothing in a ref is large
    try:
        return _core.Message(payload, encoded.handles)
    except BaseException:
        encoded.discard()
        raise


def decode(message: Message) -> ActorRef[Any]:
    """The ref in it."""
    with message:
        try:
            ref = object_codec.decode(message)
        except _core.MojoError:
            raise
        except Exception as error:
            raise _core.InvalidArgumentError("the message does not contain an ActorRef") from error
    if not isinstance(ref, ActorRef):
        raise _core.InvalidArgumentError("the message does not contain an ActorRef")
    return ref
