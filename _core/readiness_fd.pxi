# Descriptors for foreign event loops that watch a message pipe.


@cython.final
cdef class ReadinessDescriptor:
    """A descriptor that is readable while something has come for a message pipe from another
    process and is unread, or the peer is gone; open as long as this object lives.

    Nothing is to be done with it but to watch it. Closing the pipe does not close it; then it is
    not readable any more.

    Args:
        pipe: what threads have taken in, by a wait that ended, is in its queue and is not heard of.

    Raises:
        FailedPreconditionError: the peer is in this process.
        InvalidArgumentError: the handle is closed or sent.
        ResourceExhaustedError: no descriptor left.
    """

    cdef ReadinessFd* _readiness    # owned reference; constant
    cdef MessagePipeHandle _pipe    # constant
    cdef object __weakref__

    def __cinit__(self, MessagePipeHandle pipe not None):
        cdef Ref[ReadinessFd] made
        cdef c_Result result
        pipe._check_open()
        result = CreateReadinessFd(pipe._dispatcher, pipe._value, &made)
        if result == c_Result.kFailedPrecondition:
            pipe._check_open()
            raise FailedPreconditionError(f"the peer of {pipe!r} is in this process")
        if result != c_Result.kOk:
            raise ResourceExhaustedError("no descriptor left for an event loop")
        self._readiness = made.Detach()
        self._pipe = pipe

    def __dealloc__(self):
        if self._readiness is not NULL:
            self._readiness.Release()

    def fileno(self):
        """Its number."""
        return self._readiness.fd()

    # In the loop's thread:

    def wants_to_spin(self):
        """The loop is about to sleep for an answer. Whether it pays to `spin` before, as far as is
        known from the last times: who answers is at work on another processor."""
        return self._readiness.WantsToSpin(self._pipe._dispatcher)

    def spin(self):
        """Looks for some microseconds.

        Returns:
            bool: whether there is something to be read.
        """
        cdef cbool came
        with nogil:
            came = self._readiness.Spin(self._pipe._dispatcher, self._pipe._value)
        after_call()
        return came

    def on_woken(self):
        """The loop did sleep."""
        self._readiness.OnWoken(self._pipe._dispatcher)
