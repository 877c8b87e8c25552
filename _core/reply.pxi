# Replies: what an ask returns. A future that costs no lock until somebody from outside needs one.

cdef class ConnectionBase
cdef class HostedReplyBase


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
    cdef object _kept            # for others: let go of when it is complete
    cdef object _waiter, _token  # see below
    cdef int64_t _ask            # the number of the ask in other processes, or 0

    def __init__(self, target=None):
        self._target = target

    @property
    def target(self):
        """What the ask went to: a cell, or what stands for one in another process."""
        return self._target

    @property
    def waiter(self):
        """Waits where the answer will come in, of an ask to another process; or None."""
        return self._waiter

    @waiter.setter
    def waiter(self, waiter):
        self._waiter = waiter

    @property
    def token(self):
        """What the ask is known by in other processes, or None; set by the layer above."""
        return self._get_token()

    cdef object _get_token(self):
        if self._token is None and self._ask != 0:
            self._token = (client_id, self._ask)
        return self._token

    @token.setter
    def token(self, token):
        self._token = token

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
        self._kept = None
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

    cdef int _attend(self, object loop) except -1:
        """Somebody begins to wait in another way than by blocking; in `loop`, if it is awaited."""
        if self._waiter is not None and self._reply_state < FINISHED:
            attend(self._waiter, loop)
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
        if self._waiter is not None:
            self._waiter.on_cancel(self)
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
            check_loop(self)
            in_time = self._sleep(deadline)
        else:
            in_time = self._block_sequence(deadline, <object>runner, mailbox)
        if not in_time:
            raise DeadlineExceededError("the answer did not come in time")
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
        if isinstance(self._waiter, ConnectionBase):
            waiter = self._waiter  # which forgets us when the answer is there, and we it
            (<ConnectionBase>waiter)._wait_for(self, deadline)
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
        self._attend(None)
        if self._reply_state >= FINISHED:
            self._call(fn)
        elif self._callbacks is None:
            self._callbacks = [fn]
        else:
            self._callbacks.append(fn)

    def keep_until_done(self, thing):
        """Holds an object until it is complete. Unlike with a callback, nothing is sent or watched
        for that."""
        if self._reply_state < FINISHED:
            self._kept = thing if self._kept is None else (self._kept, thing)

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
        self._attend(None)
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
