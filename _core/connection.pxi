# A client's connection to the actors of another process: the part that every ask takes.

cdef enum WireKind:  # as mojo_seq.actor.remote.wire has them
    WIRE_ASK = 2
    WIRE_TELL = 3
    WIRE_ANSWER = 32
    WIRE_FAILURE = 33

cdef int64_t last_ask = 0
cdef bytes client_id = b""  # what this process is known by to the nodes that it talks to
cdef object ask_path = None


def begin_asking(bytes client not None, path_of):
    """Given by the actor layer, also in a forked child: the process's id, and what tells of the asks
    in whose service a message is (`path_of(chain)`)."""
    global client_id, ask_path, last_ask
    client_id = client
    ask_path = path_of
    last_ask = 0


def next_ask():
    """A number for an ask; with the client's id it is the ask's token."""
    global last_ask
    last_ask += 1
    return last_ask


cdef class ConnectionBase(PipeReaderBase):
    """The core of a Connection."""

    cdef readonly dict _pending  # asks: number → Reply
    cdef readonly dict _purses   # by number of the actor
    cdef readonly dict ends      # StopReasons of actors by number

    def __init__(self, pipe, reading, state, inbox):
        PipeReaderBase.__init__(self, pipe, reading, state, inbox)
        self._pending = {}
        self._purses = {}
        self.ends = {}

    # What the subclass does.

    def _fail_pending(self):
        """The end was noticed: nothing that is pending will be answered."""
        raise NotImplementedError

    # Asking.

    cdef int _await_answer(self, ReplyBase reply, int64_t ask) except -1:
        reply._waiter = self
        reply._ask = ask
        reply._token = None
        self._pending[ask] = reply
        return 0

    cdef bint _take_back(self, ReplyBase reply) except -1:
        """It was not sent. False: another thread noticed the end, and has failed it."""
        if self._pending.pop(reply._ask, None) is None:
            return False
        reply._waiter = None
        reply._ask = 0
        return True

    def go_on(self):
        """Answers are expected, unless another thread has noticed the end meanwhile."""
        self._go_on()

    cdef int _go_on(self) except -1:
        if self.lost:
            self._fail_pending()
        elif not self._ticking and not self._watching:
            self.watch_soon()
        return 0

    cdef int _wait_for(self, ReplyBase reply, Time deadline) except -1:
        extend_waiting_asks()
        return self._lead(reply, deadline)

    # Awaiting under asyncio.

    cdef int _begin_await(self, object loop) except -1:
        """An answer is awaited in `loop`, if it runs here."""
        cdef LoopWatchBase watch = self._loop_watch
        if (loop is None or watch is None or self._leader or self._watching
                or not watch._expect(loop, False)):
            self.attend(loop)
        else:
            extend_waiting_asks()
        return 0

    cdef int _stay_for(self, ReplyBase reply, object loop) except -1:
        """Where `reply` is awaited and nothing else is to be done: looks for the answer, as long as
        that is likely to pay."""
        cdef LoopWatchBase watch = self._loop_watch
        cdef MessagePipeEndpoint* pipe
        cdef uint64_t before
        cdef Time end
        cdef cbool came
        if self._leader or self._readers or self.lost or not self.pipe._is_open():
            return 0
        pipe = self.pipe._endpoint()
        if not pipe.WantsToSpin() or (watch is not None and not watch._begin_stay(loop)):
            return 0
        if self._watching:
            self._begin_stay()
        before = self._received
        end = Now() + LONGEST_STAY
        while reply._reply_state < FINISHED and not loop._ready and Now() < end:
            with nogil:
                came = pipe.AwaitNews(self.pipe._value)
            after_call()
            if not came or self._read_on_loop() == 0:
                break
        if self._followed:
            self._end_stay()
        if watch is not None and reply._reply_state >= FINISHED:
            watch._end_stay(loop, self._received - before - 1, bool(self._pending))
        return 0

    # Answers.

    cdef int _on_plain(self, uint8_t kind, int64_t number, int64_t ask, bytes payload) except -1:
        cdef ReplyBase reply
        cdef object outcome
        if kind != WIRE_ANSWER:
            self.on_parts(kind, number, ask, payload, [])
            return 0
        reply = self._pending.pop(ask, None)
        if reply is None:
            return 0
        reply._waiter = None
        try:
            outcome = load_plain(payload)
        except Exception as error:
            reply._complete(error, True)
            return 0
        reply._complete(outcome, False)
        return 0


cdef int attend(object waiter, object loop) except -1:
    """Of a Reply's waiter."""
    if isinstance(waiter, ConnectionBase):
        return (<ConnectionBase>waiter)._begin_await(loop)
    waiter.attend(loop)
    return 0


def note_wait():
    """If an actor begins to wait, so do the asks that wait for it."""
    extend_waiting_asks()


cdef int extend_waiting_asks() except -1:
    cdef Mailbox mailbox = find_current_mailbox()
    if mailbox is not None and mailbox._may_hold_asks():
        mailbox.extend_asks()
    return 0


cdef object path_here():
    """The asks in whose service the current message is, as it is sent: a dict, or its pickle; None:
    it is in nobody's."""
    cdef Mailbox mailbox = find_current_mailbox()
    cdef Envelope served
    if mailbox is None or mailbox._current is None:
        return None
    served = mailbox._current
    if served.reply is None and served.chain is None:
        return None
    if isinstance(served.reply, HostedReplyBase):
        return (<HostedReplyBase>served.reply)._path_onwards(served)
    return ask_path(chain_of(served))
