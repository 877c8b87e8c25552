# Blocking waits. The GIL is released, and Ctrl-C is noticed.

cdef extern from "main_thread.h" namespace "mojo_seq" nogil:
    cbool IsMainThread()

# A signal that arrives just before the main thread falls asleep does not interrupt the sleep, so
# there it sleeps for this long at a time; in a long wait for twice as long each time, so that an idle
# process hardly ever wakes up: the longer it sleeps, the less likely is it that the signal hits that moment.
cdef Time SIGNAL_SLICE = 100_000_000
cdef Time LONGEST_SLICE = 16 * SIGNAL_SLICE
cdef Time CONTINUED = 10_000_000  # who comes back so soon is in the same wait

cdef Time slice_length = 0        # the main thread's, as the next one
cdef Time slice_end = 0

cdef c_Signals IS_READABLE = Signals.READABLE
cdef c_Signals PEER_IS_CLOSED = Signals.PEER_CLOSED


cdef inline Time next_slice(Time deadline) noexcept nogil:
    global slice_length, slice_end
    cdef Time now
    if not IsMainThread():
        return deadline
    now = Now()
    if slice_end <= now < slice_end + CONTINUED:
        slice_length = min(2 * slice_length, LONGEST_SLICE)
    else:
        slice_length = SIGNAL_SLICE
    slice_end = now + slice_length
    return min(slice_end, deadline)


cdef c_Result wait_for(Waiter* waiter, Time deadline, object timeout, object about) except *:
    """kOk or kDeadlineExceeded."""
    cdef Environment environment = this_environment()
    cdef c_Result result
    if environment is not None:
        if environment._run_until(_WaiterDecides.of(waiter, about), timeout):
            return c_Result.kOk
        return c_Result.kDeadlineExceeded
    while True:
        with nogil:
            result = waiter.Wait(next_slice(deadline))
        if result == c_Result.kOk:
            return result
        PyErr_CheckSignals()
        if result == c_Result.kDeadlineExceeded and Now() >= deadline:
            return result


@cython.final
cdef class _WaiterDecides(_Condition):

    cdef Waiter* _waiter  # of the call that waits
    cdef object _about

    @staticmethod
    cdef _WaiterDecides of(Waiter* waiter, object about):
        cdef _WaiterDecides condition = _WaiterDecides.__new__(_WaiterDecides)
        condition._waiter = waiter
        condition._about = about
        return condition

    cdef bint _holds(self) except -1:
        cdef c_Result result
        with nogil:
            result = self._waiter.Look()
        after_call()
        return result == c_Result.kOk

    cdef object _describe(self):
        return f"{self._about!r}"

    cdef bint _is_remote(self) except -1:
        if isinstance(self._about, Handle):
            return is_remote(self._about)
        return any([is_remote(handle) for handle, _ in self._about])


cdef Handle to_watchable(object handle, object index):
    """A handle that can be waited for. `index` is its place in a list, or None."""
    if not isinstance(handle, Handle):
        raise TypeError(f"expected a Handle to wait for, not {type(handle).__name__}")
    cdef Handle checked = handle
    if not checked._is_open():
        try:
            checked._check_open()
        except MojoError as dead:
            error = dead
    elif not checked._dispatcher.IsWatchable():
        error = InvalidArgumentError(f"{handle!r} has no signals to wait for")
    else:
        return checked
    if index is not None:
        error.index = index
    raise error


# What wait() returns of handles that are ready, by their state: made once, for there are few.
cdef list READY = [None] * 1024
cdef Time SOON = 100_000  # more than any spin takes


cdef object to_outcome(c_Result result, c_SignalsState state):
    """What wait() returns."""
    cdef c_Signals place = state.satisfied * 32 + state.satisfiable
    if result != c_Result.kOk:
        return to_result(result), to_state(state)
    outcome = READY[place]
    if outcome is None:
        outcome = to_result(result), to_state(state)
        READY[place] = outcome
    return outcome


cdef bint await_in_ring(MessagePipeHandle pipe, Time deadline, c_SignalsState* state) except -1:
    """Whether the next message is in the pipe's ring, or comes while it pays to wait awake for it.
    False: that is not known."""
    cdef MessagePipeEndpoint* endpoint = <MessagePipeEndpoint*>pipe._dispatcher
    cdef bint found
    if not endpoint.MayBeQuick():
        return False
    if endpoint.LookInRing(pipe._value, state):
        return True
    if this_environment() is not None or (deadline != kNever and deadline - Now() < SOON):
        return False
    with nogil:
        found = endpoint.AwaitInRing(pipe._value, state)
    return found


