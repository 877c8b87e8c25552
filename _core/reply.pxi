# Replies: what an ask returns. A future that costs no lock until somebody from outside needs one.

cdef enum ReplyState:
    PENDING
    RUNNING
    UNSENT      # the mailbox was full; whoever awaits it waits for room
    FINISHED
    CANCELLED

cdef dict STATE_NAMES = {
    PENDING: "PENDING", RUNNING: "RUNNING", UNSENT: "PENDING", FINISHED: "FINISHED",
    CANCELLED: "CANCELLED_AND_NOTIFIED",
}
cdef object running_loop = None  # asyncio's function, once it was imported
cdef object await_in_trio = None
cdef object awaiting_mailbox = None  # a context variable, of the actor layer


def set_reply_functions(in_trio, context_variable):
    """Given by the actor layer: how to await a Reply under trio, and whose `async def` method runs."""
    global await_in_trio, awaiting_mailbox
    await_in_trio = in_trio
    awaiting_mailbox = context_variable


cdef class ReplyBase:
    """The core of a Reply. The class itself is also a concurrent.futures.Future, whose methods
    these replace."""

    cdef object _target          # constant
    cdef ReplyState _reply_state
    cdef object _outcome         # the result or the exception
    cdef bint _failed
    cdef list _callbacks
    cdef list _future_waiters    # of concurrent.futures.wait and as_completed; under _condition
    cdef object _lock            # a Condition, made when they ask for it
    cdef vector[Ref[c_Event]] _sleepers
    cdef Envelope _unsent        # UNSENT: what was to be sent
    cdef object _origin          # the ask in whose service this one was made: (ReplyBase, origin)
    cdef public object waiter    # has wait_for(reply, timeout): waits where the answer will come in
    cdef public object token     # for other processes; made by the layer above when first needed

    def __init__(self, target=None):
        self._target = target

    @property
    def target(self):
        """What the ask went to: a cell, or what stands for one in another process."""
        return self._target

    # For whom it completes. Returns False if it is complete already.

    cdef bint _complete(self, object outcome, bint failed) except -1:
        if self._lock is not None:
            with self._lock:
                if self._reply_state >= FINISHED:
                    return False
                self._finish(FINISHED, outcome, failed)
                for waiter in self._future_waiters:
                    if failed:
                        waiter.add_exception(self)
                    else:
                        waiter.add_result(self)
                self._lock.notify_all()
        elif self._reply_state >= FINISHED:
            return False
        else:
            self._finish(FINISHED, outcome, failed)
        self._tell()
        return True

    cdef int _finish(self, ReplyState state, object outcome, bint failed) except -1:
        self._reply_state = state
        self._outcome = outcome
        self._failed = failed
        self._unsent = None
        self._origin = None
        return 0

    cdef int _tell(self) except -1:
        cdef size_t i
        cdef list callbacks
        for i in range(self._sleepers.size()):
            WakeSleeper(self._sleepers[i])
        self._sleepers.clear()
        if self._callbacks is not None:
            callbacks = self._callbacks
            self._callbacks = None
            for callback in callbacks:
                self._call(callback)
        after_call()
        return 0

    cdef int _call(self, object callback) except -1:
        try:
            if type(callback) is _Awaiter:
                (<_Awaiter>callback)._wake()
            else:
                callback(self)
        except Exception:
            import logging
            logging.getLogger("concurrent.futures").exception(
                "exception calling callback for %r", self)
        return 0

    cdef bint _begin(self) except -1:
        """Its message is about to be handled. False: it was cancelled."""
        if self._reply_state == PENDING:
            self._reply_state = RUNNING
        return self._reply_state == RUNNING

    cdef int _hold_back(self, Envelope envelope) except -1:
        """The mailbox was full: sent when it is awaited, else failed."""
        self._reply_state = UNSENT
        self._unsent = envelope
        return 0

    cdef int _attend(self) except -1:
        """Somebody begins to wait in another way than by blocking."""
        if self.waiter is not None and self._reply_state < FINISHED:
            self.waiter.attend()
        return 0

    cdef int _need_sent(self) except -1:
        """Nobody awaits it, so it will not be sent any more."""
        if self._reply_state == UNSENT:
            self._complete(mailbox_full(self._target), True)
        return 0

    def set_result(self, result):
        """Completes it; for whatever hosts the actor.

        Raises:
            concurrent.futures.InvalidStateError: it is complete.
        """
        if not self._complete(result, False):
            self._raise_invalid()

    def set_exception(self, exception):
        """Completes it with an error; for whatever hosts the actor.

        Raises:
            concurrent.futures.InvalidStateError: it is complete.
        """
        if not self._complete(exception, True):
            self._raise_invalid()

    def fail(self, exception):
        """The same, but if it is complete nothing happens.

        Returns:
            bool: whether this completed it.
        """
        return self._complete(exception, True)

    def succeed(self, result):
        """Completes it, unless it is complete.

        Returns:
            bool: whether this completed it.
        """
        return self._complete(result, False)

    def _raise_invalid(self):
        from concurrent.futures import InvalidStateError
        raise InvalidStateError(f"{STATE_NAMES[self._reply_state]}: {self!r}")

    def hold_back(self, Envelope envelope not None):
        """For targets elsewhere: there is no room; the target's `park` is called when it is
        awaited."""
        self._hold_back(envelope)

    def send_if_held_back(self):
        """It is about to be awaited: if there was no room for its message, it waits for some."""
        if self._reply_state == UNSENT:
            send_when_there_is_room(self)

    def set_running_or_notify_cancel(self):
        """Marks it as begun. Returns False if it was cancelled."""
        return self._begin()

    # For whom it is.

    def done(self):
        """True once there is a result, an error, or it was cancelled. Any thread."""
        return self._reply_state >= FINISHED

    def running(self):
        """True while its message is being handled."""
        return self._reply_state == RUNNING

    def cancelled(self):
        """True if it was cancelled."""
        return self._reply_state == CANCELLED

    def cancel(self):
        """Takes the message back, if it is not being handled yet.

        Returns:
            bool: False if it is too late.
        """
        if self._reply_state == CANCELLED:
            return True
        if self._reply_state == RUNNING or self._reply_state == FINISHED:
            return False
        if self._lock is not None:
            with self._lock:
                if self._reply_state != PENDING and self._reply_state != UNSENT:
                    return self._reply_state == CANCELLED
                self._finish(CANCELLED, None, False)
                for waiter in self._future_waiters:
                    waiter.add_cancelled(self)
                self._lock.notify_all()
        else:
            self._finish(CANCELLED, None, False)
        if self.waiter is not None:
            self.waiter.on_cancel(self)
        self._tell()
        return True

    def result(self, timeout=None):
        """Blocks until the answer is there. Any thread.

        Args:
            timeout: seconds; None: no limit.

        Raises:
            TimeoutError: the time was up first.
            concurrent.futures.CancelledError: it was cancelled.
            AskCycleError: the actor can never answer, for it runs on the sequence that would block
                or waits, perhaps indirectly, for an answer from it.
            ActorDeadError, MailboxFullError, or whatever the method raised.
        """
        if self._reply_state < FINISHED:
            self._block(timeout)
        return self._get()

    def exception(self, timeout=None):
        """The error, or None. Blocks and raises like `result` otherwise."""
        if self._reply_state < FINISHED:
            self._block(timeout)
        if self._reply_state == CANCELLED:
            self._raise_cancelled()
        return self._outcome if self._failed else None

    cdef object _get(self):
        if self._reply_state == CANCELLED:
            self._raise_cancelled()
        if self._failed:
            raise self._outcome
        return self._outcome

    def _raise_cancelled(self):
        from concurrent.futures import CancelledError as FutureCancelledError
        raise FutureCancelledError()

    cdef int _block(self, object timeout) except -1:
        cdef Time deadline = to_deadline_from(timeout, now_here())
        cdef PyObject* runner = GetCurrentRunner()
        cdef Mailbox mailbox = current_mailbox()
        cdef bint in_time
        self._need_sent()
        if self._reply_state >= FINISHED:
            return 0
        if runner is NULL:
            self._check_loop()
            in_time = self._sleep(deadline)
        else:
            in_time = self._block_sequence(deadline, <object>runner, mailbox)
        if not in_time:
            raise DeadlineExceededError("the answer did not come in time")
        return 0

    cdef int _check_loop(self) except -1:
        """A coroutine that blocks its loop cannot wait for an actor on that loop."""
        cdef Mailbox mailbox
        if running_loop is None or not isinstance(self._target, Mailbox):
            return 0
        mailbox = self._target
        if isinstance(mailbox._sequence, FdSequence):
            loop = running_loop()
            if loop is not None and getattr(mailbox.runner, "_loop", None) is loop:
                ref = getattr(mailbox, "ref", None)
                raise AskCycleError(f"{mailbox!r} runs on the event loop that would be blocked",
                                    (ref,))
        return 0

    cdef bint _block_sequence(self, Time deadline, object runner, Mailbox mailbox) except -1:
        """While it sleeps, nothing else runs on the sequence that this is a task of."""
        cdef TaskSequence sequence = runner if isinstance(runner, TaskSequence) else None
        cdef object outer = None
        cdef bint told = False
        check_ask_cycle(self, mailbox, runner)
        if sequence is not None:
            outer = sequence._blocked_on
            sequence._blocked_on = (self, mailbox)
            told = sequence._begin_block()
        try:
            return self._sleep(deadline)
        finally:
            if sequence is not None:
                sequence._blocked_on = outer
                if told:
                    sequence._end_block()

    cdef bint _sleep(self, Time deadline) except -1:
        """False: the time was up."""
        cdef c_Event* event = ThreadEvent()
        cdef Wake wake
        cdef Environment environment = this_environment()
        cdef _ReplyDone done
        if environment is not None:
            done = _ReplyDone.__new__(_ReplyDone)
            done.reply = self
            return environment._run_until(done, None if deadline == kNever
                                          else max(0, deadline - now_here()) / 1e9)
        if self.waiter is not None:
            self.waiter.wait_for(
                self, None if deadline == kNever else max(0, deadline - Now()) / 1e9)
        try:
            while True:
                event.Reset()
                if self._reply_state >= FINISHED:
                    return True
                self._sleepers.push_back(Ref[c_Event](event))
                with nogil:
                    wake = SleepUntilSet(event, next_slice(deadline))
                if self._reply_state >= FINISHED:
                    return True
                self._forget_sleeper(event)
                PyErr_CheckSignals()
                if wake == Wake.kTimedOut and Now() >= deadline:
                    return self._reply_state >= FINISHED
        except BaseException:
            self._forget_sleeper(event)
            raise

    cdef int _forget_sleeper(self, c_Event* event) except -1:
        cdef vector[Ref[c_Event]] left
        cdef size_t i
        for i in range(self._sleepers.size()):
            if self._sleepers[i].get() is not event:
                left.push_back(self._sleepers[i])
        self._sleepers.swap(left)
        return 0

    def add_done_callback(self, fn):
        """Calls `fn(reply)` once it is complete: on the thread that completes it, or at once."""
        self._need_sent()
        self._attend()
        if self._reply_state >= FINISHED:
            self._call(fn)
        elif self._callbacks is None:
            self._callbacks = [fn]
        else:
            self._callbacks.append(fn)

    def __await__(self):
        return begin_await(self)

    # What concurrent.futures.wait and as_completed use of a Future.

    @property
    def _state(self):
        self._need_sent()
        return STATE_NAMES[self._reply_state]

    @property
    def _condition(self):
        self._need_sent()
        if self._lock is None:
            from threading import Condition
            lock = Condition()
            if self._lock is None:
                self._future_waiters = []
                self._lock = lock
        self._attend()
        return self._lock

    @property
    def _waiters(self):
        return self._future_waiters

    @property
    def _result(self):
        return None if self._failed else self._outcome

    @property
    def _exception(self):
        return self._outcome if self._failed else None

    def __repr__(self):
        if self._reply_state == FINISHED:
            what = f"raised {type(self._outcome).__name__}" if self._failed else "done"
        else:
            what = STATE_NAMES[self._reply_state].partition("_")[0].lower()
        return f"<Reply {what}>"


