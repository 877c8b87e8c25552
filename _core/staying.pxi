# Staying awake in the middle of a coroutine: where nothing else is to be done on its thread, an answer
# that comes soon is taken at once, without a turn of the loop or the pool, and nobody has to be woken.

# How long coroutines may go on like that without a turn: the I/O and the timers of their loop wait for
# so long, and for the last spin.
cdef Time LONGEST_STAY = 100_000

cdef object loop_class = None  # the last one that was looked at
cdef bint loop_is_plain = False


cdef bint is_plain_loop(object loop) except -1:
    """Whether it is known where such a loop has what is ready to run: it is one of asyncio's own."""
    global loop_class, loop_is_plain
    cdef object kind = type(loop)
    if kind is not loop_class:
        from asyncio import BaseEventLoop
        loop_is_plain = (isinstance(loop, BaseEventLoop)
                         and kind._run_once is BaseEventLoop._run_once
                         and kind.call_soon is BaseEventLoop.call_soon)
        loop_class = kind
    return loop_is_plain


cdef bint is_idle(object loop) except -1:
    """Whether a plain loop would sleep if the coroutine that runs now did, or wait for its timers."""
    # A coroutine that is started at once runs on top of another one, which goes on then.
    return not loop._ready and loop._task_factory is None


cdef bint is_last(Mailbox mailbox, object loop) except -1:
    """Whether the thread that is in a step of this actor would find nothing to do in its pool."""
    cdef PoolSequence sequence
    if not isinstance(mailbox._sequence, PoolSequence):
        return False
    if loop._ready or mailbox._commands or has_items(mailbox._resumed) or mailbox.closed:
        return False
    if not mailbox.busy and (mailbox._size() > 0 or has_items(mailbox._urgent)):
        return False
    sequence = mailbox._sequence
    return not sequence._sequence.HasTasks() and not sequence._pool._pool.IsReady()


cdef bint may_stay(_Awaiter awaiter) except -1:
    """Whether nobody is kept waiting if the thread does not go back to its loop, or pool, at once."""
    if this_environment() is not None:
        return False
    if awaiter._actor is not None:
        return (not awaiter._actor._stepping._must_cancel
                and is_last(awaiter._actor, awaiter._loop))
    return (awaiter._mailbox is None and is_plain_loop(awaiter._loop) and is_idle(awaiter._loop)
            and not is_cancelled(awaiter._loop))


cdef bint is_cancelled(object loop) except -1:
    """Whether the current task is to be told at its next wait that it was cancelled, as by itself."""
    task = current_task(loop)
    return task is None or getattr(task, "_must_cancel", False)


cdef bint stay(_Awaiter awaiter) except -1:
    """Looks for the answer as long as that is likely to pay. Whether the coroutine may go on at once:
    there may be an answer, and yet others must have their turn."""
    cdef ReplyBase reply = awaiter._reply
    cdef object waiter = reply._waiter
    cdef Time now
    if isinstance(waiter, ConnectionBase):
        (<ConnectionBase>waiter)._stay_for(reply, awaiter._loop)
    elif waiter is None and isinstance(reply._target, Mailbox):
        stay_for_neighbour(reply)
    else:
        return False
    now = Now()
    if reply._reply_state >= FINISHED:
        if now < LastTurn()[0] + LONGEST_STAY:
            return True
    elif waiter is None or awaiter._actor is not None:  # a loop that reads learns by itself
        awaiter._stayed_at = waiter
        awaiter._asleep_since = now
    LastTurn()[0] = now
    return False


cdef int stay_for_neighbour(ReplyBase reply) except -1:
    """The actor is in this process, on another thread."""
    cdef c_Event* event = ThreadEvent()
    if not ReplySpinner().WantsToSpin():
        return 0
    event.Reset()
    if reply._reply_state >= FINISHED:
        return 0
    reply._sleepers.push_back(Ref[c_Event](event))
    with nogil:
        SpinUntilSet(event)
    if reply._reply_state < FINISHED:
        reply._forget_sleeper(event)
    return 0


cdef int learn_from_sleep(_Awaiter awaiter) except -1:
    """It did not stay long enough, and the answer is there now: was it worth while?"""
    cdef object waiter = awaiter._stayed_at
    cdef Time begin = awaiter._asleep_since
    awaiter._stayed_at = None
    awaiter._asleep_since = 0
    if waiter is None:
        ReplySpinner().Slept(begin, awaiter._woken_at, awaiter._waker)
    elif (<ConnectionBase>waiter).pipe._is_open():
        (<ConnectionBase>waiter).pipe._endpoint().Slept(begin)
    return 0
