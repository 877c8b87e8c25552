# engine/segment.h
from libc.stdint cimport uint64_t
from libcpp cimport bool as cbool

from dispatcher cimport Ref
from message cimport Payload


cdef extern from "engine/segment.h" namespace "mojo_seq" nogil:
    const uint64_t kAnyPipe "mojo_seq::Segment::kAnyPipe"
    const size_t kSegmentThreshold "mojo_seq::Segment::kThreshold"
    Ref[Payload] AllocateSegment "mojo_seq::Segment::Allocate"(
        size_t nbytes, cbool zeroed, uint64_t pipe)
    void TrimSegments "mojo_seq::Segment::Trim"()