@cython.final
cdef class _ReplyDone(_Condition):
    """What a blocking `result()` waits for in a test environment."""

    cdef ReplyBase reply

    cdef bint _holds(self) except -1:
        return self.reply._reply_state >= FINISHED

    cdef object _describe(self):
        return f"the answer of {self.reply._target!r}"


cdef object begin_await(ReplyBase reply):
    """An iterator for `await`, for the kind of loop that runs here."""
    cdef _Awaiter awaiter
    cdef Mailbox mailbox = current_mailbox()
    if mailbox is not None and mailbox._stepping is not None:
        awaiter = _Awaiter.__new__(_Awaiter)
        awaiter._reply = reply
        awaiter._loop = mailbox._stepping._loop
        if not mailbox._stepping._interleaved:
            awaiter._mailbox = mailbox
        else:
            awaiter._yields_turn = True
        return awaiter
    trio = getattr(sys_modules.get("trio"), "lowlevel", None)
    if trio is not None and trio.in_trio_task():
        return await_in_trio(reply).__await__()
    if set_running_loop is None:
        import_asyncio()
    loop = running_loop()
    if loop is None:
        raise RuntimeError("a Reply is awaited under asyncio, trio or in an actor; elsewhere use result()")
    awaiter = _Awaiter.__new__(_Awaiter)
    awaiter._reply = reply
    awaiter._loop = loop
    return awaiter


