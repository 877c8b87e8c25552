"""HashRing: consistent hashing."""

from __future__ import annotations

import zlib
from bisect import bisect
from hashlib import blake2b
from typing import TYPE_CHECKING, Any, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

N = TypeVar("N")

# Points of a node on the ring. With so many, the busiest has a quarter more than its share.
_POINTS = 128
_MASK = (1 << 64) - 1


class HashRing(Generic[N]):
    """Finds the same node for equal keys; without one of the nodes, only its keys move.

    Args:
        nodes: at least one.
        name: what tells a node from all others, in every process.
    """

    __slots__ = ("_at", "_owners", "nodes")

    def __init__(self, nodes: tuple[N, ...], name: Callable[[N], bytes]) -> None:
        self.nodes = nodes
        points = []
        for node in nodes:
            # 8 bytes a point, 8 points a digest.
            for part in range(_POINTS // 8):
                digest = blake2b(name(node), salt=part.to_bytes(2, "little")).digest()
                points += [
                    (int.from_bytes(digest[at : at + 8], "little"), node) for at in range(0, 64, 8)
                ]
        points.sort(key=lambda point: point[0])
        self._at = [at for at, _ in points]
        self._owners = [node for _, node in points]

    def find(self, key: Any) -> N:
        """The node of a key, which must be hashable."""
        return self._owners[bisect(self._at, _spread(stable_hash(key))) % len(self._owners)]


def stable_hash(key: Any) -> int:
    """As hash(), but the same in every process for str, bytes, None and tuples of what it is the
    same for."""
    if isinstance(key, str):
        data = key.encode("utf-8", "surrogatepass")
        return zlib.crc32(data) | len(data) << 32
    if isinstance(key, bytes):
        return zlib.crc32(key) | len(key) << 32
    if isinstance(key, tuple):
        mixed = len(key)
        for each in key:
            mixed = _spread(mixed ^ stable_hash(each))
        return mixed
    return 0 if key is None else hash(key)


def _spread(number: int) -> int:
    """Numbers that are near each other come to lie far apart (the finalizer of splitmix64)."""
    number &= _MASK
    number = (number ^ number >> 30) * 0xBF58476D1CE4E5B9 & _MASK
    number = (number ^ number >> 27) * 0x94D049BB133111EB & _MASK
    return number ^ number >> 31
