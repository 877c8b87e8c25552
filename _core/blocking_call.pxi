# Blocking calls in a test environment: whatever would block a thread asks `this_environment()` first,
# and has it run until a condition holds.

cdef extern from "current_environment.h" namespace "mojo_seq":
    PyObject* GetCurrentEnvironment()
    void SetCurrentEnvironment(PyObject* environment)


cdef inline Environment this_environment():
    """The environment that the calling thread is in, or None."""
    cdef PyObject* environment = GetCurrentEnvironment()
    if environment is NULL:
        return None
    return <Environment>environment


def current_environment():
    """The test environment that the calling thread is in, or None."""
    return this_environment()


cdef Time now_here():
    """The time that delays are counted from on this thread."""
    cdef Environment environment = this_environment()
    return Now() if environment is None else environment._simulation.now()


def monotonic():
    """Seconds on the clock that delays and timeouts count on.

    Returns:
        float: of the monotonic clock; on the thread of a test environment, of its mock clock.
    """
    return now_here() / 1e9


cdef class _Condition:
    """What a blocking call waits for. Once it held it is not asked again."""

    cdef bint _holds(self) except -1:
        raise NotImplementedError

    cdef object _describe(self):
        return "something"

    cdef bint _is_remote(self) except -1:
        """Whether another process may make it hold."""
        return False


cdef bint is_remote(object handle) except -1:
    try:
        return handle.query_signals_state().peer_remote
    except MojoError:
        return False  # closed meanwhile


@cython.final
cdef class _Predicate(_Condition):

    cdef object _predicate
    cdef object _about

    cdef bint _holds(self) except -1:
        return self._predicate()

    cdef object _describe(self):
        return f"{self._about!r}"


@cython.final
cdef class _Idle(_Condition):
    """Of the calls that wait for nothing, but run what there is."""

    cdef object _call

    cdef bint _holds(self) except -1:
        return False

    cdef object _describe(self):
        return self._call


cdef enum Outcome:
    OPEN
    HELD
    TIMED_OUT


@cython.final
cdef class _Wait:
    """A blocking call on the stack."""

    cdef _Condition condition
    cdef object runner      # of the task that makes it, or None
    cdef object frame
    cdef Time deadline
    cdef Outcome outcome    # what it will return, also if those above it end later

    cdef bint _holds(self) except -1:
        if self.outcome == OPEN and self.condition._holds():
            self.outcome = HELD
        return self.outcome == HELD
