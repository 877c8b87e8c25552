// Segment: this process's hold on a piece of shared memory that goes round: the payload of one
// large message, or the memory of arrays that several processes see.
//
// Fresh pages cost far more than copying into old ones, so memory goes back to a pool when it is
// gone on all sides (segment_pool.h): a count of holders at its beginning is how the sides tell
// each other. What a peer does with the count or the bytes can harm only what goes over the same
// pipe: memory that was lent on one is never lent on another, what is lent too long is given up,
// sizes are sealed. Shared ones go to whom their owner likes, and their memory is used again for
// shared ones only.
#pragma once

#include "message.h"
#include "segment_memory.h"

namespace mojo_seq {

class Segment : public RefCounted {
 public:
  // Payloads of at least this many bytes travel in segments.
  static constexpr size_t kThreshold = 64 * 1024;

  // For the pipe with that number (Channel::cookie), or kAnyPipe if it is not known yet. Null:
  // there is no memory or no descriptor for it, or it would exceed the budget.
  static constexpr uint64_t kAnyPipe = UINT64_MAX;
  static Ref<Payload> Allocate(size_t nbytes, bool zeroed, uint64_t pipe = kAnyPipe);
  // To be sent beside payloads. With `shared` it can go to several processes, and come back.
  static Ref<Segment> Make(size_t nbytes, bool zeroed, bool shared, uint64_t pipe = kAnyPipe);
  // The segment that holds the payload of `message`; null if none does.
  static Segment* Of(const Message& message);
  // The one that so many bytes at `data` lie in; null: they are elsewhere.
  static Ref<Segment> Find(const void* data, size_t nbytes);

  // False unless `fd` is memory of that size that nobody can shrink. `pipe`: the number of the one
  // that it came on.
  static bool Receive(ScopedFd fd, size_t nbytes, uint64_t pipe, Ref<Payload>* payload);
  // The same for one that came beside a payload; there is one in each process, however often it
  // comes.
  static Ref<Segment> Receive(ScopedFd fd, bool shared, uint64_t pipe);

  uint8_t* data() const { return memory_->data(); }
  size_t capacity() const { return memory_->capacity(); }
  SegmentMemory& memory() const { return *memory_; }
  // All who have it may write to it.
  bool is_shared() const { return is_shared_.load(std::memory_order_relaxed); }
  // Nobody writes to it any more, so it can be shown to others in the place of a copy.
  bool is_frozen() const { return is_frozen_.load(std::memory_order_relaxed); }
  void Freeze() { is_frozen_.store(true, std::memory_order_relaxed); }

  // False: it was lent on another pipe before, and its receiver may still see it.
  bool MayGoTo(uint64_t pipe) const;
  void GoTo(uint64_t pipe);
  // For sending it; the receiver holds it from now on, too.
  Ref<SharedFd> Lend(uint64_t pipe = 0);

  // Gives up what is kept for later use.
  static void Trim();
  // How many shared ones there are here.
  static size_t SharedCount() { return shared_count.load(std::memory_order_relaxed); }

 private:
  Segment(SegmentMemory::Ptr memory, bool shared);
  ~Segment() override;

  static inline std::atomic<size_t> shared_count{0};

  SegmentMemory::Ptr memory_;
  std::atomic<bool> is_shared_;
  std::atomic<bool> is_frozen_{false};
  LiveCounter<Kind::kMapping> counter_;
};

}  // namespace mojo_seq
