# Data pipes: immediate I/O and two-phase windows.
#
# Copies of more than this many bytes are made without the GIL.
cdef enum: COPY_WITH_GIL = 8192

DataPipe = namedtuple("DataPipe", "producer consumer", module="mojo_seq")
DataPipe.__doc__ = "The two ends of a data pipe."


def create_data_pipe(capacity=0, element_size=1):
    """Makes a data pipe (Mojo C System API, "Data Pipes").

    Args:
        capacity: bytes that fit; a multiple of `element_size`. 0 means 64 KiB, rounded down to
            whole elements.
        element_size: bytes; all amounts are multiples of it.

    Returns:
        DataPipe: (producer, consumer).

    Raises:
        InvalidArgumentError: element_size 0, or capacity not a multiple of it or smaller.
        ResourceExhaustedError: more than the machine's memory, or no descriptor left.
    """
    cdef size_t c_capacity = to_allocation(capacity, "capacity")
    cdef size_t c_element_size = to_allocation(element_size, "element_size")
    cdef Ref[DataPipeProducer] producer
    cdef Ref[DataPipeConsumer] consumer
    cdef c_Result result = CreateDataPipe(c_capacity, c_element_size, &producer, &consumer)
    if result == c_Result.kInvalidArgument:
        raise InvalidArgumentError(
            f"capacity must be a positive multiple of element_size, got {capacity} and "
            f"{element_size}")
    if result != c_Result.kOk:
        fail(result, f"no memory or descriptor for a data pipe of {capacity} bytes")
    first = wrap_handle(DataPipeProducerHandle, producer.Detach())
    second = wrap_handle(DataPipeConsumerHandle, consumer.Detach())
    return DataPipe(first, second)


cdef class _DataPipeHandle(Handle):

    cdef DataPipeEnd* _end(self) except NULL:
        if self._dispatcher is NULL:
            self._check_open()
        return <DataPipeEnd*>self._dispatcher

    cdef int _lock_io(self) except -1:
        """Locks this end for a transfer, without ever waiting while holding the GIL."""
        cdef DataPipeEnd* end = self._end()
        if end.IsInherited():  # a thread of the parent may have held the mutex
            self._check_open()
        if not end.TryLockIo():
            with nogil:
                end.LockIo()
        return 0

    cdef int _fail_transfer(self, c_Result result, object nbytes) except -1:
        cdef DataPipeEnd* end = self._end()
        after_call()  # also a call that fails may have found news
        if result == c_Result.kInvalidArgument:
            self._check_open()
            raise InvalidArgumentError(
                f"amounts must be multiples of the element size, {end.element_size()}, and at most "
                f"the capacity, {end.capacity()}; got {nbytes}")
        if result == c_Result.kBusy:
            raise BusyError(f"{self!r} is in a two-phase operation")
        if result == c_Result.kOutOfRange:
            raise OutOfRangeError(f"{nbytes} bytes do not fit or are not there now")
        if result == c_Result.kShouldWait:
            raise ShouldWaitError("the pipe is full" if isinstance(self, DataPipeProducerHandle)
                                  else "the pipe is empty")
        fail_peer(result, f"the peer of {self!r} is closed")

    cdef int _fail_end(self, c_Result result, object nbytes) except -1:
        if result == c_Result.kInvalidArgument:
            self._check_open()
            raise InvalidArgumentError(
                f"the two-phase operation is over with nothing done: {nbytes} is more than the "
                "window or not a multiple of the element size")
        if result == c_Result.kBusy:
            raise BufferError("views of the window are alive; drop them and end it again")
        fail(result, "no two-phase operation is open")

    @property
    def capacity(self):
        """Bytes that fit into the pipe."""
        self._check_open()
        return self._end().capacity()

    @property
    def element_size(self):
        """Bytes; every amount is a multiple of it."""
        self._check_open()
        return self._end().element_size()


cdef size_t to_amount(object value) except? <size_t>-1:
    """An amount to end a two-phase operation with. A bad one must reach the engine, which ends the
    operation because of it."""
    number = value if type(value) is int else _index(value, "nbytes")
    if number < 0 or number > 0x7FFFFFFFFFFFFFFF:
        return <size_t>0x7FFFFFFFFFFFFFFF
    return number


