#include "wait.h"

#include <errno.h>

#include <algorithm>

#include "notification.h"
#include "poll_waker.h"
#include "spinner.h"

namespace mojo_seq {

namespace {

bool HasOtherProcessors() {
  cpu_set_t set;
  return sched_getaffinity(0, sizeof set, &set) != 0 || CPU_COUNT(&set) > 1;
}

}  // namespace

// What the entries of a waiter share. The first verdict is the one that counts.
struct Waiter::Shared : public RefCounted {
  Ref<Event> event = MakeRef<Event>();
  std::mutex mutex;
  Ref<PollWaker> poll_waker;  // mutex: set while the thread is about to sleep in a poll
  bool moved = false;         // mutex: what has to be polled is not what it was
  bool decided = false;  // mutex, as all below
  size_t index = 0;
  Result result = Result::kShouldWait;
};

class Waiter::Entry : public Observer {
 public:
  Entry(Ref<Shared> shared, Ref<Dispatcher> dispatcher, HandleValue value, Signals signals,
        size_t index)
      : dispatcher(std::move(dispatcher)),
        value(value),
        shared_(std::move(shared)),
        signals_(signals),
        index_(index) {}

  void OnState(const SignalsState& state) override {
    std::lock_guard<std::mutex> lock(shared_->mutex);
    if (IsDecider()) return;
    state_ = state;
    Decide(Verdict(state, signals_));
  }
  void OnGone() override {
    std::lock_guard<std::mutex> lock(shared_->mutex);
    if (IsDecider()) return;
    state_ = {};
    Decide(Result::kCancelled);
  }
  void OnMoved() override {
    std::lock_guard<std::mutex> lock(shared_->mutex);
    shared_->moved = true;
    WakeLocked();
  }
  bool NeedsIo() const override { return false; }
  SignalsState state() const {
    std::lock_guard<std::mutex> lock(shared_->mutex);
    return state_;
  }

  const Ref<Dispatcher> dispatcher;
  const HandleValue value;

 private:
  void WakeLocked() {
    if (shared_->poll_waker) {
      QueueWake(Ref<Waker>(Ref<PollWaker>(shared_->poll_waker)));
    } else if (shared_->event->Set()) {
      QueueWake(Ref<Event>(shared_->event));
    }
  }
  // True if the verdict is about this handle: then its state is the one that led to it.
  bool IsDecider() const { return shared_->decided && shared_->index == index_; }
  void Decide(Result verdict) {
    if (verdict == Result::kShouldWait || shared_->decided) return;
    shared_->decided = true;
    shared_->index = index_;
    shared_->result = verdict;
    WakeLocked();
  }

  const Ref<Shared> shared_;
  const Signals signals_;
  const size_t index_;
  SignalsState state_;  // shared_->mutex
};

Waiter::Waiter() : shared_(MakeRef<Shared>()) {}

Waiter::~Waiter() {
  for (const Ref<Entry>& entry : entries_) entry->dispatcher->RemoveObserver(entry.get());
}

Result Waiter::Add(Dispatcher* dispatcher, HandleValue value, Signals signals) {
  auto entry =
      MakeRef<Entry>(shared_, Ref<Dispatcher>(dispatcher), value, signals, entries_.size());
  const Result result = dispatcher->AddObserver(value, Ref<Observer>(Ref<Entry>(entry)));
  if (dispatcher->type() == HandleType::kMessagePipe) grace_ = true;
  if (result == Result::kOk) entries_.push_back(std::move(entry));
  return result;
}

// True if there is something to poll: sockets of handles whose peers are in other processes.
bool Waiter::FindDescriptors() {
  descriptors_.clear();
  polled_.clear();
  for (const Ref<Entry>& entry : entries_) {
    short events = 0;
    Ref<SharedFd> fd = entry->dispatcher->WaitDescriptor(entry->value, &events);
    if (fd && polled_.empty()) polled_.push_back({PollWaker::OfThisThread()->fd(), POLLIN, 0});
    if (fd) polled_.push_back({fd->fd.get(), events, 0});
    descriptors_.push_back(std::move(fd));
  }
  return !polled_.empty();
}

int Waiter::PeerProcessor() const {
  for (const Ref<Entry>& entry : entries_) {
    const int processor = entry->dispatcher->PeerProcessor();
    if (processor >= 0) return processor;
  }
  return -1;
}

// Spinning pays only if the other process runs on another processor than this.
bool Waiter::MaySpin() const {
  const int peer = PeerProcessor();
  return peer >= 0 ? peer != sched_getcpu() : HasOtherProcessors();
}

// Handles whose sockets have something take it in.
void Waiter::TakeIn() {
  if (polled_[0].revents != 0) PollWaker::OfThisThread()->Drain();
  size_t next = 1;
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (!descriptors_[i]) continue;
    const short events = polled_[next++].revents;
    if (events != 0) entries_[i]->dispatcher->LookForNews(events);
  }
}

