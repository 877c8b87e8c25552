# Shared buffers and their mappings.

import os as _os

PlatformSharedMemory = namedtuple("PlatformSharedMemory", "fd nbytes guid read_only",
                                  module="mojo_seq")
PlatformSharedMemory.__doc__ = "Shared memory as the system sees it; whoever has it owns `fd`."


def create_shared_buffer(nbytes):
    """Makes a zero-filled buffer that any number of handles and processes can map.

    Args:
        nbytes: its size, for good.

    Raises:
        InvalidArgumentError: nbytes is 0 or negative.
        ResourceExhaustedError: more than the machine's memory, or no descriptor left.
    """
    cdef size_t size = to_allocation(nbytes, "nbytes")
    cdef Guid guid
    cdef Ref[SharedBuffer] buffer
    set_guid(&guid, _os.urandom(16))
    cdef c_Result result = CreateSharedBuffer(size, guid, &buffer)
    if result == c_Result.kInvalidArgument:
        raise InvalidArgumentError("nbytes must be at least 1")
    if result != c_Result.kOk:
        fail(result, f"no memory or descriptor for a shared buffer of {nbytes} bytes")
    return wrap_handle(SharedBufferHandle, buffer.Detach())


cdef int set_guid(Guid* guid, bytes value) except -1:
    memcpy(guid.data(), PyBytes_AS_STRING(value), 16)
    return 0


cdef class SharedBufferHandle(Handle):
    """A right to a shared buffer: to map it, to duplicate it, to send it. Any thread."""

    cdef SharedBuffer* _buffer(self) except NULL:
        self._check_open()
        return <SharedBuffer*>self._dispatcher

    @property
    def nbytes(self):
        """The size of the buffer in bytes."""
        return self._buffer().nbytes()

    @property
    def read_only(self):
        """True if what this handle maps cannot be written."""
        return self._buffer().read_only()

    def duplicate(self, *, read_only=False):
        """Another handle to the same memory.

        Args:
            read_only: the new handle, and whatever is made from it, maps read-only. Duplicates of
                a read-only handle always are.

        Raises:
            ResourceExhaustedError: no descriptor left.
        """
        cdef Ref[SharedBuffer] made
        cdef c_Result result = self._buffer().Duplicate(self._value, read_only, &made)
        if result != c_Result.kOk:
            self._fail(result, "no descriptor for a duplicate")
        return wrap_handle(SharedBufferHandle, made.Detach())

    def map(self, offset=0, nbytes=None):
        """Maps a part of the buffer into this process.

        Args:
            offset: bytes from the start; any number.
            nbytes: how many; None: to the end.

        Returns:
            SharedBufferMapping: it outlives this handle.

        Raises:
            InvalidArgumentError: not within the buffer, or nothing.
            ResourceExhaustedError: no address space left.
        """
        cdef Ref[Mapping] mapped
        cdef SharedBuffer* buffer = self._buffer()
        cdef size_t start = to_size(offset, "offset")
        cdef size_t size
        if nbytes is None:
            size = buffer.nbytes() - start if start < buffer.nbytes() else 0
        else:
            size = to_size(nbytes, "nbytes")
        cdef c_Result result = buffer.Map(self._value, start, size, &mapped)
        if result == c_Result.kInvalidArgument:
            self._check_open()
            raise InvalidArgumentError(
                f"{size} bytes at {start} are not a part of {buffer.nbytes()} bytes")
        if result != c_Result.kOk:
            fail(result, f"{size} bytes cannot be mapped")
        cdef SharedBufferMapping mapping = SharedBufferMapping.__new__(SharedBufferMapping)
        mapping._mapping = mapped.Detach()
        return mapping

    def as_array(self, dtype, shape=None, *, offset=0, order="C"):
        """Maps the buffer and views it as a numpy array, which keeps the memory alive.

        Args: see `SharedBufferMapping.as_array`.
        """
        return self.map().as_array(dtype, shape, offset=offset, order=order)

    def unwrap(self):
        """Turns the handle into what the system knows; the handle ends.

        Returns:
            PlatformSharedMemory: (fd, nbytes, guid, read_only); the caller owns fd.
        """
        import uuid
        cdef SharedBufferInfo info
        cdef c_Result result = self._buffer().Unwrap(self._value, &info)
        if result != c_Result.kOk:
            self._fail(result, "no descriptor left")
        after_call()
        guid = uuid.UUID(bytes=PyBytes_FromStringAndSize(<char*>info.guid.data(), 16))
        return PlatformSharedMemory(info.fd, info.nbytes, guid, info.read_only)


