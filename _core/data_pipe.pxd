# engine/data_pipe.h
from libc.stdint cimport uint8_t, uint64_t
from libcpp cimport bool as cbool

from dispatcher cimport Dispatcher, HandleValue, Ref, c_Result
from shared_buffer cimport Mapping


cdef extern from "engine/data_pipe.h" namespace "mojo_seq" nogil:
    cdef cppclass DataPipeEnd(Dispatcher):
        size_t capacity()
        size_t element_size()
        cbool TryLockIo()
        void LockIo()
        void UnlockIo()
        c_Result AddExport(uint64_t window)
        void DropExport()
        cbool IsWindowOpen(uint64_t window)

    cdef cppclass DataPipeWindow:
        uint64_t number
        uint8_t* data
        size_t nbytes
        Ref[Mapping] ring

    cdef cppclass DataPipeProducer(DataPipeEnd):
        c_Result Write(HandleValue value, const void* data, size_t* nbytes, cbool all_or_none)
        c_Result BeginWrite(HandleValue value, size_t min_bytes, DataPipeWindow* window)
        c_Result EndWrite(HandleValue value, uint64_t window, size_t nbytes)

    cdef enum class Mode "mojo_seq::DataPipeConsumer::Mode":
        kRead "mojo_seq::DataPipeConsumer::Mode::kRead"
        kPeek "mojo_seq::DataPipeConsumer::Mode::kPeek"
        kDiscard "mojo_seq::DataPipeConsumer::Mode::kDiscard"

    cdef cppclass DataPipeConsumer(DataPipeEnd):
        c_Result Read(HandleValue value, void* data, size_t* nbytes, cbool all_or_none, Mode mode)
        c_Result CheckRead(HandleValue value, size_t* nbytes, cbool all_or_none)
        c_Result Query(HandleValue value, size_t* nbytes)
        c_Result BeginRead(HandleValue value, size_t min_bytes, DataPipeWindow* window)
        c_Result EndRead(HandleValue value, uint64_t window, size_t nbytes)

    c_Result CreateDataPipe(size_t capacity, size_t element_size,
                            Ref[DataPipeProducer]* producer, Ref[DataPipeConsumer]* consumer)
