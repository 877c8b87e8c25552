# SharedWords: atomic words in a shared buffer, by which processes agree without a message.

cdef extern from "shared_words.h" namespace "mojo_seq" nogil:
    uint32_t LoadWord(const uint8_t* address)
    void StoreWord(uint8_t* address, uint32_t value)
    uint32_t CompareExchangeWord(uint8_t* address, uint32_t expected, uint32_t desired)


@cython.final
cdef class SharedWords:
    """The words of 32 bits in a mapping, each an atomic variable of all processes that map it.

    For the layers above. Any thread; every operation is sequentially consistent. The words belong
    to nobody: each use says which process may change them from which value to which.

    Args:
        mapping: writable; stays mapped as long as this object lives.
    """

    cdef SharedBufferMapping _memory
    cdef uint8_t* _words       # constant
    cdef readonly Py_ssize_t count
    cdef object __weakref__

    def __cinit__(self, SharedBufferMapping mapping not None):
        cdef Mapping* mapped = mapping._mapped()
        if mapped.read_only():
            raise InvalidArgumentError("the words of a read-only mapping cannot be changed")
        if <uint64_t>mapped.data() % 4 != 0:
            raise InvalidArgumentError("words start at multiples of 4 bytes")
        if mapped.AddExport() != c_Result.kOk:
            raise InvalidArgumentError("the buffer is no longer mapped here")
        self._memory = mapping
        self._words = mapped.data()
        self.count = mapped.nbytes() // 4

    def __dealloc__(self):
        if self._memory is not None:
            self._memory._mapping.DropExport()

    cdef uint8_t* _at(self, Py_ssize_t index) except NULL:
        if not 0 <= index < self.count:
            raise InvalidArgumentError(f"there are {self.count} words, no number {index}")
        return self._words + 4 * index

    def load(self, Py_ssize_t index):
        """The value of a word."""
        return LoadWord(self._at(index))

    def store(self, Py_ssize_t index, uint32_t value):
        """Changes a word, whatever it was."""
        StoreWord(self._at(index), value)

    def fill(self, Py_ssize_t first, Py_ssize_t count, uint32_t value):
        """Changes `count` words from `first` on, one after the other."""
        cdef Py_ssize_t index
        if count > 0:
            self._at(first)
            self._at(first + count - 1)
        for index in range(first, first + count):
            StoreWord(self._words + 4 * index, value)

    def compare_exchange(self, Py_ssize_t index, uint32_t expected, uint32_t desired):
        """Changes a word to `desired` if it is `expected`.

        Returns:
            int: what it was; the change was made if that is `expected`.
        """
        return CompareExchangeWord(self._at(index), expected, desired)
