# engine/segment.h
from libcpp cimport bool as cbool

from dispatcher cimport Ref
from message cimport Payload


cdef extern from "engine/segment.h" namespace "mojo_seq" nogil:
    const size_t kSegmentThreshold "mojo_seq::Segment::kThreshold"
    Ref[Payload] AllocateSegment "mojo_seq::Segment::Allocate"(size_t nbytes, cbool zeroed)
    void TrimSegments "mojo_seq::Segment::Trim"()
