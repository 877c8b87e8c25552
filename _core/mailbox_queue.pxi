# The queue of a mailbox: room, and what becomes of messages when there is none.


cdef class _MailboxQueue:
    """What waits for an actor. All fields are owned by the GIL; "sequence" marks those that only
    tasks of its sequence change."""

    cdef readonly object runner         # constant
    cdef TaskSequence _sequence         # the same, if it is one of the core's; constant
    cdef list _queue                    # None as long as nothing has come
    cdef Py_ssize_t _head               # of _queue: what is before it has been taken
    cdef _Fifo _parked                   # awaited asks that wait for room
    cdef list _stash                    # sequence
    cdef Envelope _current              # what is being handled; sequence
    cdef vector[Ref[c_Event]] _senders  # threads that wait for room
    cdef Py_ssize_t _capacity           # constant
    cdef Overflow _overflow             # constant
    cdef readonly bint closed           # refuses everything
    cdef public bint stopping           # refuses new messages
    cdef public object on_taken         # called when a message has left the queue, or None
    cdef object __weakref__

    def __init__(self, runner, capacity, overflow):
        self.runner = runner
        if isinstance(runner, TaskSequence):
            self._sequence = runner
        self._capacity = capacity
        self._overflow = overflow

    # What subclasses do.

    cdef int _schedule(self) except -1:
        """Something was put in."""
        raise NotImplementedError

    cdef bint _waits_for_one_of(self, object tokens) except -1:
        """Whether the actor waits for an ask with one of these tokens."""
        raise NotImplementedError

    def _on_dead_letter(self, method, args, kwargs):
        """Any thread: a tell that nobody will handle."""
        raise NotImplementedError

    def _dead_error(self):
        """What an ask is told that nobody will handle."""
        raise NotImplementedError

    # Sending.

    cdef inline Py_ssize_t _size(self) noexcept:
        return 0 if self._queue is None else PyList_GET_SIZE(self._queue) - self._head

    cdef inline int _append(self, Envelope envelope) except -1:
        if self._queue is None:
            self._queue = [envelope]
        else:
            self._queue.append(envelope)
        return 0

    def __len__(self):
        return self._size()

    @property
    def capacity(self):
        """How many messages may wait."""
        return self._capacity

    @property
    def overflow(self):
        """What becomes of one more: 0 block, 1 fail, 2 drop_oldest, 3 drop_newest."""
        return <int>self._overflow

    def send(self, method, tuple args not None, dict kwargs, ReplyBase reply):
        """Puts a message in the mailbox. Any thread.

        Raises:
            MailboxFullError: a tell found no room. (An ask's error is in its reply.)
        """
        self._put(new_envelope(method, args, kwargs, reply))

    def receive(self, method, tuple args not None, dict kwargs, ReplyBase reply, chain):
        """The same for a message that came from another process: never waits, never raises.

        Args:
            chain: tokens of the asks in whose service it is.

        Returns:
            bool: False if it had to be parked, for want of room.
        """
        return self._receive(method, args, kwargs, reply, chain)

    cdef bint _receive(self, object method, tuple args, dict kwargs, ReplyBase reply,
                       object chain) except -1:
        cdef Envelope envelope = Envelope.__new__(Envelope)
        envelope.method = method
        envelope.args = args
        envelope.kwargs = kwargs
        envelope.reply = reply
        envelope.chain = chain
        if self.closed or self.stopping:
            self._refuse(envelope)
            return True
        if chain and reply is not None and self._waits_for_one_of(chain):
            reply._complete(AskCycleError("the actor waits for an answer to the very ask that this "
                                          "one is for", (getattr(self, "ref", None),)), True)
            return True
        if self._size() >= self._capacity:
            if self._overflow == DROP_NEWEST or self._overflow == FAIL:
                self._drop(envelope)
                return True
            if self._overflow == DROP_OLDEST:
                self._drop(self._take())
            else:
                self._park(envelope)
                return False
        self._append(envelope)
        self._schedule()
        return True

    cdef int _put(self, Envelope envelope) except -1:
        if self.closed or self.stopping:
            return self._refuse(envelope)
        if self._sequence is not None and self._sequence._generation != ForkGeneration():
            return self._refuse_in_fork(envelope)
        if self._size() >= self._capacity and not self._make_room(envelope):
            return 0
        self._append(envelope)
        return self._schedule()

    cdef int _refuse_in_fork(self, Envelope envelope) except -1:
        error = ActorDeadError(f"{self!r} lives in the process that fork()ed this one")
        if envelope.reply is None:
            raise error  # there is nobody to whom a dead letter would be of use
        envelope.reply._complete(error, True)
        return 0

    cdef bint _make_room(self, Envelope envelope) except -1:
        """False: the envelope is not to be put in the queue."""
        if self._overflow == DROP_NEWEST:
            self._drop(envelope)
            return False
        if self._overflow == DROP_OLDEST:
            self._drop(self._take())
            return True
        if self._overflow == BLOCK and not on_sequence_or_loop():
            self._await_room()
            if self.closed or self.stopping:
                self._refuse(envelope)
                return False
            return True
        if envelope.reply is None:
            raise mailbox_full(self)
        if self._overflow == BLOCK:
            envelope.reply._hold_back(envelope)
        else:
            envelope.reply._complete(mailbox_full(self), True)
        return False

    cdef int _await_room(self) except -1:
        """Blocks this thread, which nobody else waits for."""
        cdef c_Event* event = ThreadEvent()
        cdef Environment environment = this_environment()
        cdef _Room room
        if environment is not None:
            room = _Room.__new__(_Room)
            room.mailbox = self
            environment._run_until(room, None)
            return 0
        while True:
            event.Reset()
            if self.closed or self.stopping or self._size() < self._capacity:
                return 0
            self._senders.push_back(Ref[c_Event](event))
            with nogil:
                SleepUntilSet(event, next_slice(kNever))
            self._forget_sender(event)
            PyErr_CheckSignals()

    cdef int _forget_sender(self, c_Event* event) except -1:
        cdef vector[Ref[c_Event]] left
        cdef size_t i
        for i in range(self._senders.size()):
            if self._senders[i].get() is not event:
                left.push_back(self._senders[i])
        self._senders.swap(left)
        return 0

    cdef int _park(self, Envelope envelope) except -1:
        if self.closed or self.stopping:
            return self._refuse(envelope)
        if self._size() < self._capacity:
            self._append(envelope)
            return self._schedule()
        self._parked = put_in(self._parked, envelope)
        return 0

    def park(self, Envelope envelope):
        """For an ask that was held back and is awaited."""
        self._park(envelope)

    cdef Envelope _take(self):
        cdef list queue = self._queue
        cdef Envelope envelope = <Envelope>queue[self._head]
        queue[self._head] = None
        self._head += 1
        if self._head == PyList_GET_SIZE(queue):
            queue.clear()
            self._head = 0
        elif self._head >= 64 and self._head * 2 > PyList_GET_SIZE(queue):
            del queue[:self._head]
            self._head = 0
        if self._parked is not None or not self._senders.empty():
            self._admit()
        if self.on_taken is not None:
            self.on_taken()
        return envelope

    cdef int _admit(self) except -1:
        """There is room."""
        cdef Envelope envelope
        while has_items(self._parked) and self._size() < self._capacity:
            envelope = self._parked._take()
            if envelope.reply is None or envelope.reply._reply_state == PENDING:
                self._append(envelope)
        if not self._senders.empty() and self._size() < self._capacity:
            WakeSleeper(self._senders.front())
            self._senders.erase(self._senders.begin())
            after_call()
        return 0

    cdef int _drop(self, Envelope envelope) except -1:
        if envelope.reply is not None:
            envelope.reply._complete(mailbox_full(self), True)
        elif type(envelope.method) is str:
            self._on_dead_letter(envelope.method, envelope.args, envelope.kwargs)
        return 0

    cdef int _refuse(self, Envelope envelope) except -1:
        if envelope.reply is not None:
            envelope.reply._complete(self._dead_error(), True)
        elif type(envelope.method) is str:
            self._on_dead_letter(envelope.method, envelope.args, envelope.kwargs)
        return 0

    def stash(self):
        """Puts the current message aside.

        Raises:
            RuntimeError: no message is being handled, or it is aside.
        """
        cdef Envelope envelope = self._current
        if envelope is None or type(envelope.method) is not str:
            raise RuntimeError("only the message that is being handled can be stashed")
        if envelope.stashed:
            raise RuntimeError("the message has been stashed")
        if self._stash is None:
            self._stash = []
        if len(self._stash) >= self._capacity:
            raise mailbox_full(self)
        envelope.stashed = True
        self._stash.append(envelope)

    def unstash(self):
        """Puts what is aside back, before the messages that wait. Returns how many."""
        cdef Envelope envelope
        cdef list stashed = self._stash
        if not stashed:
            return 0
        self._stash = None
        for envelope in stashed:
            if envelope.reply is not None and envelope.reply._reply_state == RUNNING:
                envelope.reply._reply_state = PENDING
        self._queue = stashed + (self._queue or [])[self._head:]
        self._head = 0
        self._schedule()
        return len(stashed)

    def wake_senders(self):
        """Threads that wait for room look again: `stopping` has become True."""
        cdef size_t i
        for i in range(self._senders.size()):
            WakeSleeper(self._senders[i])
        self._senders.clear()
        after_call()


@cython.final
cdef class _Room(_Condition):
    """What a sender waits for in a test environment."""

    cdef _MailboxQueue mailbox

    cdef bint _holds(self) except -1:
        cdef _MailboxQueue mailbox = self.mailbox
        return mailbox.closed or mailbox.stopping or mailbox._size() < mailbox._capacity

    cdef object _describe(self):
        return f"room in the mailbox of {self.mailbox!r}"
