// Counts of what is alive, by kind: how the tests prove that nothing leaks.
#pragma once

#include <atomic>
#include <cstdint>

namespace mojo_seq {

enum class Kind : uint32_t {
  kHandle,     // open handles that somebody outside the engine owns
  kDispatcher, // the objects behind handles, also those in transit or closed but referenced
  kMessage,
  kPayload,
  kDataPipe,
  kMapping,
  kWatch,
  kWaitSet,
  kSequence,
  kTask,
  kChannel,    // sockets to other processes
  kRing,       // mapped ones of message pipes; not the user's
  kCount,
};

int64_t LiveCount(Kind kind);

// A member of every counted class: adds one while its owner lives.
template <Kind K>
class LiveCounter {
 public:
  LiveCounter() { count.fetch_add(1, std::memory_order_relaxed); }
  LiveCounter(const LiveCounter&) = delete;
  LiveCounter& operator=(const LiveCounter&) = delete;
  ~LiveCounter() { count.fetch_sub(1, std::memory_order_relaxed); }

  // On a cache line of its own: threads that count different kinds must not slow each other.
  alignas(64) static inline std::atomic<int64_t> count{0};
};

}  // namespace mojo_seq
