"""What the operating system refuses, as errors of this library."""

from __future__ import annotations

import errno

from mojo_seq import _core

_ERRORS: dict[int, type[_core.MojoError]] = {
    errno.EACCES: _core.PermissionDeniedError,
    errno.EPERM: _core.PermissionDeniedError,
    errno.EROFS: _core.PermissionDeniedError,
    errno.ENOENT: _core.NotFoundError,
    errno.ECONNREFUSED: _core.NotFoundError,
    errno.EADDRINUSE: _core.AlreadyExistsError,
    errno.EEXIST: _core.AlreadyExistsError,
    errno.ENAMETOOLONG: _core.InvalidArgumentError,
    errno.ENOTDIR: _core.InvalidArgumentError,
    errno.ELOOP: _core.InvalidArgumentError,
    errno.EPROTOTYPE: _core.InvalidArgumentError,
    errno.EAGAIN: _core.ResourceExhaustedError,
    errno.EMFILE: _core.ResourceExhaustedError,
    errno.ENFILE: _core.ResourceExhaustedError,
    errno.ENOBUFS: _core.ResourceExhaustedError,
    errno.ENOMEM: _core.ResourceExhaustedError,
    errno.ENOSPC: _core.ResourceExhaustedError,
}


def system_error(error: OSError, what: str) -> _core.MojoError:
    """The error to raise from `error`; `what` says what could not be done."""
    kind = _ERRORS.get(error.errno or 0, _core.UnknownError)
    return kind(f"{what}: {error.strerror or error}")
