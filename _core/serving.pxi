# The thread that serves a node's clients: what it does for every message.


cdef class ServingBase:
    """The core of a ServingThread, which says what the fields are for."""

    cdef public object _lock
    cdef public list _direct          # the thread's, like the next
    cdef public list _pipes
    cdef public bint _changed         # _lock
    cdef public bint _closing         # _lock
    cdef public bint _resting         # _lock; but the thread itself may change it with the GIL
    cdef public bint _watched         # _lock: the I/O thread stands in for some pipe
    cdef public bint _ticking         # _lock
    cdef public uint64_t _turns
    cdef public uint64_t _seen_turns

    # What the subclass does.

    def _prepare(self):
        """Before it waits, if there is something to be done. False: the end."""
        raise NotImplementedError

    def _heard(self):
        """Somebody has rung."""
        raise NotImplementedError

    def _begin_ticking(self):
        """It begins to run something."""
        raise NotImplementedError

    # For WorkerPool.serve.

    def _poll(self):
        """Waits. Returns which pipes have something, by place; None: the end."""
        cdef list found
        if self._changed or self._closing or self._watched or self._lock.locked():
            if not self._prepare():
                return None
        else:
            self._resting = True
        try:
            found = wait_for_readable(self._pipes)
        except InvalidArgumentError:  # one was closed here just now
            self._changed = True
            return [place for place in range(1, len(self._pipes))
                    if not self._direct[place - 1].pipe.is_valid]
        finally:
            self._resting = False
        return found

    def _dispatch(self, list found not None):
        cdef Py_ssize_t place
        cdef PipeReaderBase reader
        cdef list direct = self._direct  # what is handled may change it
        self._turns += 1
        if not self._ticking:
            self._begin_ticking()
        for place in found:
            if place == 0:
                self._heard()
            else:
                reader = direct[place - 1]
                reader._read()
