# Waiting for a reply: await, in steps of actors' methods, under asyncio, and (by the layer above)
# trio; and blocking in a test environment.


cdef object begin_await(ReplyBase reply):
    """An iterator for `await`, for the kind of loop that runs here."""
    cdef _Awaiter awaiter
    cdef Mailbox mailbox = current_mailbox()
    if mailbox is not None and mailbox._stepping is not None:
        awaiter = _Awaiter.__new__(_Awaiter)
        awaiter._reply = reply
        awaiter._loop = mailbox._stepping._loop
        awaiter._actor = mailbox
        if not mailbox._stepping._interleaved:
            awaiter._mailbox = mailbox
        else:
            awaiter._yields_turn = True
        return awaiter
    trio = getattr(_sys_modules.get("trio"), "lowlevel", None)
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
    cdef Mailbox _actor           # whose step it is in, if it is one
    cdef object _stayed_at        # a connection, or None: see staying.pxi
    cdef Time _asleep_since       # 0: it is not known whether staying awake would have paid
    cdef Time _woken_at
    cdef int _waker               # the processor
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
            self._forget_wait()  # where it came before anybody had to be woken
            if self._asleep_since != 0:
                learn_from_sleep(self)
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
        if reply._reply_state < FINISHED and may_stay(self) and stay(self):
            return self.__next__()
        reply._attend(self._loop)
        if reply._reply_state >= FINISHED:
            pass  # the task learns of it when it wants to be called back
        elif reply._callbacks is None:
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
        if self._asleep_since != 0:
            self._woken_at = Now()
            self._waker = CurrentProcessor()
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


@cython.final
cdef class _ReplyDone(_Condition):
    """What a blocking `result()` waits for in a test environment."""

    cdef ReplyBase reply

    cdef bint _holds(self) except -1:
        return self.reply._reply_state >= FINISHED

    cdef object _describe(self):
        return f"the answer of {self.reply._target!r}"