def wait(handle, signals, timeout=None):
    """Blocks until any of `signals` is satisfied, or none of them can be any more.

    Args:
        timeout: seconds; None: no limit. 0 or less only looks.

    Returns:
        (Result, SignalsState): OK, FAILED_PRECONDITION (it can never happen), CANCELLED (the
        handle was closed or sent meanwhile) or DEADLINE_EXCEEDED, and the handle's state then.

    Raises:
        InvalidArgumentError: the handle is closed, sent or has no signals.
    """
    cdef c_Signals wanted = to_signals(signals)
    cdef Time deadline = to_deadline(timeout)
    cdef Handle watched = to_watchable(handle, None)
    cdef c_SignalsState state
    cdef c_Result result
    cdef Waiter* waiter
    if (wanted & IS_READABLE and isinstance(watched, MessagePipeHandle)
            and await_in_ring(watched, deadline, &state)):
        return to_outcome(c_Result.kOk, state)
    if watched._dispatcher.QueryState(watched._value, &state, False) == c_Result.kOk:
        result = Verdict(state, wanted)
        if result != c_Result.kShouldWait:
            return to_outcome(result, state)
    waiter = new Waiter()
    try:
        if waiter.Add(watched._dispatcher, watched._value, wanted) != c_Result.kOk:
            raise InvalidArgumentError(f"{handle!r} was closed or sent")
        result = wait_for(waiter, deadline, timeout, handle)
        if result == c_Result.kOk:
            result = waiter.result()
        return to_result(result), to_state(waiter.state(0))
    finally:
        del waiter
        after_call()  # what came in may be for others, too


def wait_until_readable(MessagePipeHandle pipe not None, timeout=None):
    """`wait` for READABLE, for those who read next whatever it says.

    Returns:
        bool: False if the time was up.

    Raises:
        InvalidArgumentError: the handle is closed or sent.
    """
    cdef Time deadline = to_deadline(timeout)
    cdef c_SignalsState state
    cdef Waiter* waiter
    pipe._check_open()
    if await_in_ring(pipe, deadline, &state):
        return True
    if (pipe._dispatcher.QueryState(pipe._value, &state, False) == c_Result.kOk
            and Verdict(state, IS_READABLE) != c_Result.kShouldWait):
        return True
    waiter = new Waiter()
    try:
        if waiter.Add(pipe._dispatcher, pipe._value, IS_READABLE) != c_Result.kOk:
            raise InvalidArgumentError(f"{pipe!r} was closed or sent")
        return wait_for(waiter, deadline, timeout, pipe) == c_Result.kOk
    finally:
        del waiter
        after_call()  # what came in may be for others, too


def wait_for_readable(list pipes not None):
    """The same for several message pipes, without a time limit.

    Returns:
        list[int]: the places of those that are readable, or whose peer is gone, or that were
        closed here meanwhile; perhaps none.

    Raises:
        InvalidArgumentError: one of them is closed or sent.
    """
    cdef MessagePipeHandle pipe
    cdef c_SignalsState state
    cdef size_t place
    cdef list found = []
    cdef Waiter* waiter = new Waiter()
    try:
        for pipe in pipes:
            pipe._check_open()
            if waiter.Add(pipe._dispatcher, pipe._value, IS_READABLE) != c_Result.kOk:
                raise InvalidArgumentError(f"{pipe!r} was closed or sent")
        wait_for(waiter, kNever, None, pipes[0])
        for place in range(<size_t>len(pipes)):
            state = waiter.state(place)
            if state.satisfied & (IS_READABLE | PEER_IS_CLOSED) or not (<Handle>pipes[place])._is_open():
                found.append(place)
        return found
    finally:
        del waiter
        after_call()  # what came in may be for others, too


def wait_many(handles, timeout=None):
    """Blocks until one of several handles is ready.

    Args:
        handles: a sequence of (handle, signals); a handle may stand in it twice.
        timeout: seconds; None: no limit.

    Returns:
        (Result, int | None, list[SignalsState]): the result as in `wait`, the index of the handle
        that it is about (None with DEADLINE_EXCEEDED), and the states of all.

    Raises:
        InvalidArgumentError: the list is empty, or a handle is closed, sent or without signals;
            its `index` says which is the first.
    """
    cdef Time deadline = to_deadline(timeout)
    cdef list pairs = []
    cdef c_Result result
    cdef Waiter* waiter
    cdef Handle watched
    cdef c_Signals wanted
    cdef size_t i
    for index, pair in enumerate(handles):
        handle, signals = pair
        pairs.append((handle, to_signals(signals)))
    if not pairs:
        raise InvalidArgumentError("there is nothing to wait for")
    for index, (handle, _) in enumerate(pairs):
        to_watchable(handle, index)
    waiter = new Waiter()
    try:
        for index, (handle, signals) in enumerate(pairs):
            watched = handle
            wanted = signals
            if waiter.Add(watched._dispatcher, watched._value, wanted) != c_Result.kOk:
                error = InvalidArgumentError(f"{handle!r} was closed or sent")
                error.index = index
                raise error
        result = wait_for(waiter, deadline, timeout, pairs)
        ready = None
        if result == c_Result.kOk:
            result = waiter.result()
            ready = waiter.index()
        return to_result(result), ready, [to_state(waiter.state(i)) for i in range(<size_t>len(pairs))]
    finally:
        del waiter
        after_call()  # what came in may be for others, too
