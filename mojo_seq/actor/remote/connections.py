"""All connections of this process, by node; and the nodes that are here themselves."""

from __future__ import annotations

import os
import threading
from weakref import WeakValueDictionary

from mojo_seq.actor.remote.connection import Connection

TYPE_CHECKING = False  # of typing, whose import takes longer than ours
if TYPE_CHECKING:
    from mojo_seq.actor.remote.node import Node
    from mojo_seq.system import MessagePipeHandle


class Connections:
    """Any thread."""

    def __init__(self) -> None:
        self._forget_all()

    def _forget_all(self) -> None:
        """Also in a forked child, whose inherited pipes are dead."""
        self._lock = threading.Lock()
        self._connections: WeakValueDictionary[bytes, Connection] = WeakValueDictionary()
        self._kept: list[set[Connection]] = []  # _lock: by each that keeps some
        self._nodes: WeakValueDictionary[bytes, Node] = WeakValueDictionary()

    def find(self, node_id: bytes) -> Connection | None:
        """The connection to a node, if there is one."""
        return self._connections.get(node_id)

    def join(self, node_id: bytes, pipe: MessagePipeHandle | None) -> Connection | None:
        """The connection to a node, made of `pipe` if there is none; else that is closed."""
        if node_id not in self._connections:
            self.look_around()
        with self._lock:
            connection = self._connections.get(node_id)
            if connection is None and pipe is not None and pipe.is_valid:
                connection = self._connections[node_id] = _Shared(node_id, pipe)
                for kept in self._kept:
                    kept.add(connection)
                return connection
        if pipe is not None:
            pipe.close()
        return connection

    def keep(self, connection: Connection) -> None:
        """Notes one that was made in another way."""
        with self._lock:
            self._connections[connection.node_id] = connection

    def look_around(self) -> None:
        """Notices which of those that are only kept are lost: nobody watches them."""
        with self._lock:
            kept = set[Connection]().union(*self._kept)
        for each in kept:
            if not each.pipe.is_valid or each.pipe.query_signals_state().peer_closed:
                each.look()
                each.look()  # the end comes after what was still to be read

    def begin_keeping(self) -> set[Connection]:
        """From now on new connections live on without a ref, until `end_keeping`: for a process
        where refs come and go with each message."""
        kept = set[Connection]()
        with self._lock:
            self._kept.append(kept)
        return kept

    def end_keeping(self, kept: set[Connection]) -> None:
        """Lets go of them."""
        with self._lock:
            self._kept = [each for each in self._kept if each is not kept]
        kept.clear()

    def forget(self, connection: Connection) -> None:
        """It is lost."""
        with self._lock:
            for kept in self._kept:
                kept.discard(connection)

    def add_node(self, node: Node) -> None:
        """Notes a node that is here."""
        with self._lock:
            self._nodes[node.id] = node

    def node(self, node_id: bytes) -> Node | None:
        """The node of that id, if it is here."""
        return self._nodes.get(node_id)


class _Shared(Connection):
    """One that others find."""

    def part(self) -> None:
        connections.forget(self)


connections = Connections()
os.register_at_fork(after_in_child=connections._forget_all)
