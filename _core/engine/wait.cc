#include "wait.h"

#include <errno.h>

#include <algorithm>

#include "notification.h"
#include "poll_waker.h"
#include "spinner.h"

namespace mojo_seq {

// What the entries of a waiter share. The first verdict is the one that counts.
struct Waiter::Shared : public RefCounted {
  Ref<Event> event = MakeRef<Event>();
  std::mutex mutex;
  Ref<PollWaker> poll_waker;  // mutex: set while the thread is about to sleep in a poll
  bool moved = false;         // mutex: what has to be polled is not what it was
  bool bell_taken = false;    // mutex: since the thread last said that it sleeps
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
  void OnBellTaken() override {
    std::lock_guard<std::mutex> lock(shared_->mutex);
    shared_->bell_taken = true;
    if (shared_->poll_waker) WakeLocked();
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

// When the other side sent what has just arrived; 0: not known.
Time Waiter::SentAt() const {
  return entries_.size() == 1 ? entries_[0]->dispatcher->SentAt() : 0;
}

// Whether a spin pays depends on the handle, or on what this thread usually waits for at once.
Spinner& Waiter::spinner() const {
  static thread_local Spinner of_many;
  return entries_.size() == 1 ? entries_[0]->dispatcher->spinner() : of_many;
}

// Handles whose sockets have something take it in; with `all`, also what is in their memory.
void Waiter::TakeIn(bool all) {
  if (polled_[0].revents != 0) PollWaker::OfThisThread()->Drain();
  size_t next = 1;
  for (size_t i = 0; i < entries_.size(); ++i) {
    if (!descriptors_[i]) continue;
    const short events = polled_[next++].revents;
    if (all || events != 0) entries_[i]->dispatcher->LookForNews(events);
  }
}

bool Waiter::IsOver() const {
  std::lock_guard<std::mutex> lock(shared_->mutex);
  return shared_->decided || shared_->moved;
}

// Does not sleep, and so does not say that it does: that would make the next message a slow one.
Wake Waiter::PollOnce() {
  if (!IsOver()) {
    poll(polled_.data(), polled_.size(), 0);
    TakeIn(true);
  }
  return IsOver() ? Wake::kWoken : Wake::kTimedOut;
}

Wake Waiter::Poll(Time deadline) {
  const Time begin = Now();
  if (deadline <= begin) return PollOnce();
  Spinner& spinner = this->spinner();
  const auto look = [&] {
    for (const Ref<Entry>& entry : entries_) entry->dispatcher->LookQuickly();
    return IsOver();
  };
  if (spinner.WantsToSpin() && spinner.Spin(look, false, PeerProcessor())) {
    return Wake::kWoken;
  }
  for (;;) {
    {
      std::lock_guard<std::mutex> lock(shared_->mutex);
      shared_->bell_taken = false;
    }
    for (const Ref<Entry>& entry : entries_) entry->dispatcher->ArmDoorbell();
    // What we took in may be for others, who must not wait until we have slept.
    if (HasPendingDispatch()) DispatchPending();
    bool only_look;
    {
      std::lock_guard<std::mutex> lock(shared_->mutex);
      if (shared_->decided || shared_->moved) return Wake::kWoken;
      only_look = shared_->bell_taken;  // then nobody rings for us
      shared_->poll_waker = Ref<PollWaker>(PollWaker::OfThisThread());
    }
    const Time until = only_look ? 0 : deadline;
    const Time left = until == kNever ? -1 : std::max<Time>(until - Now(), 0);
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
    if (woken > 0) TakeIn(false);
    if (IsOver()) {
      spinner.Slept(begin, SentAt(), PeerProcessor());
      return Wake::kWoken;
    }
    if (deadline != kNever && Now() >= deadline) return Wake::kTimedOut;
    // What is polled depends on what is here: a handle with messages is not polled for more.
    if (!FindDescriptors()) return Wake::kWoken;
  }
}

Wake Waiter::Sleep(Time deadline) {
  if (FindDescriptors()) return Poll(deadline);
  const bool may_spin = deadline == kNever || Now() < deadline;
  return shared_->event->Wait(deadline, may_spin ? &spinner() : nullptr, grace_);
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
