# An asyncio loop that reads a connection's pipe for the coroutines that await there: the part that
# many awaits take.

cdef enum:
    MOST_VAIN = 8    # wake-ups for nothing, until the loop is left in peace
    MOST_LOOKS = 8   # rounds of the loop, while it has other things to do, until the bell is armed


cdef class LoopWatchBase:
    """The core of a LoopWatch, which says what it is. Used in the loop's thread only, but `_closed`."""

    cdef object _reader                         # a weak reference; constant, as the next two
    cdef readonly object _loop                  # a weak reference
    cdef readonly ReadinessDescriptor _descriptor
    cdef public bint _closed
    cdef readonly int _expected                 # messages, about: so many answers are awaited here
    cdef int _vain
    cdef int _looks
    cdef readonly bint _spins                   # is about to, and will be called for that

    def __init__(self, reader, loop):
        cdef PipeReaderBase base = reader
        from weakref import ref
        self._reader = ref(reader)
        self._loop = ref(loop)
        self._expected = 1
        self._descriptor = ReadinessDescriptor(base.pipe)

    # What the subclass does.

    def close(self):
        """Leaves the loop alone."""
        raise NotImplementedError

    def is_over(self):
        """Nothing goes on on the loop any more."""
        raise NotImplementedError

    def _leave(self, reader):
        """It is others that the messages are for."""
        raise NotImplementedError

    # What every await takes.

    def expect(self, loop, watched):
        """One more answer is awaited there. False: it is not this loop that reads.

        Args:
            watched: others sleep on the pipe, too, and want to be woken.
        """
        return self._expect(loop, watched)

    cdef bint _expect(self, object loop, bint watched) except -1:
        if self._closed or self._loop() is not loop:
            return False
        self._expected += 1
        if self._spins:
            return True
        if not watched and self._descriptor._wants_to_spin():
            self._descriptor._stay_awake()
            self._looks = 0
            self._spin_soon(loop)  # others may have something to do before
        else:
            self._fall_asleep(loop)
        return True

    cdef int _spin_soon(self, object loop) except -1:
        self._spins = True
        loop.call_soon(self._spin)
        return 0

    cdef int _fall_asleep(self, object loop) except -1:
        if self._descriptor._fall_asleep():
            loop.call_soon(self._read)
        return 0

    def _spin(self):
        cdef object loop = self._loop()
        cdef bint busy, came
        self._spins = False
        if self._closed or loop is None:
            return
        busy = self._expected == 0 or (is_plain_loop(loop) and not is_idle(loop))
        came = self._descriptor._spin(busy)
        if came:
            self._looks = 0
            self._read()
        if self._closed or self._spins:  # by what was read
            return
        if self._expected > 0 and (came or (busy and self._looks < MOST_LOOKS)):
            self._looks += 1
            self._spin_soon(loop)
        else:
            self._fall_asleep(loop)

    def _on_readable(self):
        self._descriptor._on_woken()
        self._read()

    def _read(self):
        cdef PipeReaderBase reader = self._reader()
        cdef int count
        if reader is None or reader.lost or self._closed:
            self.close()
            return
        count = reader._read_on_loop()
        self._expected -= count
        if count and self._expected >= 0:
            self._vain = 0
            return
        # Somebody else reads, or it is others that the messages are for.
        self._expected = max(self._expected, 0)
        self._vain += 1
        if self._vain == MOST_VAIN:
            self.close()
            self._leave(reader)

    # A spin in the middle of a coroutine, with no turn of the loop.

    cdef bint _begin_stay(self, object loop) except -1:
        """False: it is not this loop that reads."""
        if self._closed or self._loop() is not loop:
            return False
        self._descriptor._stay_awake()
        return True

    cdef int _end_stay(self, object loop, int others, bint more) except -1:
        """`others`: so many messages came that others await. `more`: something is still to come."""
        self._expected = max(self._expected - others, 0)
        if more and not self._spins and not self._closed:
            self._fall_asleep(loop)
        return 0
