// What the two ends of a data pipe share, or what is here of it if one is in another process.
#pragma once

#include <algorithm>

#include "data_pipe.h"
#include "data_pipe_link.h"

namespace mojo_seq {

struct DataPipe : public RefCounted {
  std::mutex mutex;
  size_t capacity = 0;      // constant
  size_t element_size = 0;  // constant
  Ref<SharedFd> fd;   // mutex, as all below; of the ring and the page of the cursors behind it
  Ref<Mapping> ring;  // null once nothing can be transferred any more
  uint64_t written = 0;   // bytes ever written
  uint64_t consumed = 0;  // bytes ever consumed
  bool new_data = false;  // bytes arrived that the consumer has not looked for yet
  DataPipeProducer* producer = nullptr;  // null once closed, and if it is not here
  DataPipeConsumer* consumer = nullptr;
  Ref<DataPipeLink> link;  // to the end that is not here; null once it is closed
  // For an end that is about to leave, and for the one that stays.
  struct Preparation {
    ScopedFd leaving;
    ScopedFd staying;
    Ref<Mapping> page;
  } preparation;
  LiveCounter<Kind::kDataPipe> counter;

  static size_t RingBytes(size_t capacity) {
    return (capacity + PageSize() - 1) / PageSize() * PageSize();
  }

  bool is_remote() const { return link && !link->is_near(); }
  bool producer_open() const { return producer || link; }
  bool consumer_open() const { return consumer || link; }
  size_t available() const { return static_cast<size_t>(written - consumed); }
  size_t free_space() const { return capacity - available(); }
  uint8_t* at(uint64_t position) const { return ring->data() + position % ring->nbytes(); }
  // Bytes that are copied before the other side is told: while it works on these, we copy the next,
  // and neither sleeps for the other at every turn.
  size_t slice() const {
    constexpr size_t kSlice = 16 * 1024;
    return std::max(kSlice / element_size * element_size, element_size);
  }
  bool misaligned(size_t nbytes) const { return nbytes % element_size != 0; }

  // Tell the other end, wherever it is, how far this one has come.
  void AddWritten(size_t nbytes);
  void AddConsumed(size_t nbytes);
  // Believes what the end in the other process says, if that can be true; one that lies is as good
  // as closed. True: there is news.
  bool Sync();
  // Asks the end in the other process to ring; then what happened before that is known, too.
  bool Arm();
};

}  // namespace mojo_seq
