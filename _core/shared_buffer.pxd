# engine/{shared_memory,shared_buffer}.h
from libc.stdint cimport uint8_t
from libcpp cimport bool as cbool

from dispatcher cimport Dispatcher, HandleValue, Ref, RefCounted, c_Result


cdef extern from "engine/shared_memory.h" namespace "mojo_seq" nogil:
    size_t MaxSharedMemory()

    cdef cppclass Mapping(RefCounted):
        uint8_t* data()
        size_t nbytes()
        cbool read_only()
        c_Result AddExport()
        void DropExport()
        c_Result Unmap()
        cbool is_mapped()


cdef extern from "engine/shared_buffer.h" namespace "mojo_seq" nogil:
    cdef cppclass Guid:
        uint8_t* data()

    cdef cppclass SharedBufferInfo:
        int fd
        size_t nbytes
        Guid guid
        cbool read_only

    cdef cppclass SharedBuffer(Dispatcher):
        size_t nbytes()
        cbool read_only()
        c_Result Duplicate(HandleValue value, cbool read_only, Ref[SharedBuffer]* duplicate)
        c_Result Map(HandleValue value, size_t offset, size_t nbytes, Ref[Mapping]* mapping)
        c_Result Unwrap(HandleValue value, SharedBufferInfo* info)

    c_Result CreateSharedBuffer "mojo_seq::SharedBuffer::Create"(
        size_t nbytes, const Guid& guid, Ref[SharedBuffer]* buffer)
    c_Result WrapSharedBuffer "mojo_seq::SharedBuffer::Wrap"(
        const SharedBufferInfo& info, Ref[SharedBuffer]* buffer)
