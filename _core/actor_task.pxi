# The tasks of actors' `async def` methods. They run in their actor's turns: a method that awaits
# nothing, or only Replies, never takes the way through an event loop's queue. To asyncio they look
# like its own tasks (timeout(), TaskGroup and the like use them), though they cannot be awaited.

cdef object set_running_loop = None
cdef object enter_task = None
cdef object leave_task = None
cdef object current_task = None
cdef object AsyncCancelledError = None


cdef int import_asyncio() except -1:
    global running_loop, set_running_loop, enter_task, leave_task, current_task
    global AsyncCancelledError
    import asyncio
    running_loop = asyncio._get_running_loop
    set_running_loop = asyncio._set_running_loop
    enter_task = asyncio.tasks._enter_task
    leave_task = asyncio.tasks._leave_task
    current_task = asyncio.current_task
    AsyncCancelledError = asyncio.CancelledError
    return 0


@cython.final
cdef class ActorTask:
    """An `async def` method that an actor is in. Owned by the actor's sequence."""

    cdef object _coroutine
    cdef object _context
    cdef object _loop
    cdef Mailbox _mailbox
    cdef Envelope _envelope
    cdef readonly object _fut_waiter   # what it waits for; the name that asyncio's users expect
    cdef readonly bint _must_cancel
    cdef bint _interleaved
    cdef bint _done
    cdef int _cancel_requests
    cdef object _cancel_message
    cdef list _callbacks
    cdef object __weakref__

    # What asyncio and libraries on it use of the current task.

    def cancel(self, msg=None):
        """Raises CancelledError where it waits. Returns False if it is over."""
        if self._done:
            return False
        self._cancel_requests += 1
        self._cancel_message = msg
        if self._fut_waiter is not None and self._fut_waiter.cancel(msg=msg):
            return True
        self._must_cancel = True
        return True

    def cancelling(self):
        return self._cancel_requests

    def uncancel(self):
        if self._cancel_requests > 0:
            self._cancel_requests -= 1
            if self._cancel_requests == 0:
                self._must_cancel = False
        return self._cancel_requests

    def done(self):
        return self._done

    def get_loop(self):
        return self._loop

    def get_coro(self):
        return self._coroutine

    def get_context(self):
        return self._context

    def get_name(self):
        return f"{self._mailbox!r}.{self._envelope.method}"

    def add_done_callback(self, fn, *, context=None):
        if self._done:
            self._loop.call_soon(fn, self, context=context)
            return
        if self._callbacks is None:
            self._callbacks = []
        self._callbacks.append((fn, context))

    def remove_done_callback(self, fn):
        before = len(self._callbacks or ())
        self._callbacks = [each for each in self._callbacks or () if each[0] != fn]
        return before - len(self._callbacks)

    def __repr__(self):
        return f"<ActorTask {self.get_name()}{' done' if self._done else ''}>"

    # Running it, on the sequence.

    cdef int _step(self, object error, bint in_loop=False) except -1:
        """Until it waits for something, or is over. `in_loop`: as a callback of its loop."""
        global steps_on_stack
        cdef Mailbox mailbox = self._mailbox
        cdef PyObject* outer = SetCurrentMailbox(<PyObject*>mailbox)
        cdef PyObject* outer_runner = SetCurrentRunner(<PyObject*>mailbox.runner)
        cdef ActorTask outer_task = mailbox._stepping
        cdef Envelope outer_envelope = mailbox._current
        cdef object outer_loop = None
        cdef object yielded = None
        cdef object outcome = None
        cdef object raised = None
        cdef bint over = False
        if self._must_cancel:
            error = self._new_cancelled_error()
        self._fut_waiter = None
        if in_loop:
            outer_loop = self._loop
        elif steps_on_stack > 0 or not isinstance(mailbox._sequence, PoolSequence):
            outer_loop = running_loop()  # a pool's thread has none
        if outer_loop is not self._loop:
            set_running_loop(self._loop)
        steps_on_stack += 1
        mailbox._stepping = self
        mailbox._current = self._envelope
        mailbox.thread = PyThread_get_thread_ident()
        if mailbox.timed:
            mailbox.began = Now()
        enter_task(self._loop, self)
        try:
            PyContext_Enter(self._context)
            try:
                if error is None:
                    yielded = self._coroutine.send(None)
                else:
                    yielded = self._coroutine.throw(error)
            finally:
                PyContext_Exit(self._context)
        except StopIteration as stop:
            over = True
            outcome = stop.value
            if self._must_cancel:
                raised = self._new_cancelled_error()
        except BaseException as caught:
            over = True
            raised = caught
        finally:
            leave_task(self._loop, self)
            steps_on_stack -= 1
            mailbox._stepping = outer_task
            mailbox._current = outer_envelope
            if outer_envelope is None:
                mailbox.began = 0
            SetCurrentRunner(outer_runner)
            if outer_loop is not self._loop:
                set_running_loop(outer_loop)
            SetCurrentMailbox(outer)
        if over:
            return self._end(outcome, raised)
        return self._wait_for(yielded)

    cdef object _new_cancelled_error(self):
        self._must_cancel = False
        if self._cancel_message is None:
            return AsyncCancelledError()
        return AsyncCancelledError(self._cancel_message)

    cdef int _wait_for(self, object yielded) except -1:
        cdef _Awaiter awaiter
        if type(yielded) is _Awaiter:
            awaiter = yielded
            awaiter._asyncio_future_blocking = False
            awaiter._task = self
            self._fut_waiter = awaiter
            if awaiter._reply._reply_state >= FINISHED:
                self._mailbox._resume(self, None)
                return 0
        elif yielded is None:
            self._loop.call_soon(self._go_on, None)  # the step enters the method's own context
        elif getattr(yielded, "_asyncio_future_blocking", None) is not None:
            if not yielded._asyncio_future_blocking:
                return self._fail_step(RuntimeError(f"yield was used instead of yield from: {yielded!r}"))
            yielded._asyncio_future_blocking = False
            yielded.add_done_callback(self._go_on)
            self._fut_waiter = yielded
        else:
            return self._fail_step(RuntimeError(f"an actor's method awaits asyncio things and "
                                                f"Replies, not what yields {yielded!r}"))
        if self._must_cancel and self._fut_waiter is not None:
            if self._fut_waiter.cancel(msg=self._cancel_message):
                self._must_cancel = False
        return 0

    cdef int _fail_step(self, object error) except -1:
        self._mailbox._resume(self, error)
        return 0

    def _go_on(self, future):
        """A callback of the loop: what it waited for has come."""
        cdef object error = None
        if self._done:
            return
        if future is not None:
            try:
                future.result()
            except BaseException as raised:
                error = raised
        self._step(error, True)
        future = None

    cdef int _end(self, object outcome, object raised) except -1:
        cdef Mailbox mailbox = self._mailbox
        cdef Envelope envelope = self._envelope
        cdef list callbacks = self._callbacks
        self._done = True
        self._coroutine = None
        self._callbacks = None
        mailbox._tasks.discard(self)
        if not self._interleaved:
            mailbox.busy = False
        try:
            if raised is None:
                mailbox.answer(envelope, outcome)
            elif isinstance(raised, AsyncCancelledError):
                if envelope.reply is not None:
                    envelope.reply._complete(
                        mailbox._dead_error() if mailbox.closed or mailbox.suspended
                        else new_future_cancelled_error(), True)
            else:
                mailbox.failed(raised, envelope)
        finally:
            for callback, context in callbacks or ():
                self._loop.call_soon(callback, self, context=context)
            if mailbox.tells_tasks:
                mailbox._on_task_done()
            mailbox._schedule()
        if isinstance(raised, KeyboardInterrupt):
            raise raised
        return 0


cdef object new_future_cancelled_error():
    """asyncio's own would cancel whoever awaits the reply."""
    from concurrent.futures import CancelledError as FutureCancelledError
    return FutureCancelledError("the actor's method was cancelled")


cdef int start_task(Mailbox mailbox, object coroutine, Envelope envelope) except -1:
    """An `async def` method was called: its first step is made at once."""
    cdef ActorTask task = ActorTask.__new__(ActorTask)
    if set_running_loop is None:
        import_asyncio()
    if mailbox.loop is None:
        mailbox.loop = mailbox._new_loop()
    if envelope.context is None:
        envelope.context = PyContext_New()
    task._coroutine = coroutine
    task._context = envelope.context
    task._loop = mailbox.loop
    task._mailbox = mailbox
    task._envelope = envelope
    task._interleaved = mailbox._is_interleaved(envelope.method)
    PyContext_Enter(task._context)
    try:
        awaiting_mailbox.set(None if task._interleaved else mailbox)
    finally:
        PyContext_Exit(task._context)
    if mailbox._tasks is None:
        mailbox._tasks = set()
    mailbox._tasks.add(task)
    if not task._interleaved:
        mailbox.busy = True
    return task._step(None)
