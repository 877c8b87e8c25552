"""HostedReply: the reply of an ask that came from another process."""

from __future__ import annotations

from mojo_seq import _core
from mojo_seq.actor.remote import wire
from mojo_seq.actor.remote.chains import who_is
from mojo_seq.process.object_codec import encode

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from typing import Any

    from mojo_seq.actor.remote.chains import _Path


class HostedReply(_core.HostedReplyBase):
    """Goes back to the client when it is complete.

    Args:
        accepted: the client.
        ask: the number of the ask there.
        cell: who answers; None: the actor has ended.
    """

    __slots__ = ()

    def extend(self, path: _Path | None) -> None:
        """It turns out to be in the service of more asks, or (None) has just come: what its actor
        waits for meanwhile is waited for by all of those, too. If that leads back here the asks
        would wait for one another for ever."""
        if path is not None:
            if path.keys() <= self.path.keys():
                return
            self.path = {**path, **self.path}
        cell = self.target
        if self.running() and path is None:
            return  # it does not wait in the mailbox
        waits = cell.waits()
        if not waits:
            return
        if any(each.token in self.path for each in waits):
            self.fail(_core.AskCycleError("", (cell.ref,)))
            return
        here = {**self.path, self.token: who_is(cell)}
        for each in waits:
            extend_wait(each, here)

    def complete_cycle(self, error: _core.AskCycleError) -> _core.AskCycleError:
        """The core knows of the last actor in the cycle only; the path knows of the others."""
        from mojo_seq.actor.remote.ref_pickling import ref_to

        between = list(self.path.values())
        waited_for = {each.token for each in self.target.waits()}
        hits = [number for number, token in enumerate(self.path) if token in waited_for]
        if not hits:  # it is about to wait, for what it asked in the service of an ask to itself
            asked = [who is not None and who[0] == self.target.identity for who in between]
            hits = [number + 1 for number, itself in enumerate(asked[:-1]) if itself]
        if len(error.chain) != 1 or not hits:
            return error
        last = error.chain[0]
        chain = (last, *(ref_to(*each) for each in between[hits[-1] :] if each is not None), last)
        return _core.AskCycleError(
            "the answer can never come, for everybody here waits for the next: "
            + " -> ".join(map(repr, chain)),
            chain,
        )


def extend_wait(reply: Any, path: _Path) -> None:
    """Somebody in the service of the asks of `path` waits for a reply."""
    waiter = reply.waiter  # read once: another thread takes it away when the answer comes
    if reply.token is not None and waiter is not None:
        suffix = wire.pack_suffix(wire.EXTEND, 0, reply.token[1])
        waiter.write(encode(path, suffix))
    elif isinstance(reply.target, _core.Mailbox):
        for each in reply.target.waits():
            if each.token not in path:
                extend_wait(each, path)


_core.set_hosted_reply_class(HostedReply)
