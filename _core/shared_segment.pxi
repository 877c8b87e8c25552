# Segments: shared memory that goes round, for arrays that several processes see.


@cython.final
cdef class Segment:
    """A hold of this process on a piece of shared memory, and the exporter behind views of it.

    As long as anybody has one, in any process, the memory is used for nothing else. Any thread.
    """

    cdef c_Segment* _segment  # owned reference; constant
    cdef object __weakref__

    def __init__(self):
        raise TypeError("Segment cannot be made directly")

    def __dealloc__(self):
        cdef c_Segment* segment = self._segment
        if segment is not NULL:
            self._segment = NULL
            segment.Release()

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        cdef c_Segment* segment = self._segment
        PyBuffer_FillInfo(buffer, self, segment.data(), segment.capacity(), False, flags)

    @property
    def key(self):
        """A number that all holds of this process on the same memory have in common."""
        return <size_t>self._segment

    @property
    def nbytes(self):
        """How many bytes there are; a little more than was asked for."""
        return self._segment.capacity()

    @property
    def is_shared(self):
        """All who have it may write to it at any time."""
        return self._segment.is_shared()

    @property
    def is_frozen(self):
        """Nobody writes to it any more."""
        return self._segment.is_frozen()

    def freeze(self):
        """Promises that nobody will write to it any more."""
        self._segment.Freeze()

    def to_handle(self):
        """A handle for sending it; this hold stays."""
        cdef Ref[c_Segment] reference = Ref[c_Segment](self._segment)
        return wrap_handle(SharedSegmentHandle, <Dispatcher*>new SharedSegment(reference))


cdef object wrap_segment(Ref[c_Segment]* segment):
    """A new object for a hold, or None if there is none."""
    cdef Segment made
    if segment.get() is NULL:
        return None
    made = Segment.__new__(Segment)
    made._segment = segment.Detach()
    return made


cdef class SharedSegmentHandle(Handle):
    """A right to a segment, on its way in a message."""

    def segment(self):
        """A hold of its own on the memory."""
        cdef Ref[c_Segment] found
        self._check_open()
        found = (<SharedSegment*>self._dispatcher).segment(self._value)
        if found.get() is NULL:
            self._check_open()
        return wrap_segment(&found)


def allocate_segment(nbytes, *, zeroed=True, shared=True, receiver=None):
    """Memory for at least `nbytes` bytes, recycled if there is some that fits.

    Args:
        shared: all who get it may write to it; else it is for one receiver.
        receiver: the pipe end that it will be written to, if it is not shared.

    Raises:
        ResourceExhaustedError: it would exceed the memory budget, or the system has none.
    """
    cdef size_t size = to_allocation(nbytes, "nbytes")
    cdef cbool clear = zeroed
    cdef cbool is_shared = shared
    cdef uint64_t pipe = 0  # none has that number: only memory that was nowhere yet
    cdef Ref[c_Segment] made
    if receiver is not None:
        pipe = (<MessagePipeHandle?>receiver)._endpoint().PipeNumber()
    with nogil:
        made = MakeSegment(size, clear, is_shared, pipe)
    if made.get() is NULL:
        fail_allocation(size)
    return wrap_segment(&made)


def find_segment(buffer):
    """The segment that the bytes of a buffer lie in.

    Returns:
        tuple[Segment, int] | None: and where they begin in it.
    """
    cdef Py_buffer view
    cdef Ref[c_Segment] found
    cdef size_t offset = 0
    get_buffer(buffer, &view, PyBUF_SIMPLE, "buffer")
    found = FindSegment(view.buf, view.len)
    if found.get() is not NULL:
        offset = <uint8_t*>view.buf - found.get().data()
    PyBuffer_Release(&view)
    return None if found.get() is NULL else (wrap_segment(&found), offset)


def find_segment_at(address, nbytes):
    """The same for bytes in memory that somebody keeps alive."""
    cdef size_t place = address
    cdef size_t size = to_size(nbytes, "nbytes")
    cdef Ref[c_Segment] found = FindSegment(<const void*>place, size)
    cdef size_t offset
    if found.get() is NULL:
        return None
    offset = <uint8_t*>place - found.get().data()
    return wrap_segment(&found), offset


def shared_segment_count():
    """How many segments there are here that several processes may write to."""
    return SharedSegmentCount()


cdef c_Message* allocate_large(size_t nbytes, bint zeroed, object receiver) except NULL:
    """A message in shared memory, if it is so large. `receiver`: a message pipe end or None."""
    cdef c_Message* made
    cdef uint64_t pipe = 0
    if receiver is not None and not isinstance(receiver, MessagePipeHandle):
        raise TypeError(f"receiver must be a MessagePipeHandle, not {type(receiver).__name__}")
    if nbytes >= kSegmentThreshold:
        pipe = kAnyPipe
        if receiver is not None:
            # If that is in this process recycled memory is still the fastest.
            pipe = (<MessagePipeHandle>receiver)._endpoint().PipeNumber() or kAnyPipe
    made = allocate_message(nbytes, zeroed, pipe)
    if pipe != 0 and SegmentOf(made[0]) is NULL and exceeds_budget(nbytes):
        DestroyMessage(made)
        fail_allocation(nbytes)
    return made


cdef bint exceeds_budget(size_t nbytes) noexcept:
    cdef Usage usage = SegmentPool.Get().usage()
    cdef size_t budget = MemoryBudget()
    cdef size_t whole = WholeSegmentSize(nbytes)
    return whole > budget or usage.in_use + usage.lent > budget - whole


cdef int fail_allocation(size_t nbytes) except -1:
    """Raises for memory that could not be had."""
    cdef Usage usage = SegmentPool.Get().usage()
    if exceeds_budget(nbytes):
        raise ResourceExhaustedError(
            f"{nbytes} bytes of shared memory would exceed the budget of {MemoryBudget()} bytes: "
            f"{usage.in_use} bytes in {usage.segments} segments are in use in this process, "
            f"{usage.lent} bytes in {usage.loans} segments of it are in use in others; "
            "set_memory_budget() changes it")
    raise ResourceExhaustedError(f"no memory or descriptor for a segment of {nbytes} bytes")


def memory_usage():
    """(in_use, segments, lent, loans, kept, spares): see engine/segment_pool.h."""
    cdef Usage usage = SegmentPool.Get().usage()
    return (usage.in_use, usage.segments, usage.lent, usage.loans, usage.kept, usage.spares)


def memory_budget():
    """What this process may have in segments."""
    return MemoryBudget()


def set_memory_budget(nbytes):
    """Sets it; 0: to what it is at first."""
    SetMemoryBudget(to_size(nbytes, "nbytes"))


def chosen_memory_budget():
    """What was set; 0: nothing was."""
    return ChosenMemoryBudget()
