# engine/{segment,segment_pool,shared_segment,memory_budget}.h
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libcpp cimport bool as cbool

from dispatcher cimport Dispatcher, HandleValue, Ref, RefCounted
from message cimport c_Message


cdef extern from "engine/segment.h" namespace "mojo_seq" nogil:
    cdef cppclass c_Segment "mojo_seq::Segment"(RefCounted):
        uint8_t* data()
        size_t capacity()
        cbool is_shared()
        cbool is_frozen()
        void Freeze()

    Ref[c_Segment] MakeSegment "mojo_seq::Segment::Make"(
        size_t nbytes, cbool zeroed, cbool shared, uint64_t pipe)
    Ref[c_Segment] FindSegment "mojo_seq::Segment::Find"(const void* data, size_t nbytes)
    c_Segment* SegmentOf "mojo_seq::Segment::Of"(const c_Message& message)
    size_t SharedSegmentCount "mojo_seq::Segment::SharedCount"()


cdef extern from "engine/shared_segment.h" namespace "mojo_seq" nogil:
    cdef cppclass SharedSegment(Dispatcher):
        SharedSegment(Ref[c_Segment] segment)
        Ref[c_Segment] segment(HandleValue value)


cdef extern from "engine/segment_pool.h" namespace "mojo_seq" nogil:
    cdef cppclass Usage "mojo_seq::SegmentPool::Usage":
        size_t in_use
        size_t segments
        size_t lent
        size_t loans
        size_t kept
        size_t spares

    cdef cppclass SegmentPool:
        @staticmethod
        SegmentPool& Get()
        Usage usage()

    size_t WholeSegmentSize "mojo_seq::SegmentMemory::WholeSize"(size_t capacity)
    void BeforeForkSegments "mojo_seq::SegmentPool::BeforeFork"()


cdef extern from "engine/memory_budget.h" namespace "mojo_seq" nogil:
    size_t MemoryBudget()
    size_t MemoryLimit()
    size_t ChosenMemoryBudget()
    void SetMemoryBudget(size_t nbytes)
