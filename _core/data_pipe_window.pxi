# The windows of two-phase I/O.


@cython.no_gc_clear
cdef class _Window:
    """A part of a data pipe that is lent out. It keeps its handle and the memory alive."""

    cdef _DataPipeHandle _handle  # all constant
    cdef uint64_t _number
    cdef uint8_t* _data
    cdef size_t _nbytes
    cdef Mapping* _ring           # owned reference
    cdef bint _read_only

    def __init__(self):
        raise TypeError(f"{type(self).__name__} cannot be made directly; begin a two-phase operation")

    def __dealloc__(self):
        # No view is left. `_handle` is intact: the class is not cleared by the garbage collector,
        # since views that are released later still need it.
        if self._handle is None:
            return
        if self._read_only:
            (<DataPipeConsumer*>self._end()).EndRead(self._handle._value, self._number, 0)
        else:
            (<DataPipeProducer*>self._end()).EndWrite(self._handle._value, self._number, 0)
        self._ring.Release()
        after_call_in_dealloc()

    cdef DataPipeEnd* _end(self) noexcept:
        # noexcept: buffers may be released while an exception is on its way.
        return <DataPipeEnd*>self._handle._dispatcher

    cdef int _finish(self, object nbytes) except -1:
        raise FailedPreconditionError("no two-phase operation is open")

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        if self._handle is None or self._end().AddExport(self._number) != c_Result.kOk:
            raise BufferError("the two-phase operation is over")
        try:
            PyBuffer_FillInfo(buffer, self, self._data, self._nbytes, self._read_only, flags)
        except BaseException:
            self._end().DropExport()
            raise

    def __releasebuffer__(self, Py_buffer* buffer):
        self._end().DropExport()

    @property
    def nbytes(self):
        """The size of the window in bytes."""
        return self._nbytes

    def __len__(self):
        return self._nbytes

    def as_array(self, dtype):
        """The window as a numpy array of `dtype` and shape (n,), n whole items, without a copy.

        The array counts as a view: drop it before the operation is ended.
        """
        made = to_dtype(dtype)
        count = self._nbytes // made.itemsize
        return numpy().frombuffer(self, dtype=made, count=count)

    def __enter__(self):
        return self

    def __exit__(self, exc_type, exc, traceback):
        if self._handle is None or not self._end().IsWindowOpen(self._number):
            return
        try:
            self._finish(0)
        except BufferError:
            # With an error on its way, its traceback may hold the views. The operation then ends
            # with the last of them, when this object dies.
            if exc_type is None:
                raise


@cython.final
@cython.no_gc_clear
cdef class WriteWindow(_Window):
    """The free part of a data pipe, writable in place: a buffer of `nbytes` bytes.

    As a context manager it ends the operation, with nothing written unless `commit` was called.
    """

    cdef int _finish(self, object nbytes) except -1:
        return (<DataPipeProducerHandle>self._handle)._end_write(self._number, nbytes)

    def commit(self, nbytes):
        """Ends the operation; the first `nbytes` bytes are written. Errors: see `end_write`."""
        if self._handle is None:
            raise FailedPreconditionError("no two-phase operation is open")
        self._finish(nbytes)


@cython.final
@cython.no_gc_clear
cdef class ReadWindow(_Window):
    """The readable part of a data pipe, in place: a read-only buffer of `nbytes` bytes.

    As a context manager it ends the operation, with nothing consumed unless `consume` was called.
    """

    cdef int _finish(self, object nbytes) except -1:
        return (<DataPipeConsumerHandle>self._handle)._end_read(self._number, nbytes)

    def consume(self, nbytes):
        """Ends the operation; the first `nbytes` bytes are consumed. Errors: see `end_read`."""
        if self._handle is None:
            raise FailedPreconditionError("no two-phase operation is open")
        self._finish(nbytes)


cdef object make_window(type cls, _DataPipeHandle handle, DataPipeWindow* opened):
    cdef _Window window = cls.__new__(cls)
    window._handle = handle
    window._number = opened.number
    window._data = opened.data
    window._nbytes = opened.nbytes
    window._ring = opened.ring.Detach()
    window._read_only = cls is ReadWindow
    return window
