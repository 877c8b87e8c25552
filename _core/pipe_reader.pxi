# Reading the pipe of a connection between actors' processes: the part that every message takes. What
# happens seldom is the subclasses', in Python.

cdef double LONG_WAIT = 0.0002  # seconds; the threads of `stand_ins` let others stand in after that

cdef dict stand_ins = {}      # by thread: who reads other pipes for it while it waits for long
cdef Py_ssize_t MOST_TAKEN_IN = 64   # messages at one crossing


def set_stand_in(stand_in):
    """To be called by a thread with other pipes to care for at its begin, and with None at its end.

    Args:
        stand_in: its `begin()` is called when the thread waits for long, its `end()` after that.
    """
    if stand_in is None:
        stand_ins.pop(PyThread_get_thread_ident(), None)
    else:
        stand_ins[PyThread_get_thread_ident()] = stand_in


cdef class LoopWatchBase


cdef class PipeReaderBase:
    """The core of a PipeReader, which says what the fields are for. Where nobody holds `_state`, its
    fields are changed without it, too: with the GIL, and nothing in between that could release it.
    """

    cdef readonly MessagePipeHandle pipe  # constant, like the next
    cdef readonly object _reading         # an RLock
    cdef readonly object _state           # a Lock
    cdef object _begin_reading, _end_reading, _is_changing
    cdef readonly object _inbox           # a deque; _reading
    cdef public bint lost
    cdef public uint64_t _leader          # _state
    cdef public bint _followed
    cdef public bint _watching            # _state
    cdef public bint _ticking
    cdef public uint64_t _turns
    cdef public uint64_t _seen_turns
    cdef readonly uint64_t _received      # messages; _reading
    cdef readonly int _readers            # _reading
    cdef public LoopWatchBase _loop_watch  # _state

    def __init__(self, MessagePipeHandle pipe not None, reading, state, inbox):
        self.pipe = pipe
        self._reading = reading
        self._begin_reading = reading.acquire
        self._end_reading = reading.release
        self._state = state
        self._is_changing = state.locked
        self._inbox = inbox

    # What subclasses do.

    cdef int _on_plain(self, uint8_t kind, int64_t number, int64_t ask, bytes payload) except -1:
        """A message without handles and buffers; the payload is with the suffix."""
        self.on_parts(kind, number, ask, payload, [])
        return 0

    def on_parts(self, kind, number, ask, payload, handles):
        """Called with each message, taken apart, on the thread that has read it."""
        raise NotImplementedError

    def on_message(self, message):
        """Called with a message that may have handles or buffers."""
        raise NotImplementedError

    def on_lost(self):
        """Called once, when nothing will come any more."""
        raise NotImplementedError

    def needs_watch(self):
        """Whether the pipe is to be read when something comes."""
        raise NotImplementedError

    def watch_soon(self):
        """Has it watched before long."""
        raise NotImplementedError

    def unwatch(self):
        """Ends the watch."""
        raise NotImplementedError

    def must_watch(self):
        """Whether those who wait in another way than by leading may be waiting still."""
        raise NotImplementedError

    def _begin_to_lead(self, thread):
        """Returns the thread that has led until now; None: it is another one, and goes on."""
        raise NotImplementedError

    def _end_to_lead(self, outer):
        """It is `outer` that leads again; or others have to be cared for."""
        raise NotImplementedError

    def _begin_stay(self):
        """The calling thread looks, so nobody need watch."""
        raise NotImplementedError

    def _end_stay(self):
        """It does no longer, and others wait."""
        raise NotImplementedError

    # Reading.

    def read(self):
        """Reads and handles what there is, for a while. False: nothing will come any more."""
        return self._read()

    cdef bint _read(self) except -1:
        cdef bint found_end
        self._begin_reading()
        self._readers += 1
        try:
            found_end = self._take_in()
        finally:
            self._readers -= 1
            self._end_reading()
        if found_end:
            self.unwatch()
            self.on_lost()
        return not self.lost

    def read_on_loop(self):
        """In the thread of a loop, which must not be blocked, when something has come.

        Returns:
            int: how many messages were read; 0: another thread is at it.
        """
        return self._read_on_loop()

    cdef int _read_on_loop(self) except -1:
        cdef uint64_t before
        if self._leader or not self._begin_reading(False):
            return 0
        try:
            self._turns += 1
            before = self._received
            self._read()
            if self._followed and not self.must_watch():
                self._followed = False
                self._followed = self.must_watch()  # by who came just now
            return self._received - before
        finally:
            self._end_reading()

    cdef bint _take_in(self) except -1:
        """True: this has found out that nothing will come any more. Not if it was closed here, maybe
        just now, or if what handling a message set off has found out before."""
        cdef bint known
        cdef list batch
        cdef Py_ssize_t count
        if self._inbox:
            self._handle_inbox()
        if self.lost:
            return False
        try:
            while True:
                batch = self.pipe.read_batch()
                count = PyList_GET_SIZE(batch)
                self._received += count
                if count == 1 and not self._inbox:
                    self._handle(batch.pop())
                else:
                    self._inbox.extend(batch)
                    self._handle_inbox()
                if count < MOST_TAKEN_IN:
                    return False
        except ResourceExhaustedError:
            return False  # no room for descriptors
        except MojoError:  # closed at the other end, or here
            known = self.lost
            self.lost = True
            return not known

    cdef int _handle_inbox(self) except -1:
        # What handling a message sets off may read more here, on the same stack.
        while self._inbox:
            self._handle(self._inbox.popleft())
        return 0

    cdef int _handle(self, Message message) except -1:
        cdef PlainSuffix suffix
        cdef bytes payload
        try:
            payload = plain_payload(message, &suffix)
            if payload is None:
                self.on_message(message)
            else:
                self._on_plain(suffix.kind, suffix.number, suffix.ask, payload)
        except Exception:
            import logging
            logging.getLogger("mojo_seq.actor").exception(
                "a message of another process made no sense, and was dropped")
        return 0

    # Waiting.

    def lead(self, done, timeout):
        """Waits on the pipe and handles what comes, until `done()` (or the Reply `done` is
        complete), or for so many seconds.

        Returns at once if another thread does that.
        """
        self._lead(done, to_deadline(timeout))

    cdef int _lead(self, object done, Time deadline) except -1:
        cdef uint64_t thread = PyThread_get_thread_ident()
        cdef uint64_t outer = 0
        if self._leader == 0 and not self._watching and not self._is_changing():
            self._leader = thread
        else:
            before = self._begin_to_lead(thread)
            if before is None:
                return 0
            outer = before
        try:
            if self._readers:
                with self._reading:
                    pass  # what another thread has read is handled: `done` knows of it
            self._lead_until(done, deadline, stand_ins.get(thread) if stand_ins else None)
        except InvalidArgumentError:
            return 0  # closed here
        except BaseException:  # Ctrl-C
            self._followed = True  # by those for whom something was taken in just now
            raise
        finally:
            self._turns += 1
            if self._followed or self._is_changing():
                self._end_to_lead(outer)
            else:
                self._leader = outer
            if not self._ticking and self.needs_watch():
                self.watch_soon()
        return 0

    cdef int _lead_until(self, object done, Time deadline, object stand_in) except -1:
        cdef ReplyBase reply = done if isinstance(done, ReplyBase) else None
        cdef object stood_in = None
        cdef double left
        while not (done() if reply is None else reply._reply_state >= FINISHED):
            left = -1 if deadline == kNever else max(0, deadline - Now()) / 1e9
            if stand_in is not None and (left < 0 or left > LONG_WAIT):
                if not wait_until_readable(self.pipe, LONG_WAIT):
                    stand_in.begin()
                    stood_in = stand_in
                    stand_in = None
                    continue
            elif not wait_until_readable(self.pipe, None if left < 0 else left):
                break
            if not self._read():
                break
        if stood_in is not None:
            stood_in.end()
        return 0