@cython.final
cdef class _Awaiter:
    """One `await` of a Reply in an asyncio task; to the task it looks like an asyncio future, so
    that there is no detour over a real one."""

    cdef ReplyBase _reply
    cdef object _loop
    cdef ActorTask _task          # that awaits, if it is an actor's
    cdef object _wakeup           # of asyncio's task otherwise
    cdef object _context
    cdef Mailbox _mailbox         # of the actor whose other messages wait for this
    cdef bint _yielded
    cdef bint _yields_turn        # other messages do not wait for it
    cdef bint _cancelled
    cdef object _cancel_message
    cdef public bint _asyncio_future_blocking
    cdef object __weakref__

    def __iter__(self):
        return self

    def __await__(self):
        return self

    def __next__(self):
        cdef ReplyBase reply = self._reply
        if reply is None:
            raise TypeError("cannot be made directly")
        if reply._reply_state >= FINISHED:
            if reply._failed and isinstance(reply._outcome, StopIteration):
                raise RuntimeError("the actor's method raised StopIteration") from reply._outcome
            raise StopIteration(reply._get())
        if self._yielded:
            raise RuntimeError("the task went on although the reply has not come")
        self._yielded = True
        if self._mailbox is None and not self._yields_turn:
            self._mailbox = mailbox_of_context(self._loop)
        if self._mailbox is not None:
            check_ask_cycle(reply, self._mailbox, None)
            self._mailbox._add_wait(reply)
        if reply._reply_state == UNSENT:
            send_when_there_is_room(reply)
        reply._attend()
        if reply._reply_state >= FINISHED:
            return self.__next__()
        if reply._callbacks is None:
            reply._callbacks = [self]
        else:
            reply._callbacks.append(self)
        self._asyncio_future_blocking = True
        return self

    cdef int _wake(self) except -1:
        """The reply is complete; on any thread."""
        self._forget_wait()
        if self._cancelled:
            return 0
        if self._task is not None:
            return self._task._mailbox._resume(self._task, None)
        if self._wakeup is None:
            return 0
        if running_loop() is self._loop:
            self._loop.call_soon(self._wakeup, self, context=self._context)
            return 0
        try:
            self._loop.call_soon_threadsafe(self._wakeup, self, context=self._context)
        except RuntimeError:
            if not self._loop.is_closed():
                raise
        return 0

    cdef int _forget_wait(self) except -1:
        if self._mailbox is not None:
            self._mailbox._remove_wait(self._reply)
            self._mailbox = None
        return 0

    def add_done_callback(self, fn, *, context=None):
        self._wakeup = fn
        self._context = context
        if self._reply._reply_state >= FINISHED:
            self._wake()

    cdef object _cancelled_error(self):
        if self._cancel_message is None:
            return AsyncCancelledError()
        return AsyncCancelledError(self._cancel_message)

    def get_loop(self):
        return self._loop

    def done(self):
        return self._cancelled or self._reply._reply_state >= FINISHED

    def cancelled(self):
        return self._cancelled

    def result(self):
        if self._cancelled:
            raise self._cancelled_error()
        return self._reply._get()

    def cancel(self, msg=None):
        """The task is cancelled: so is the ask, if nobody else waits for it."""
        cdef ReplyBase reply = self._reply
        if self._cancelled or reply._reply_state >= FINISHED:
            return False
        self._cancelled = True
        self._cancel_message = msg  # by which anyio knows its own
        self._forget_wait()
        if reply._callbacks is not None:
            reply._callbacks = [each for each in reply._callbacks if each is not self]
        if not reply._callbacks and reply._lock is None and reply._sleepers.empty():
            reply.cancel()
        if self._task is not None:
            self._task._mailbox._resume(self._task, self._cancelled_error())
            return True
        self._loop.call_soon(self._wakeup, self, context=self._context)
        return True
