# Descriptors for foreign event loops that watch a message pipe.


@cython.final
cdef class ReadinessDescriptor:
    """A descriptor that is readable while something has come for a message pipe from another
    process and is unread, or the peer is gone; open as long as this object lives.

    Nothing is to be done with it but to watch it. Closing the pipe does not close it; then it is
    not readable any more.

    Args:
        pipe: what threads have taken in, by a wait that ended, is in its queue and is not heard of,
            nor need be what came before this was made.

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
        result = CreateReadinessFd(pipe._endpoint(), pipe._value, &made)
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

    # In the loop's thread. Of a pipe that is closed something has come for ever.

    cdef bint _wants_to_spin(self) except -1:
        """An answer is awaited. Whether it pays to spin before the loop sleeps, as far as is known."""
        return self._pipe._endpoint().WantsToSpin()

    cdef int _stay_awake(self) except -1:
        """Until `_fall_asleep`, which has to be called before the loop sleeps, the descriptor need not
        become readable: so nobody has to see to that."""
        # With the GIL, so that whoever knows that nobody else sleeps there knows it until it is done.
        self._readiness.StayAwake(self._pipe._endpoint())
        return 0

    cdef bint _spin(self, bint once) except -1:
        """Looks for some microseconds, if that pays, or only `once`, and stays awake. Whether there is
        something to be read."""
        cdef MessagePipeEndpoint* pipe = self._pipe._endpoint()
        cdef cbool came
        with nogil:
            came = self._readiness.Spin(pipe, self._pipe._value, once)
        after_call()
        return came

    cdef bint _fall_asleep(self) except -1:
        """The loop may sleep from now on. Whether something has come before."""
        cdef MessagePipeEndpoint* pipe = self._pipe._endpoint()
        cdef cbool came
        with nogil:
            came = self._readiness.FallAsleep(pipe, self._pipe._value)
        after_call()
        return came

    cdef int _on_woken(self) except -1:
        """The loop did sleep."""
        self._readiness.OnWoken(self._pipe._endpoint())
        return 0
