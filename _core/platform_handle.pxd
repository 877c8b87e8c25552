# engine/platform_handle.h
from dispatcher cimport Dispatcher, HandleValue, Ref, c_Result


cdef extern from "engine/platform_handle.h" namespace "mojo_seq" nogil:
    cdef cppclass c_PlatformHandle "mojo_seq::PlatformHandle"(Dispatcher):
        c_Result Unwrap(HandleValue value, int* fd)

    c_Result WrapPlatformHandle "mojo_seq::PlatformHandle::Wrap"(
        int fd, Ref[c_PlatformHandle]* handle)
