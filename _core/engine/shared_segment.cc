#include "shared_segment.h"

#include "bundle.h"

namespace mojo_seq {

namespace {

enum Traits : uint8_t {
  kShared = 1,
  kFrozen = 2,
};

}  // namespace

Ref<Segment> SharedSegment::segment(HandleValue value) const {
  Lock lock(this);
  return IsOpenLocked(value) ? segment_ : nullptr;
}

void SharedSegment::Pack(BundleWriter* writer) {
  Ref<Segment> segment;  // let go of after the lock
  Lock lock(this);
  segment = std::move(segment_);
  const uint8_t traits =
      (segment->is_shared() ? kShared : 0) | (segment->is_frozen() ? kFrozen : 0);
  writer->Number<uint8_t>(traits);
  writer->Descriptor(segment->Lend(writer->pipe()));
  EndLocked();
}

Ref<Dispatcher> SharedSegment::Unpack(BundleReader* reader) {
  uint8_t traits = 0;
  ScopedFd fd;
  if (!reader->Number(&traits) || traits > (kShared | kFrozen) || !reader->Descriptor(&fd)) {
    return nullptr;
  }
  Ref<Segment> segment = Segment::Receive(std::move(fd), traits & kShared, reader->pipe());
  if (!segment) return nullptr;
  if (traits & kFrozen) segment->Freeze();
  return MakeRef<SharedSegment>(std::move(segment));
}

void SharedSegment::CloseLocked(Garbage* garbage) {
  garbage->objects.emplace_back(std::move(segment_));
}

}  // namespace mojo_seq