Wake Waiter::Poll(Time deadline) {
  static thread_local Spinner spinner;
  const auto decided = [this] {
    std::lock_guard<std::mutex> lock(shared_->mutex);
    return shared_->decided || shared_->moved;
  };
  if (spinner.WantsToSpin() && MaySpin() && (deadline == kNever || Now() < deadline) &&
      spinner.Spin([&] {
        for (const Ref<Entry>& entry : entries_) entry->dispatcher->LookQuickly();
        return decided();
      })) {
    return Wake::kWoken;
  }
  const Time begin = Now();
  for (;;) {
    for (const Ref<Entry>& entry : entries_) entry->dispatcher->ArmDoorbell();
    // What we took in may be for others, who must not wait until we have slept.
    if (HasPendingDispatch()) DispatchPending();
    {
      std::lock_guard<std::mutex> lock(shared_->mutex);
      if (shared_->decided || shared_->moved) return Wake::kWoken;
      shared_->poll_waker = Ref<PollWaker>(PollWaker::OfThisThread());
    }
    const Time left = deadline == kNever ? -1 : std::max<Time>(deadline - Now(), 0);
    // Rounded up: a little late, never early and then again at once.
    const int timeout = left < 0 ? -1 : static_cast<int>(std::min<Time>(left / 1'000'000 + 1, INT32_MAX));
    int woken = poll(polled_.data(), polled_.size(), left == 0 ? 0 : timeout);
    const int error = errno;
    {
      // Awake: nobody needs to wake us, least of all ourselves.
      std::lock_guard<std::mutex> lock(shared_->mutex);
      shared_->poll_waker = nullptr;
    }
    if (woken < 0 && error == EINTR) return Wake::kInterrupted;
    if (woken > 0) TakeIn();
    if (decided()) {
      spinner.SleptFor(Now() - begin, PeerProcessor());
      return Wake::kWoken;
    }
    if (deadline != kNever && Now() >= deadline) return Wake::kTimedOut;
    // What is polled depends on what is here: a handle with messages is not polled for more.
    if (!FindDescriptors()) return Wake::kWoken;
  }
}

Wake Waiter::Sleep(Time deadline) {
  // Whether a spin pays depends on what this thread usually waits for.
  static thread_local Spinner spinner;
  if (FindDescriptors()) return Poll(deadline);
  return shared_->event->Wait(deadline, &spinner, grace_);
}

Result Waiter::Wait(Time deadline) {
  for (;;) {
    const Wake wake = Sleep(deadline);
    std::lock_guard<std::mutex> lock(shared_->mutex);
    if (shared_->decided) {
      index_ = shared_->index;
      result_ = shared_->result;
      return Result::kOk;
    }
    if (wake == Wake::kInterrupted) return Result::kShouldWait;
    if (wake == Wake::kTimedOut) return Result::kDeadlineExceeded;
    shared_->event->Reset();  // a peer has moved: it may have to be polled now, or no longer
    shared_->moved = false;
  }
}

Result Waiter::Look() {
  if (FindDescriptors()) Poll(0);
  std::lock_guard<std::mutex> lock(shared_->mutex);
  shared_->moved = false;
  if (!shared_->decided) return Result::kDeadlineExceeded;
  index_ = shared_->index;
  result_ = shared_->result;
  return Result::kOk;
}

SignalsState Waiter::state(size_t index) const { return entries_[index]->state(); }

}  // namespace mojo_seq
