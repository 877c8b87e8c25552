# _Fifo: a queue of Python objects that may become long. A list's first item costs the moving of all
# others, and collections.deque has 600 bytes for each of a hundred thousand actors.


@cython.final
cdef class _Fifo:
    """First in, first out. Owned by the GIL."""

    cdef list _items
    cdef Py_ssize_t _head  # what is before it has been taken

    def __cinit__(self):
        self._items = []

    cdef inline Py_ssize_t _size(self) noexcept:
        return PyList_GET_SIZE(self._items) - self._head

    cdef object _take(self):
        """The first; there must be one."""
        cdef list items = self._items
        cdef object item = items[self._head]
        items[self._head] = None
        self._head += 1
        if self._head == PyList_GET_SIZE(items):
            items.clear()
            self._head = 0
        elif self._head >= 64 and self._head * 2 > PyList_GET_SIZE(items):
            del items[:self._head]
            self._head = 0
        return item

    cdef list _rest(self):
        return self._items[self._head:]


cdef inline _Fifo put_in(_Fifo queue, object item):
    """The queue, which is made if there is none, with one more item."""
    if queue is None:
        queue = _Fifo.__new__(_Fifo)
    queue._items.append(item)
    return queue


cdef inline bint has_items(_Fifo queue) noexcept:
    return queue is not None and queue._size() > 0
