# Platform handles: file descriptors that travel in messages.


cdef int to_fd(object fd) except? -1:
    number = fd if type(fd) is int else _index(fd, "fd")
    if number < 0 or number > 0x7FFFFFFF:
        raise InvalidArgumentError(f"fd must be an open file descriptor, got {number}")
    return number


def wrap_fd(fd):
    """Makes a handle of a file descriptor, which the handle owns from now on.

    Raises:
        InvalidArgumentError: not an open descriptor.
    """
    cdef Ref[c_PlatformHandle] handle
    if WrapPlatformHandle(to_fd(fd), &handle) != c_Result.kOk:
        raise InvalidArgumentError(f"fd must be an open file descriptor, got {fd}")
    return wrap_handle(PlatformHandle, handle.Detach())


cdef class PlatformHandle(Handle):
    """A file descriptor as a handle; closing the handle closes the descriptor. Any thread."""

    def unwrap(self):
        """Gives the descriptor to the caller; the handle ends.

        Returns:
            int: the file descriptor.
        """
        cdef int fd = -1
        self._check_open()
        if (<c_PlatformHandle*>self._dispatcher).Unwrap(self._value, &fd) != c_Result.kOk:
            self._check_open()
        after_call()
        return fd
