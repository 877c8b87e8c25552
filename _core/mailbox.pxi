# Mailboxes: an actor's turns on its sequence.
#
# A mailbox with something to do has one task in its sequence, in which it handles a few messages.
# It is the base of the actor layer's cells; what happens seldom is theirs, in Python.


cdef class Mailbox(_MailboxQueue):
    """The core of an actor's cell. All fields are owned by the GIL; "sequence" marks those that
    only tasks of its sequence change."""

    cdef public object instance         # the Actor; sequence
    cdef _Fifo _urgent                   # callbacks: handled before messages
    cdef list _commands                 # (function, args): run even between the steps of a method
    cdef _Fifo _resumed                  # (task, error): async methods that can go on
    cdef set _tasks                     # async methods under way; sequence
    cdef public object loop             # of their steps; sequence
    cdef public bint tells_tasks        # sequence
    cdef ActorTask _stepping            # sequence: whose step is on the stack
    cdef dict _waits                    # replies that an async method waits for: how many times
    cdef bint _scheduled                # it has a task in its sequence
    cdef public bint started            # sequence
    cdef public bint suspended          # handles commands only
    cdef public bint busy               # an async method is under way that others must wait for
    cdef public bint timed              # note when messages begin
    cdef readonly int64_t began         # monotonic ns; 0: nothing is being handled; sequence
    cdef readonly uint64_t thread       # where; sequence
    cdef readonly uint64_t handled      # messages so far; sequence

    # What subclasses do.

    def _on_start(self):
        """On the sequence, in the first turn."""
        raise NotImplementedError

    def _new_loop(self):
        """On the sequence: the event loop for its async methods."""
        raise NotImplementedError

    def _is_interleaved(self, method):
        """Whether other messages may be handled while this method waits."""
        raise NotImplementedError

    def _on_task_done(self):
        """On the sequence, with `tells_tasks`: an async method has ended."""
        raise NotImplementedError

    def _on_failure(self, error, Envelope envelope):
        """On the sequence: nobody waits for this error."""
        raise NotImplementedError

    def extend_asks(self):
        """It begins to wait for something, and asks that wait for it with it."""

    def _on_drained(self):
        """On the sequence: stopping, and nothing is left to handle."""
        raise NotImplementedError

    def _on_runner_gone(self):
        """Any thread: the sequence runs nothing more."""
        raise NotImplementedError

    def call_urgently(self, function, *args):
        """Calls it on the sequence before the messages that wait, one at a time like them."""
        cdef Envelope envelope = Envelope.__new__(Envelope)
        if self.closed:
            return
        envelope.method = function
        envelope.args = args
        take_context(envelope)
        self._urgent = put_in(self._urgent, envelope)
        self._schedule()

    def command(self, function, *args):
        """Calls it on the sequence as soon as that is free, also between the steps of a method and
        after `close`."""
        if self._commands is None:
            self._commands = []
        self._commands.append((function, args))
        self._schedule_turn()

    def schedule(self):
        """To be called when `busy` or `suspended` has become False."""
        self._schedule()

    cdef int _schedule(self) except -1:
        if not self._scheduled and not self.busy and not self.suspended:
            self._schedule_turn()
        return 0

    cdef int _resume(self, ActorTask task, object error) except -1:
        """An async method can go on. Any thread."""
        self._resumed = put_in(self._resumed, (task, error))
        return self._schedule_turn()

    @property
    def has_tasks(self):
        """Whether async methods are under way."""
        return bool(self._tasks)

    def cancel_tasks(self):
        """Cancels the async methods that are under way. On the sequence."""
        for task in list(self._tasks or ()):
            task.cancel()

    cdef int _schedule_turn(self) except -1:
        cdef CallTask* task
        if self._scheduled:
            return 0
        self._scheduled = True
        try:
            if self._sequence is None:
                self.runner.post_task(self.take_turn)
                return 0
            self._sequence._check_loop()
            task = new CallTask()
            task.mode = TaskMode.kTurn
            task.callable = keep(self)
            if self._sequence._keeps_runner:
                task.runner = keep(self._sequence)
            self._sequence._push(task)
        except ShutdownError:
            self._on_runner_gone()
        return 0

    # Handling, on the sequence.

    def take_turn(self):
        """A task of the sequence: handles what is there, for a while."""
        self._take_turn()

    cdef int _take_turn(self) except -1:
        cdef Time end = 0
        cdef int count = 0
        cdef int most = MESSAGES_PER_TURN
        cdef Envelope envelope
        cdef list commands
        cdef Py_ssize_t i
        if self._sequence is not None and self._sequence._one_by_one:
            most = 1
        while True:
            if self._commands:
                commands = self._commands
                self._commands = None
                for i in range(len(commands)):
                    function, args = commands[i]
                    try:
                        function(*args)
                    except BaseException:
                        self._commands = commands[i + 1:] + (self._commands or [])
                        self._end_turn()
                        raise
                commands = None
                continue
            if has_items(self._resumed):
                task, error = self._resumed._take()
                count += 1
                try:
                    if not (<ActorTask>task)._done:
                        (<ActorTask>task)._step(error)
                except BaseException:
                    self._end_turn()
                    raise
                task = None
                if count >= most:
                    break
                continue
            if self.busy or self.suspended or self.closed:
                break
            if not self.started:
                self._on_start()
                continue
            if has_items(self._urgent):
                envelope = self._urgent._take()
            elif self._size() > 0:
                envelope = self._take()
            else:
                if self.stopping and not has_items(self._parked):
                    self._on_drained()
                    if self._commands:
                        continue
                break
            try:
                self._handle(envelope)
            except BaseException:
                self._end_turn()
                raise
            count += 1
            if count >= most or (count & 15 == 0 and self._time_is_up(&end)):
                break
        return self._end_turn()

    cdef bint _time_is_up(self, Time* end) noexcept:
        if end[0] == 0:
            end[0] = Now() + QUANTUM
            return False
        return Now() > end[0]

    cdef int _end_turn(self) except -1:
        """Goes idle, or to the end of the line if there is more."""
        self._scheduled = False
        if self._commands or has_items(self._resumed):
            self._schedule_turn()
        elif not self.busy and not self.suspended and not self.closed:
            if (has_items(self._urgent) or self._size() > 0
                    or (self.stopping and not self._tasks)):
                self._schedule_turn()
        return 0

    cdef int _handle(self, Envelope envelope) except -1:
        cdef PyObject* outer
        cdef Envelope outer_envelope
        cdef ReplyBase reply = envelope.reply
        cdef object result
        if reply is not None and not reply._begin():
            return 0
        envelope.stashed = False
        outer = SetCurrentMailbox(<PyObject*>self)
        outer_envelope = self._current
        self._current = envelope
        self.thread = PyThread_get_thread_ident()
        if self.timed:
            self.began = Now()
        try:
            result = self._call(envelope)
            if type(result) is CoroutineType:
                start_task(self, result, envelope)
            elif envelope.stashed:
                pass
            elif reply is not None:
                if isinstance(result, ReplyBase):
                    pass_on(<ReplyBase>result, reply)
                else:
                    reply._complete(result, False)
        except BaseException as error:
            self.failed(error, envelope)
            if isinstance(error, KeyboardInterrupt):
                raise
        finally:
            if type(envelope.method) is str:
                self.handled += 1
            self.began = 0
            self._current = outer_envelope
            SetCurrentMailbox(outer)
        return 0

    cdef object _call(self, Envelope envelope):
        cdef object method = envelope.method
        cdef object kwargs = envelope.kwargs
        cdef object result
        if type(method) is str:
            method = getattr(self.instance, method)
        cdef object context = envelope.context
        if context is None:
            # Not the thread's own, where what the method sets would be left for others.
            context = spare_contexts.pop() if spare_contexts else PyContext_New()
        if kwargs is None:
            result = call_in_context(context, method, envelope.args, NULL)
        else:
            result = call_in_context(context, method, envelope.args, <PyObject*>kwargs)
        if envelope.context is None:
            if type(result) is CoroutineType:
                envelope.context = context  # of its steps
            elif not context:
                spare_contexts.append(context)
        return result

    def failed(self, error, Envelope envelope):
        """What an asked method raises is its asker's; everything else is the actor's."""
        if envelope is not None and envelope.reply is not None:
            envelope.reply._complete(error, True)
        else:
            self._on_failure(error, envelope)

    def answer(self, Envelope envelope not None, result):
        """An async method has returned."""
        if envelope.reply is None or envelope.stashed:
            return
        if isinstance(result, ReplyBase):
            pass_on(<ReplyBase>result, envelope.reply)
        else:
            envelope.reply._complete(result, False)

    def run_guarded(self, function, *args):
        """Calls it now, on the sequence, as a callback of the actor: an error is its failure."""
        cdef Envelope envelope = Envelope.__new__(Envelope)
        envelope.method = function
        envelope.args = args
        take_context(envelope)
        self._handle(envelope)

    def current_method(self):
        """(name or callable, args) of what is being handled, or None."""
        cdef Envelope envelope = self._current
        return None if envelope is None else (envelope.method, envelope.args)

    def current_chain(self):
        """The asks in whose service the current message is: (Reply, chain), tokens or None."""
        return None if self._current is None else chain_of(self._current)

    cdef int _add_wait(self, ReplyBase reply) except -1:
        if self._waits is None:
            self._waits = {}
        self._waits[reply] = self._waits.get(reply, 0) + 1
        return 0

    cdef int _remove_wait(self, ReplyBase reply) except -1:
        cdef object count = None if self._waits is None else self._waits.pop(reply, None)
        if count is not None and count > 1:
            self._waits[reply] = count - 1
        return 0

    def waits(self):
        """The replies that the actor waits for, with all else it could do waiting too."""
        cdef list found = list(self._waits) if self._waits else []
        if self._sequence is not None and self._sequence._blocked_on is not None:
            found.append(self._sequence._blocked_on[0])
        return found

    cdef bint _is_waiting(self) except -1:
        """Whether `waits` would find any."""
        return bool(self._waits) or (
            self._sequence is not None and self._sequence._blocked_on is not None)

    cdef bint _may_hold_asks(self) except -1:
        """False: no ask is waiting to be handled."""
        return self._size() > 0 or has_items(self._parked) or bool(self._stash)

    def asks_from_elsewhere(self):
        """Replies of the asks of other processes that wait to be handled."""
        cdef list found = []
        cdef Envelope envelope
        cdef ReplyBase reply
        for envelope in (self._queue or [])[self._head:] + (
                self._parked._rest() if self._parked is not None else []):
            reply = envelope.reply
            if isinstance(reply, HostedReplyBase) and reply._reply_state == PENDING:
                found.append(reply)
        return found

    cdef bint _waits_for_one_of(self, object tokens) except -1:
        for reply in self.waits():
            token = (<ReplyBase>reply)._get_token()
            if token is not None and token in tokens:
                return True
        return False

    # The end.

    def close(self):
        """Refuses everything from now on: asks fail, tells are dead letters. Any thread."""
        cdef Envelope envelope
        cdef ReplyBase reply
        cdef list left
        cdef size_t i
        if self.closed:
            return
        self.closed = True
        envelope = self._current
        reply = None if envelope is None else envelope.reply
        if reply is not None:
            # The error is made by Python, and meanwhile the actor may be ready with the message.
            reply._complete(self._dead_error(), True)
        for task in list(self._tasks or ()):
            reply = (<ActorTask>task)._envelope.reply
            if reply is not None:
                reply._complete(self._dead_error(), True)
        left = (self._queue or [])[self._head:]
        self._queue = None
        self._head = 0
        if self._stash:
            left += self._stash
        if has_items(self._parked):
            left += self._parked._rest()
        self._stash = self._parked = self._urgent = None
        for i in range(self._senders.size()):
            WakeSleeper(self._senders[i])
        self._senders.clear()
        after_call()
        for envelope in left:
            self._refuse(envelope)


cdef int pass_on(ReplyBase source, ReplyBase reply) except -1:
    """A method that returns a Reply answers with what that will be."""
    def settle(done):
        cdef ReplyBase answered = done
        if answered._reply_state == CANCELLED:
            from concurrent.futures import CancelledError as FutureCancelledError
            reply._complete(FutureCancelledError(), True)
        else:
            reply._complete(answered._outcome, answered._failed)
    source.add_done_callback(settle)
    return 0
