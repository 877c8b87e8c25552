// What Channel does with rings: a message goes through the ring if it is small, the reader is awake
// and nothing waits before it, else through the socket. A sleeping reader is woken by the message
// itself.
#include "channel.h"

#include <poll.h>
#include <sched.h>

#include <algorithm>
#include <cstring>

#include "hot_pipes.h"
#include "socket.h"

namespace mojo_seq {

namespace {

constexpr uint32_t kLooksAtSocket = 64;
// More records than an honest writer can have between two messages in the socket.
constexpr size_t kMostRecords = kRingBytes / 8 + 1;

// What those have who want a channel to be kept armed.
struct Kept : public RefCounted {};

OutFrame ControlFrame(FrameType type, Ref<SharedFd> descriptor) {
  FrameHeader header = MakeHeader(0, 0);
  header.type = type;
  header.descriptors = descriptor ? 1 : 0;
  OutFrame frame;
  const auto* const head = reinterpret_cast<const uint8_t*>(&header);
  frame.head.assign(head, head + sizeof header);
  if (descriptor) frame.descriptors.push_back(std::move(descriptor));
  return frame;
}

}  // namespace

// --- sending ---

// With nothing half sent. kShouldWait: nothing was sent.
Result Channel::SendControl(FrameType type, Ref<SharedFd> descriptor) {
  OutFrame frame = ControlFrame(type, std::move(descriptor));
  size_t taken = 0;
  const Result result = SendSome(frame, &taken);
  // A full socket wakes whoever sleeps, too. Where the kernel had no room for it, it has to be sent
  // yet.
  const bool lost = result == Result::kShouldWait && type == FrameType::kDoorbell && is_refused();
  if (result != Result::kOk && !lost) {
    refused_.store(false, std::memory_order_release);  // nothing waits for it
    return result;
  }
  frame.AddSent(taken);
  if (frame.sent < frame.bytes()) {
    frame.messages = 1;
    unsent_.store(unsent() + 1, std::memory_order_release);
    queue_.push_front(std::move(frame));
  }
  return Result::kOk;
}

void Channel::OfferRing() {
  if (!queue_.empty()) return;
  if (!HotPipes::Enter(this)) return;
  was_hot_ = true;
  Ref<RingWriter> made = RingWriter::Create();
  if (!made || SendControl(FrameType::kRingOffer, made->shared_fd()) != Result::kOk) {
    HotPipes::Leave(this);
    return;
  }
  out_ = std::move(made);
  in_use_ = true;
}

void Channel::CountSent(size_t messages, bool small) {
  if (!out_ && small) MayOfferRing(messages);
  if (out_) out_->Skip(static_cast<uint32_t>(messages));
}

void Channel::MayOfferRing(size_t messages) {
  const RingMode mode = HotPipes::mode();
  if (mode == RingMode::kNever) return;
  if (streak_ == 0 && mode == RingMode::kAuto) streak_begin_ = Now();
  streak_ += static_cast<uint32_t>(messages);
  if (!HotPipes::MayBeHot(streak_)) return;
  const bool hot = mode == RingMode::kAtOnce || HotPipes::IsHot(Now() - streak_begin_);
  streak_ = 0;
  if (hot) OfferRing();
}

bool Channel::MaySendByRing(bool* gone) {
  const RingWriter::Reader reader = out_->reader();
  *gone = reader == RingWriter::Reader::kGone;
  if (reader != RingWriter::Reader::kAccepted) return false;
  // The memory does not tell of a reader's death, as a socket would. One that was seen alive lately
  // need not be asked for again: whoever learns of its end by another way learns it later. If it has
  // read anything, it did so after we last looked, and perhaps long ago.
  const uint64_t now = Ticks();
  if (out_->HasMoved()) alive_ = looked_;
  looked_ = now;
  if (now - alive_ > kTicksOfAWhile) {
    *gone = (PollSocket(fd(), 0) & (POLLHUP | POLLERR)) != 0;
    if (*gone) return false;
    alive_ = now;
  }
  in_use_ = true;
  return true;
}

// What it is woken for is in the ring, and sent: the other end may have read it already, answered,
// and be gone by now. That is for the next message to find out.
void Channel::WakeReader() {
  const Result result = SendControl(FrameType::kDoorbell, nullptr);
  if (result == Result::kFailedPrecondition) alive_ = looked_ = 0;
}

// What waited for room goes first. kSent: nothing waits any more.
Channel::ByRing Channel::BeginByRing() {
  if (awaits_room() && Flush() == Result::kFailedPrecondition) return ByRing::kGone;
  if (!queue_.empty()) return ByRing::kRefused;
  bool gone;
  if (!MaySendByRing(&gone)) return gone ? ByRing::kGone : ByRing::kRefused;
  return ByRing::kSent;
}

Channel::ByRing Channel::SendByRing(const Message& message) {
  if (message.size > kMostInRing) return ByRing::kRefused;
  // What wakes it is the message, sent through the socket, which also tells whether it is gone.
  if (queue_.empty() && out_->reader() == RingWriter::Reader::kAccepted && out_->WakesReader()) {
    return ByRing::kRefused;
  }
  if (const ByRing result = BeginByRing(); result != ByRing::kSent) return result;
  const uint8_t* const data = message.size > 0 ? message.payload->data() : nullptr;
  if (!out_->Push(data, message.size)) return ByRing::kFull;
  if (out_->Publish(sched_getcpu())) WakeReader();
  return ByRing::kSent;
}

// `*next` is the first one that was not sent. kFull: because there is no room for it.
Channel::ByRing Channel::SendByRing(const Message** next) {
  if (const ByRing result = BeginByRing(); result != ByRing::kSent) return result;
  const Message* const first = *next;
  bool full = false;
  for (; *next && (*next)->size <= kMostInRing; *next = (*next)->next) {
    const uint8_t* const data = (*next)->size > 0 ? (*next)->payload->data() : nullptr;
    full = !out_->Push(data, (*next)->size);
    if (full) break;
  }
  if (*next != first && out_->Publish(sched_getcpu())) WakeReader();
  return full ? ByRing::kFull : ByRing::kSent;
}

bool Channel::OnIdle() {
  // Whoever holds it is using the pipe.
  std::unique_lock<std::mutex> lock(send_mutex_, std::try_to_lock);
  if (!lock) return false;
  if (!out_) return true;
  if (in_use_) {
    in_use_ = false;
    return false;
  }
  const RingWriter::Reader reader = out_->reader();
  const bool drained = reader != RingWriter::Reader::kAccepted || out_->IsDrained();
  if (!queue_.empty() || !drained) return false;
  // Nobody needs to know any more if the other end is gone.
  if (reader != RingWriter::Reader::kGone &&
      SendControl(FrameType::kRingEnd, nullptr) == Result::kShouldWait) {
    return false;
  }
  out_ = nullptr;
  return true;
}

// --- receiving ---

// All that comes before the next message in the socket. False: the writer lies.
bool Channel::TakeFromRing(std::vector<InFrame>* frames) {
  const uint8_t* data;
  size_t nbytes;
  RingReader::Next next;
  size_t count = 0;
  for (; (next = in_->Look(&data, &nbytes)) == RingReader::Next::kMessage; ++count) {
    if (count == kMostRecords) return false;
    InFrame& frame = frames->emplace_back();
    frame.header.sender = in_->process();
    frame.header.payload_bytes = nbytes;
    if (nbytes > 0) {
      frame.payload = Payload::Allocate(nbytes);
      if (!frame.payload) return false;
      memcpy(frame.payload->data(), data, nbytes);
    }
    in_->Pop();
  }
  if (count > 0) {
    in_->GiveBack();
    frames->back().header.processor = static_cast<uint16_t>(in_->processor() + 1);
  }
  return next != RingReader::Next::kBad;
}

// The same, and where somebody may be asleep at any time the writer knows it from now on.
bool Channel::TakeAll(std::vector<InFrame>* frames) {
  if (!TakeFromRing(frames)) return false;
  return !IsKeptArmed() || !in_->Arm(true) || TakeFromRing(frames);
}

bool Channel::AcceptRing(InFrame* offer) {
  if (in_ || offer->descriptors.size() != 1) return false;
  bool bad;
  in_ = RingReader::Map(std::move(offer->descriptors[0]), {}, &bad);
  if (bad) return false;
  // Without room for it all goes on through the socket.
  if (in_) in_->Accept();
  has_in_.store(static_cast<bool>(in_), std::memory_order_release);
  return true;
}

// Puts what came through the socket between what is in the ring. False: the other side lies.
bool Channel::Sort(std::vector<InFrame>* came, std::vector<InFrame>* frames) {
  for (InFrame& frame : *came) {
    switch (frame.header.type) {
      case FrameType::kRingOffer:
        if (!AcceptRing(&frame)) return false;
        break;
      case FrameType::kRingEnd: {
        if (!in_) break;
        const uint8_t* data;
        size_t nbytes;
        if (!TakeFromRing(frames)) return false;
        if (in_->Look(&data, &nbytes) != RingReader::Next::kNone) return false;
        has_in_.store(false, std::memory_order_release);
        in_ = nullptr;
        break;
      }
      case FrameType::kDoorbell:
        NoteSentAt(frame.header);
        took_bell_ = true;
        break;
      default:
        if (in_) {
          if (!TakeFromRing(frames)) return false;
          in_->Skip();
        }
        frames->push_back(std::move(frame));
    }
  }
  return true;
}

Result Channel::ReceiveByRing(std::vector<InFrame>* frames) {
  // The other side may go on for ever without a message; whoever polls comes again.
  constexpr int kMostRounds = 256;
  for (int rounds = kMostRounds; rounds > 0;) {
    bool owed = false;
    if (in_) {
      if (!TakeAll(frames)) return Result::kAborted;
      if (!frames->empty()) return Result::kOk;
      owed = in_->HasNews() && LooksLater();
    }
    const Result result = ReceiveSome(frames, &rounds);
    const auto is_message = [](const InFrame& each) {
      return each.header.type == FrameType::kMessage;
    };
    if (!in_ && !frames->empty() && std::all_of(frames->begin(), frames->end(), is_message)) {
      return result;
    }
    std::vector<InFrame> came;
    came.swap(*frames);
    if (!Sort(&came, frames)) return Result::kAborted;
    if (result == Result::kAborted) return result;
    // What comes next may have been in the ring before we said that the bell is to be rung.
    if (!frames->empty() && in_ && !TakeAll(frames)) return Result::kAborted;
    if (!frames->empty()) return Result::kOk;
    if (result == Result::kOk) continue;
    if (!in_) return result;
    // What it put into the ring before its end.
    if (result == Result::kFailedPrecondition) in_->Seal();
    if (!TakeAll(frames)) return Result::kAborted;
    if (!frames->empty()) return Result::kOk;
    // What it sent before what is in the ring was in the socket by then.
    return owed && result == Result::kShouldWait ? Result::kAborted : result;
  }
  return Result::kShouldWait;
}

// Whether there is a message in the ring which comes after one that is in the socket.
bool Channel::LooksLater() {
  const uint8_t* data;
  size_t nbytes;
  return in_->Look(&data, &nbytes) == RingReader::Next::kLater;
}

bool Channel::IsKeptArmed() const { return kept_armed_ && !kept_armed_->HasOneRef(); }

bool Channel::Arm() {
  if (!has_in_.load(std::memory_order_acquire)) return false;
  Guard guard(receive_mutex_);
  return in_ && in_->Arm(IsKeptArmed());
}

Ref<RefCounted> Channel::KeepArmed() {
  Guard guard(receive_mutex_);
  if (!kept_armed_) kept_armed_ = MakeRef<Kept>();
  return kept_armed_;
}

void Channel::Disarm() {
  if (in_ && !IsKeptArmed()) in_->Disarm();  // others may be asleep
}

void Channel::OnPeerGone() {
  if (!has_in_.load(std::memory_order_acquire)) return;
  Guard guard(receive_mutex_);
  if (in_) in_->Seal();
}

bool Channel::HasNews() {
  if (!has_in_.load(std::memory_order_acquire)) return false;
  Guard guard(receive_mutex_);
  return in_ && in_->HasNews();
}

bool Channel::MayHaveNews() {
  if (!has_in_.load(std::memory_order_acquire)) return true;
  std::unique_lock<std::mutex> lock(receive_mutex_, std::try_to_lock);
  if (!lock) return false;  // somebody looks just now
  return !in_ || in_->HasNews() || ++looks_ % kLooksAtSocket == 0;
}

// --- moving ---

Channel::Rings Channel::TakeRings() {
  if (was_hot_) HotPipes::Leave(this);
  has_in_.store(false, std::memory_order_release);
  return {std::move(out_), std::move(in_)};
}

void Channel::QueueRingEnd() { Queue(ControlFrame(FrameType::kRingEnd, nullptr)); }

void Channel::GiveRings(Rings rings) {
  out_ = std::move(rings.out);
  in_ = std::move(rings.in);
  has_in_.store(static_cast<bool>(in_), std::memory_order_release);
  if (!out_) return;
  HotPipes::Enter(this, true);
  was_hot_ = true;
}

}  // namespace mojo_seq