cdef class DataPipeProducerHandle(_DataPipeHandle):
    """The end of a data pipe that bytes are written to. Any thread."""

    def write(self, data, *, all_or_none=False):
        """Copies as much of `data` as fits into the pipe.

        Args:
            data: a C-contiguous buffer of whole elements.
            all_or_none: write nothing unless all fits now.

        Returns:
            int: bytes written.

        Raises, in this order:
            BusyError: a two-phase write is open.
            PeerClosedError: the consumer is closed.
            InvalidArgumentError: not whole elements.
            OutOfRangeError: all_or_none, and it does not fit now.
            ShouldWaitError: the pipe is full.
        """
        cdef Py_buffer view
        cdef c_Result result
        cdef size_t nbytes
        cdef bint whole = all_or_none
        cdef HandleValue value = self._value
        cdef DataPipeProducer* producer = <DataPipeProducer*>self._end()
        get_buffer(data, &view, PyBUF_SIMPLE, "data")
        try:
            nbytes = view.len
            self._lock_io()
            if nbytes > COPY_WITH_GIL:
                with nogil:
                    result = producer.Write(value, view.buf, &nbytes, whole)
                    producer.UnlockIo()
            else:
                result = producer.Write(value, view.buf, &nbytes, whole)
                producer.UnlockIo()
            if result != c_Result.kOk:
                self._fail_transfer(result, view.len)
        finally:
            PyBuffer_Release(&view)
        after_call()
        return nbytes

    def begin_write(self, min_bytes=0):
        """Lends the whole free part of the pipe, in one piece, to be filled in place.

        Args:
            min_bytes: fail unless at least so much is free.

        Returns:
            WriteWindow: until it is ended, other writes on this handle are BusyError.

        Raises, in this order:
            BusyError: a two-phase write is open.
            PeerClosedError: the consumer is closed.
            InvalidArgumentError: min_bytes above the capacity or not whole elements.
            OutOfRangeError: less than min_bytes is free now.
            ShouldWaitError: the pipe is full.
        """
        cdef DataPipeWindow opened
        cdef c_Result result
        cdef size_t least = to_size(min_bytes, "min_bytes")
        cdef DataPipeProducer* producer = <DataPipeProducer*>self._end()
        self._lock_io()
        result = producer.BeginWrite(self._value, least, &opened)
        producer.UnlockIo()
        if result != c_Result.kOk:
            self._fail_transfer(result, min_bytes)
        window = make_window(WriteWindow, self, &opened)
        after_call()
        return window

    def end_write(self, nbytes):
        """Ends the open two-phase write; the first `nbytes` bytes of the window are in the pipe.

        Raises:
            FailedPreconditionError: none is open.
            BufferError: views of the window are alive; nothing was changed.
            InvalidArgumentError: a bad amount; the operation is over and nothing was written.
        """
        self._end_write(0, nbytes)

    cdef int _end_write(self, uint64_t number, object nbytes) except -1:
        cdef size_t amount = to_amount(nbytes)
        cdef c_Result result = (<DataPipeProducer*>self._end()).EndWrite(
            self._value, number, amount)
        after_call()
        if result != c_Result.kOk:
            self._fail_end(result, nbytes)
        return 0


