// The quick way through a channel's rings: bytes of the caller's, without frames, messages and
// memory of our own. What it cannot do at once is left to the usual way (channel_ring.cc), and then
// nothing has changed.
#include "channel.h"

#include <sched.h>

namespace mojo_seq {

Channel::Quick Channel::SendQuickly(const ByteSpan* messages, size_t count) {
  if (!out_ || !queue_.empty() || out_->reader() != RingWriter::Reader::kAccepted) {
    return Quick::kRefused;
  }
  // Who sleeps is woken by a message in the socket.
  if (!out_->IsReaderAwake()) return Quick::kRefused;
  // From time to time somebody asks the socket whether it lives.
  if (Ticks() - alive_ > kTicksOfAWhile) return Quick::kRefused;
  const bool fits =
      count == 1 ? out_->Push(messages->data, messages->nbytes) : out_->Push(messages, count);
  if (!fits) return Quick::kFull;
  in_use_ = true;
  return out_->Publish(sched_getcpu()) ? Quick::kSentToSleeper : Quick::kSent;
}

RingReader* Channel::QuickRing() const { return IsKeptArmed() ? nullptr : in_.get(); }

RingReader* Channel::LookAtRing(const uint8_t** data, size_t* nbytes) {
  RingReader* const ring = QuickRing();
  return ring && ring->Look(data, nbytes) == RingReader::Next::kMessage ? ring : nullptr;
}

void Channel::NoteProcessor(int processor) {
  // Seldom another one: so these are mostly read.
  for (std::atomic<int>* each : {&peer_processor_, &last_seen_processor_}) {
    if (each->load(std::memory_order_relaxed) != processor) {
      each->store(processor, std::memory_order_relaxed);
    }
  }
}

}  // namespace mojo_seq