def wrap_shared_memory(fd, nbytes, *, read_only=False, guid=None):
    """Makes a shared buffer of memory that the program has a descriptor of.

    Args:
        fd: a memfd, a POSIX shared memory object or a file; owned by the handle on success only.
            A memfd is sealed against shrinking. Anything else must not shrink while it is mapped:
            touching what is gone ends the process.
        nbytes: how much of it, at least 1.
        read_only: map it read-only; a writable fd is replaced by a read-only one.
        guid: what identifies the buffer across processes; None: a new one.

    Raises:
        InvalidArgumentError: fd is smaller than nbytes or cannot be mapped as claimed.
    """
    cdef SharedBufferInfo info
    cdef Ref[SharedBuffer] buffer
    cdef size_t size = to_size(nbytes, "nbytes")
    cdef c_Result result
    info.fd = to_fd(fd)
    info.nbytes = size
    info.read_only = read_only
    if guid is None:
        set_guid(&info.guid, _os.urandom(16))
    else:
        import uuid
        if not isinstance(guid, uuid.UUID):
            raise TypeError(f"guid must be a uuid.UUID, not {type(guid).__name__}")
        set_guid(&info.guid, guid.bytes)
    result = WrapSharedBuffer(info, &buffer)
    if result == c_Result.kInvalidArgument:
        raise InvalidArgumentError(
            f"fd {fd} is not memory of at least {nbytes} bytes that can be mapped "
            f"{'read-only' if read_only else 'writable'}")
    if result != c_Result.kOk:
        fail(result, f"fd {fd} cannot be adopted")
    return wrap_handle(SharedBufferHandle, buffer.Detach())


cdef class SharedBufferMapping:
    """A mapped part of a shared buffer: a buffer of `nbytes` bytes, writable unless read_only.

    The addresses belong to this object until it dies, so nothing that points to them can ever
    reach foreign memory. Any thread; what several threads write at once is for them to agree on.
    """

    cdef Mapping* _mapping  # owned reference; constant
    cdef object __weakref__

    def __init__(self):
        raise TypeError("SharedBufferMapping cannot be made directly; map a SharedBufferHandle")

    def __dealloc__(self):
        if self._mapping is not NULL:
            self._mapping.Release()

    cdef Mapping* _mapped(self) except NULL:
        if self._mapping is NULL or not self._mapping.is_mapped():
            raise InvalidArgumentError("the buffer is no longer mapped here")
        return self._mapping

    def __getbuffer__(self, Py_buffer* buffer, int flags):
        if self._mapping is NULL or self._mapping.AddExport() != c_Result.kOk:
            raise BufferError("the buffer is no longer mapped here")
        try:
            PyBuffer_FillInfo(buffer, self, self._mapping.data(), self._mapping.nbytes(),
                              self._mapping.read_only(), flags)
        except BaseException:
            self._mapping.DropExport()
            raise

    def __releasebuffer__(self, Py_buffer* buffer):
        self._mapping.DropExport()

    @property
    def nbytes(self):
        """The size of the mapping in bytes."""
        return self._mapped().nbytes()

    @property
    def read_only(self):
        """True if the memory cannot be written through this mapping."""
        return self._mapped().read_only()

    def as_array(self, dtype, shape=None, *, offset=0, order="C"):
        """Views the memory as a numpy array, without a copy; the array keeps it mapped.

        Args:
            dtype: anything numpy takes, without Python objects.
            shape: an int or a tuple; None: (n,), all whole items after `offset`.
            offset: bytes from the start of the mapping.
            order: "C" or "F".

        Raises:
            InvalidArgumentError: the array would not lie within the mapping.
        """
        cdef size_t start = to_size(offset, "offset")
        cdef size_t nbytes = self._mapped().nbytes()
        np = numpy()
        made = to_dtype(dtype)
        if order not in ("C", "F"):
            raise InvalidArgumentError(f'order must be "C" or "F", got {order!r}')
        if start > nbytes:
            raise InvalidArgumentError(f"offset {start} is beyond the mapping's {nbytes} bytes")
        if shape is None:
            dimensions = ((nbytes - start) // made.itemsize,)
        else:
            dimensions = tuple(shape) if isinstance(shape, (tuple, list)) else (shape,)
            dimensions = tuple(to_size(each, "shape") for each in dimensions)
        wanted = made.itemsize
        for each in dimensions:
            wanted *= each
        if wanted > nbytes - start:
            raise InvalidArgumentError(
                f"an array of shape {dimensions} and dtype {made} needs {wanted} bytes, there are "
                f"{nbytes - start}")
        # A view of a view: only this way does numpy hold an export, not just a reference.
        whole = np.frombuffer(self, dtype=np.uint8)
        return np.ndarray(dimensions, dtype=made, buffer=whole, offset=start, order=order)

    def unmap(self):
        """Takes the memory out of this process; harmless when repeated.

        Raises:
            BufferError: views or arrays of it are alive.
        """
        cdef c_Result result
        if self._mapping is NULL:
            return
        result = self._mapping.Unmap()
        if result == c_Result.kBusy:
            raise BufferError("views of the mapping are alive")
        if result != c_Result.kOk:
            fail(result, "the system refused to replace the mapping")

    def __len__(self):
        return self._mapped().nbytes()

    def __enter__(self):
        self._mapped()
        return self

    def __exit__(self, exc_type, exc, traceback):
        try:
            self.unmap()
        except BufferError:
            # With an error on its way its traceback may hold the views; the memory goes with them.
            if exc_type is None:
                raise

    def __repr__(self):
        if self._mapping is NULL or not self._mapping.is_mapped():
            return "<SharedBufferMapping unmapped>"
        kind = "read-only" if self._mapping.read_only() else "writable"
        return f"<SharedBufferMapping {self._mapping.nbytes()} bytes, {kind}>"