cdef class DataPipeConsumerHandle(_DataPipeHandle):
    """The end of a data pipe that bytes are read from. Any thread."""

    def read(self, max_bytes=-1, *, all_or_none=False, peek=False):
        """Reads up to `max_bytes` bytes, or all there are with -1.

        Args:
            max_bytes: whole elements.
            all_or_none: read nothing unless so much is there now.
            peek: leave the bytes in the pipe.

        Returns:
            bytes

        Raises, in this order:
            BusyError: a two-phase read is open.
            InvalidArgumentError: not whole elements.
            OutOfRangeError: all_or_none, and less is there now.
            ShouldWaitError: the pipe is empty.
            PeerClosedError: it is empty (or has less, with all_or_none) and the producer closed.
        """
        cdef c_Result result
        cdef size_t nbytes, wanted
        cdef bint whole = all_or_none
        cdef DataPipeConsumer* consumer = <DataPipeConsumer*>self._end()
        cdef Mode mode = Mode.kPeek if peek else Mode.kRead
        cdef object made
        number = max_bytes if type(max_bytes) is int else _index(max_bytes, "max_bytes")
        if number == -1:
            wanted = consumer.capacity()
            whole = False
        elif number < 0:
            raise InvalidArgumentError(f"max_bytes must be -1 or at least 0, got {number}")
        else:
            wanted = to_size(number, "max_bytes")
        nbytes = wanted
        result = consumer.CheckRead(self._value, &nbytes, whole)
        after_call()
        if result != c_Result.kOk:
            self._fail_transfer(result, max_bytes)
        made = PyBytes_FromStringAndSize(NULL, nbytes)
        wanted = nbytes
        self._transfer(PyBytes_AS_STRING(made), &nbytes, whole, mode)
        # Another thread may have taken some in between.
        return made if nbytes == wanted else (<bytes>made)[:nbytes]

    def readinto(self, buffer, *, all_or_none=False, peek=False):
        """Reads as much as is there into a writable C-contiguous buffer of whole elements.

        Returns:
            int: bytes read.

        Raises: as `read`.
        """
        cdef Py_buffer view
        cdef size_t nbytes
        get_buffer(buffer, &view, PyBUF_WRITABLE, "buffer")
        try:
            nbytes = view.len
            self._transfer(view.buf, &nbytes, all_or_none, Mode.kPeek if peek else Mode.kRead)
        finally:
            PyBuffer_Release(&view)
        return nbytes

    cdef int _transfer(self, void* target, size_t* nbytes, bint whole, Mode mode) except -1:
        cdef DataPipeConsumer* consumer = <DataPipeConsumer*>self._end()
        cdef HandleValue value = self._value
        cdef size_t wanted = nbytes[0]
        cdef c_Result result
        self._lock_io()
        if mode != Mode.kDiscard and wanted > COPY_WITH_GIL:
            with nogil:
                result = consumer.Read(value, target, nbytes, whole, mode)
                consumer.UnlockIo()
        else:
            result = consumer.Read(value, target, nbytes, whole, mode)
            consumer.UnlockIo()
        after_call()
        if result != c_Result.kOk:
            self._fail_transfer(result, wanted)
        return 0

    def discard(self, nbytes, *, all_or_none=False):
        """Throws away up to `nbytes` bytes.

        Returns:
            int: bytes thrown away.

        Raises: as `read`.
        """
        cdef size_t amount = to_size(nbytes, "nbytes")
        self._transfer(NULL, &amount, all_or_none, Mode.kDiscard)
        return amount

    def query(self):
        """How many bytes can be read now; 0 is not an error.

        Raises:
            BusyError: a two-phase read is open.
        """
        cdef size_t nbytes = 0
        cdef c_Result result = (<DataPipeConsumer*>self._end()).Query(self._value, &nbytes)
        after_call()
        if result != c_Result.kOk:
            self._fail_transfer(result, 0)
        return nbytes

    def begin_read(self, min_bytes=0):
        """Lends all that can be read, in one piece, to be looked at in place.

        Args:
            min_bytes: fail unless at least so much is there.

        Returns:
            ReadWindow: until it is ended, other reads on this handle are BusyError.

        Raises, in this order:
            BusyError: a two-phase read is open.
            InvalidArgumentError: min_bytes above the capacity or not whole elements.
            OutOfRangeError: less than min_bytes is there now.
            ShouldWaitError: the pipe is empty.
            PeerClosedError: it is empty, or can never have min_bytes, as the producer closed.
        """
        cdef DataPipeWindow opened
        cdef c_Result result
        cdef size_t least = to_size(min_bytes, "min_bytes")
        cdef DataPipeConsumer* consumer = <DataPipeConsumer*>self._end()
        self._lock_io()
        result = consumer.BeginRead(self._value, least, &opened)
        consumer.UnlockIo()
        if result != c_Result.kOk:
            after_call()
            self._fail_transfer(result, min_bytes)
        window = make_window(ReadWindow, self, &opened)
        after_call()
        return window

    def end_read(self, nbytes):
        """Ends the open two-phase read; the first `nbytes` bytes of the window are consumed.

        Raises:
            FailedPreconditionError: none is open.
            BufferError: views of the window are alive; nothing was changed.
            InvalidArgumentError: a bad amount; the operation is over and nothing was consumed.
        """
        self._end_read(0, nbytes)

    cdef int _end_read(self, uint64_t number, object nbytes) except -1:
        cdef size_t amount = to_amount(nbytes)
        cdef c_Result result = (<DataPipeConsumer*>self._end()).EndRead(
            self._value, number, amount)
        after_call()
        if result != c_Result.kOk:
            self._fail_end(result, nbytes)
        return 0
