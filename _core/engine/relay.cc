#include "relay.h"

#include <sys/epoll.h>

#include "io_thread.h"

namespace mojo_seq {

namespace {

// The frames of a message as it came, for sending it on.
std::vector<OutFrame> ToFrames(InFrame in) {
  std::vector<Ref<SharedFd>> descriptors;
  for (ScopedFd& fd : in.descriptors) descriptors.push_back(MakeRef<SharedFd>(std::move(fd)));
  std::vector<OutFrame> frames = SplitDescriptors(in.header, std::move(descriptors));
  OutFrame& last = frames.back();
  if (in.meta) {
    last.head.insert(last.head.end(), in.meta->data(), in.meta->data() + in.meta->capacity());
  }
  last.payload = std::move(in.payload);
  last.payload_bytes = in.header.inline_payload();
  return frames;
}

// One direction: from its own channel to that of its twin. Only the I/O thread uses it, once it has
// been started; its fields need no lock.
class Side : public IoHandler {
 public:
  explicit Side(Ref<Channel> channel) : channel_(std::move(channel)) {}

  void Join(Ref<Side> twin) { twin_ = std::move(twin); }

  void Send(std::vector<OutFrame> frames) {
    Channel::Guard guard(channel_->send_mutex());
    if (channel_->Send(std::move(frames)) == Result::kFailedPrecondition) over_ = true;
  }

  void OnIo(uint32_t events) override {
    const Ref<Side> self(this);
    if (events == 0) channel_->OnRetry();
    if (!twin_) return;
    Flush();
    twin_->Flush();
    PassOn();
    twin_->PassOn();
    if (over_ || twin_->over_) {
      const Ref<Side> twin = std::move(twin_);
      twin->twin_ = nullptr;
      channel_->OnOwnerClosed();  // what is unsent goes out yet
      twin->channel_->OnOwnerClosed();
      return;
    }
    UpdateInterest();
    twin_->UpdateInterest();
  }
  size_t Unsent() const override { return channel_->unsent(); }

 private:
  static constexpr int kMostRounds = 64;

  void Flush() {
    Channel::Guard guard(channel_->send_mutex());
    if (channel_->Flush() == Result::kFailedPrecondition) over_ = true;
  }

  void PassOn() {
    // Where both sides have rings it could go on for ever, and others want to be served, too.
    for (int round = 0; !over_ && !twin_->over_ && twin_->channel_->unsent() == 0; ++round) {
      if (round == kMostRounds) {
        IoThread::Get().After(0, Ref<IoHandler>(this));
        return;
      }
      std::vector<InFrame> frames;
      Result result;
      {
        Channel::Guard guard(channel_->receive_mutex());
        result = channel_->Receive(&frames);
      }
      for (InFrame& frame : frames) twin_->Send(ToFrames(std::move(frame)));
      exhausted_ = result == Result::kResourceExhausted;
      if (result == Result::kFailedPrecondition || result == Result::kAborted) over_ = true;
      if (result != Result::kOk) return;
    }
  }

  void UpdateInterest() {
    uint32_t events = 0;
    bool later = false;
    if (twin_->channel_->unsent() == 0) {
      if (exhausted_) {
        later = true;
      } else {
        events |= EPOLLIN | EPOLLRDHUP;
      }
    }
    if (channel_->unsent() > 0) {
      if (channel_->is_refused() || channel_->awaits_room()) {
        later = true;
      } else {
        events |= EPOLLOUT;
      }
    }
    {
      std::lock_guard<std::mutex> lock(channel_->poll_mutex());
      if (later) channel_->RetryLaterLocked(this);
      channel_->SetInterestLocked(events, this);
    }
    if ((events & EPOLLIN) && channel_->Arm()) IoThread::Get().After(0, Ref<IoHandler>(this));
  }

  const Ref<Channel> channel_;
  Ref<Side> twin_;
  bool over_ = false;
  bool exhausted_ = false;
};

}  // namespace

void Relay::Start(Ref<Channel> a, Ref<Channel> b, std::vector<OutFrame> to_a,
                  std::vector<OutFrame> to_b) {
  auto left = MakeRef<Side>(std::move(a));
  auto right = MakeRef<Side>(std::move(b));
  left->Join(right);
  right->Join(left);
  left->Send(std::move(to_a));
  right->Send(std::move(to_b));
  IoThread::Get().After(0, std::move(left));
}

}  // namespace mojo_seq
