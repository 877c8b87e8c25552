"""What the two sides of an invitation say to each other: the invitation, and the answer to it."""

from __future__ import annotations

import struct

from mojo_seq import _core

_VERSION = 1
_INVITATION = struct.Struct("<8sIQI")  # mark, version, inviter's pid, number of names
_INVITATION_MARK = b"MOJOinvt"
_LENGTH = struct.Struct("<I")  # of a name, which follows
_ANSWER = struct.Struct("<8sQ")  # mark, pid
_ANSWER_MARK = b"MOJOansw"


def encode_invitation(pid: int, names: list[bytes]) -> bytes:
    """An invitation of process `pid`; one handle is attached for each name, in this order."""
    parts = [_INVITATION.pack(_INVITATION_MARK, _VERSION, pid, len(names))]
    for name in names:
        parts += [_LENGTH.pack(len(name)), name]
    return b"".join(parts)


def decode_invitation(payload: bytes) -> tuple[int, list[bytes]]:
    """The inviter's pid and the names.

    Raises:
        AbortedError: that is no invitation.
        UnimplementedError: it is one of a version that is not known here.
    """
    try:
        mark, version, pid, count = _INVITATION.unpack_from(payload)
        if mark != _INVITATION_MARK:
            raise _core.AbortedError("what came is no invitation")
        if version != _VERSION:
            raise _core.UnimplementedError(f"an invitation of version {version} came")
        names = []
        position = _INVITATION.size
        for _ in range(count):
            (length,) = _LENGTH.unpack_from(payload, position)
            position += _LENGTH.size
            names.append(payload[position : position + length])
            position += length
    except struct.error as error:
        raise _core.AbortedError("what came is no invitation") from error
    if position != len(payload) or len(set(names)) != count:
        raise _core.AbortedError("what came is a damaged invitation")
    return pid, names


def encode_answer(pid: int) -> bytes:
    """The answer of process `pid`."""
    return _ANSWER.pack(_ANSWER_MARK, pid)


def decode_answer(payload: memoryview) -> int | None:
    """The pid of who answers; None: that is no answer."""
    if len(payload) != _ANSWER.size:
        return None
    mark, pid = _ANSWER.unpack(payload)
    return int(pid) if mark == _ANSWER_MARK else None
