// Segment: shared memory for the payload of one large message.
//
// Fresh pages cost far more than copying into old ones, so memory goes back to a pool when the
// message is gone on both sides: a count of holders at its beginning is how the sides tell each
// other. Receivers keep their mappings for a while, and know memory that comes again by its inode.
// What a peer does with the count or the bytes can harm only what goes over the same pipe: memory that
// was lent on one is never lent on another, what is lent too long is given up, sizes are sealed.
#pragma once

#include <memory>

#include "fork.h"
#include "message.h"
#include "shared_memory.h"

namespace mojo_seq {

class SegmentMemory;

// One side's hold on the memory, by a payload.
class Segment : public RefCounted {
 public:
  // Payloads of at least this many bytes travel in segments.
  static constexpr size_t kThreshold = 64 * 1024;

  // For the pipe with that number (Channel::cookie), or kAnyPipe if it is not known yet. Null: there
  // is no memory or no descriptor for it.
  static constexpr uint64_t kAnyPipe = UINT64_MAX;
  static Ref<Payload> Allocate(size_t nbytes, bool zeroed, uint64_t pipe = kAnyPipe);
  // The segment that holds the payload of `message`; null if none does.
  static Segment* Of(const Message& message);
  // False unless `fd` is memory of that size that nobody can shrink.
  static bool Receive(ScopedFd fd, size_t nbytes, Ref<Payload>* payload);

  // False: it was lent on another pipe before, and its receiver may still see it.
  bool MayGoTo(uint64_t pipe) const;
  void GoTo(uint64_t pipe);
  // For sending it; the receiver holds it from now on, too.
  Ref<SharedFd> Lend();

  // Gives up what is kept for later use.
  static void Trim();

 private:
  Segment(std::unique_ptr<SegmentMemory> memory, bool received);
  ~Segment() override;

  std::unique_ptr<SegmentMemory> memory_;
  const bool received_;
  const uint32_t generation_ = ForkGeneration();
  LiveCounter<Kind::kMapping> counter_;
};

}  // namespace mojo_seq
