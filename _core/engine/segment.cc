#include "segment.h"

#include <sys/stat.h>

#include <cstring>

#include "segment_pool.h"

namespace mojo_seq {

Ref<Segment> Segment::Make(size_t nbytes, bool zeroed, bool shared, uint64_t pipe) {
  SegmentPool& pool = SegmentPool::Get();
  auto memory = shared ? pool.TakeShared(nbytes) : pool.TakePrivate(nbytes, pipe);
  if (memory) {
    if (zeroed) memset(memory->data(), 0, nbytes);
  } else {
    if (!pool.MakeRoom(SegmentMemory::WholeSize(nbytes))) return nullptr;
    memory = SegmentMemory::Make(nbytes);
    if (!memory) {
      Trim();  // it may have what is missing
      memory = SegmentMemory::Make(nbytes);
    }
    if (!memory) return nullptr;
  }
  if (shared) memory->shared = true;
  return Ref<Segment>::Adopt(new Segment(std::move(memory), shared));
}

Ref<Payload> Segment::Allocate(size_t nbytes, bool zeroed, uint64_t pipe) {
  Ref<Segment> segment = Make(nbytes, zeroed, false, pipe);
  if (!segment) return nullptr;
  uint8_t* const data = segment->data();
  return Payload::Over(data, nbytes, std::move(segment));
}

Segment* Segment::Of(const Message& message) {
  if (!message.payload) return nullptr;
  return static_cast<Segment*>(message.payload->owner());
}

Ref<Segment> Segment::Find(const void* data, size_t nbytes) {
  return SegmentPool::Get().Find(static_cast<const uint8_t*>(data), nbytes);
}

bool Segment::Receive(ScopedFd fd, size_t nbytes, uint64_t pipe, Ref<Payload>* payload) {
  struct stat info;
  if (!IsSealedMemory(fd.get()) || fstat(fd.get(), &info) != 0 || info.st_size < 0) return false;
  const size_t whole = static_cast<size_t>(info.st_size);
  if (whole < PageSize() || whole - PageSize() < nbytes) return false;
  SegmentPool& pool = SegmentPool::Get();
  auto memory = pool.TakeAgain(info.st_dev, info.st_ino, false);
  if (memory && memory->nbytes() <= whole && memory->capacity() >= nbytes) {
    memory->fd = MakeRef<SharedFd>(std::move(fd));
  } else {
    memory = SegmentMemory::Map(std::move(fd));
  }
  if (!memory) return false;
  pool.GoesTo(memory.get(), pipe);
  uint8_t* const data = memory->data();
  auto segment = Ref<Segment>::Adopt(new Segment(std::move(memory), false));
  *payload = Payload::Over(data, nbytes, std::move(segment));
  return static_cast<bool>(*payload);
}

Ref<Segment> Segment::Receive(ScopedFd fd, bool shared, uint64_t pipe) {
  struct stat info;
  if (!IsSealedMemory(fd.get()) || fstat(fd.get(), &info) != 0) return nullptr;
  SegmentPool& pool = SegmentPool::Get();
  Ref<Segment> segment = pool.FindSame(info.st_dev, info.st_ino);
  if (segment) {
    // On the way it was held once more.
    segment->memory_->holders().fetch_sub(1, std::memory_order_acq_rel);
  } else {
    auto memory = pool.TakeAgain(info.st_dev, info.st_ino, true);
    if (memory && memory->made) {
      memory->holders().fetch_sub(1, std::memory_order_acq_rel);
    } else if (memory && memory->nbytes() == static_cast<size_t>(info.st_size)) {
      memory->fd = MakeRef<SharedFd>(std::move(fd));
    } else {
      memory = SegmentMemory::Map(std::move(fd));
    }
    if (!memory) return nullptr;
    segment = Ref<Segment>::Adopt(new Segment(std::move(memory), shared));
  }
  if (!segment->memory_->made) pool.GoesTo(segment->memory_.get(), pipe);
  if (shared && !segment->is_shared_.exchange(true)) shared_count.fetch_add(1);
  return segment;
}

// What was received has another maker, who decides.
bool Segment::MayGoTo(uint64_t pipe) const {
  return !memory_->made || SegmentPool::Get().MayGoTo(*memory_, pipe);
}

void Segment::GoTo(uint64_t pipe) {
  if (memory_->made) SegmentPool::Get().GoesTo(memory_.get(), pipe);
}

Ref<SharedFd> Segment::Lend(uint64_t pipe) {
  if (!memory_->made) {
    // Who sent it here knows it already.
    if (!SegmentPool::Get().CameOn(*memory_, pipe)) memory_->MarkForwarded();
  } else if (pipe != 0) {
    GoTo(pipe);
  }
  memory_->holders().fetch_add(1, std::memory_order_acq_rel);
  return memory_->fd;
}

Segment::Segment(SegmentMemory::Ptr memory, bool shared)
    : memory_(std::move(memory)), is_shared_(shared) {
  if (shared) shared_count.fetch_add(1, std::memory_order_relaxed);
  SegmentPool::Get().Enter(this);
}

Segment::~Segment() {
  if (is_shared()) shared_count.fetch_sub(1, std::memory_order_relaxed);
  if (memory_->IsInherited()) return;  // a copy of a hold that the parent still has
  SegmentPool::Get().Leave(this);
  SegmentPool::Get().Give(std::move(memory_));
}

void Segment::Trim() { SegmentPool::Get().Clear(); }

}  // namespace mojo_seq
