// What of a channel waits to be sent. It leaves through the socket as the kernel takes it, or through
// the ring if that was full: a reader that once fell behind must not cost the ring for as long as
// the writer is ahead. Messages in the queue have their numbers already, so which way each goes does
// not matter to the reader.
#include "channel.h"

#include <sched.h>

#include <cstring>

namespace mojo_seq {

// --- putting in ---

// Adds a small frame to those that wait already, so that one call sends many.
bool Channel::QueueWithLast(const FrameHeader& header, const uint8_t* payload, uint32_t number) {
  const size_t nbytes = sizeof header + header.payload_bytes;
  OutFrame* const last = queue_.empty() ? nullptr : &queue_.back();
  if (!last || !last->IsOpen() || last->head.size() + nbytes > kBatchBytes) return false;
  if (last->head.capacity() < kSmallFrame) last->head.reserve(kSmallFrame);
  if (last->messages == 1) last->next_end = last->head.size();
  const auto* const head = reinterpret_cast<const uint8_t*>(&header);
  last->head.insert(last->head.end(), head, head + sizeof header);
  last->head.insert(last->head.end(), payload, payload + header.payload_bytes);
  last->is_small = last->is_small && number == last->number + static_cast<uint32_t>(last->messages);
  ++last->messages;
  return true;
}

void Channel::Queue(const Message& message, size_t sent, uint32_t number) {
  const FrameHeader header = MakeHeader(0, message.size);
  const uint8_t* const payload = message.size > 0 ? message.payload->data() : nullptr;
  const bool is_small = message.size <= kSmallFrame && sent == 0;
  if (is_small && QueueWithLast(header, payload, number)) {
    unsent_.store(unsent() + 1, std::memory_order_release);
    return;
  }
  OutFrame frame;
  const auto* const head = reinterpret_cast<const uint8_t*>(&header);
  frame.head.assign(head, head + sizeof header);
  if (message.size <= kSmallFrame) {
    frame.head.insert(frame.head.end(), payload, payload + message.size);
  } else {
    frame.payload = message.payload;
    frame.payload_bytes = message.size;
  }
  frame.sent = sent;
  frame.is_small = is_small && out_;
  frame.number = number;
  Queue(std::move(frame));
}

void Channel::Queue(OutFrame frame) {
  unsent_.store(unsent() + frame.messages, std::memory_order_release);
  queue_.push_back(std::move(frame));
}

std::list<OutFrame> Channel::TakeUnsent() {
  std::list<OutFrame> frames;
  frames.swap(queue_);
  for (OutFrame& frame : frames) frame.is_small = false;  // of the ring that was
  unsent_.store(0, std::memory_order_release);
  awaits_room_.store(false, std::memory_order_release);
  return frames;
}

// --- getting rid of it ---

void Channel::SetPatience(Time time) { patience_.store(time, std::memory_order_relaxed); }

// With the ring full. Whether to wait for its reader, and not to go by the socket.
bool Channel::AwaitsReader() {
  const uint64_t read = out_->reader_offset();
  const Time now = Now();
  if (read != read_until_) {
    read_until_ = read;
    last_read_ = now;
  }
  const bool awaits = now - last_read_ < patience_.load(std::memory_order_relaxed);
  awaits_room_.store(awaits, std::memory_order_release);
  return awaits;
}

// Moves what is first in the queue to the ring, as far as there is room. kSent: all that was small.
Channel::ByRing Channel::MoveToRing() {
  bool gone;
  if (!MaySendByRing(&gone)) return gone ? ByRing::kGone : ByRing::kRefused;
  const size_t before = unsent();
  size_t moved = 0;
  bool full = false;
  while (!full && !queue_.empty() && queue_.front().is_small) {
    OutFrame& frame = queue_.front();
    while (frame.sent < frame.head.size()) {
      FrameHeader header;
      memcpy(&header, frame.head.data() + frame.sent, sizeof header);
      const uint8_t* const payload = frame.head.data() + frame.sent + sizeof header;
      full = !out_->Push(frame.number, payload, header.payload_bytes);
      if (full) break;
      ++frame.number;
      moved += frame.AddSent(sizeof header + header.payload_bytes);
    }
    if (!full) queue_.pop_front();
  }
  const bool wake = moved > 0 && out_->Publish(sched_getcpu());
  // Not before the reader can see it: the process may end as soon as nothing is unsent.
  unsent_.store(before - moved, std::memory_order_release);
  if (wake) WakeReader();
  return full ? ByRing::kFull : ByRing::kSent;
}

Result Channel::Flush() {
  while (!queue_.empty()) {
    if (out_ && queue_.front().is_small) {
      const ByRing result = MoveToRing();
      if (result == ByRing::kFull && AwaitsReader()) return Result::kShouldWait;
      if (result == ByRing::kGone) {
        TakeUnsent();
        return Result::kFailedPrecondition;
      }
      if (result == ByRing::kSent) continue;
    }
    awaits_room_.store(false, std::memory_order_release);
    OutFrame& frame = queue_.front();
    size_t taken = 0;
    const Result result = SendSome(frame, &taken);
    if (result == Result::kFailedPrecondition) TakeUnsent();
    if (result != Result::kOk) return result;
    unsent_.store(unsent() - frame.AddSent(taken), std::memory_order_release);
    if (frame.sent < frame.bytes()) {
      frame.is_small = false;  // the rest of what has begun has to follow there
      return Result::kShouldWait;
    }
    queue_.pop_front();
  }
  awaits_room_.store(false, std::memory_order_release);
  return Result::kOk;
}

}  // namespace mojo_seq
