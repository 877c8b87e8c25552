#include "wait.h"

#include "notification.h"

namespace mojo_seq {

// What the entries of a waiter share. The first verdict is the one that counts.
struct Waiter::Shared : public RefCounted {
  Ref<Event> event = MakeRef<Event>();
  std::mutex mutex;
  bool decided = false;  // mutex, as all below
  size_t index = 0;
  Result result = Result::kShouldWait;
};

class Waiter::Entry : public Observer {
 public:
  Entry(Ref<Shared> shared, Ref<Dispatcher> dispatcher, Signals signals, size_t index)
      : dispatcher(std::move(dispatcher)),
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
  SignalsState state() const {
    std::lock_guard<std::mutex> lock(shared_->mutex);
    return state_;
  }

  const Ref<Dispatcher> dispatcher;

 private:
  // True if the verdict is about this handle: then its state is the one that led to it.
  bool IsDecider() const { return shared_->decided && shared_->index == index_; }
  void Decide(Result verdict) {
    if (verdict == Result::kShouldWait || shared_->decided) return;
    shared_->decided = true;
    shared_->index = index_;
    shared_->result = verdict;
    if (shared_->event->Set()) QueueWake(Ref<Event>(shared_->event));
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
      MakeRef<Entry>(shared_, Ref<Dispatcher>(dispatcher), signals, entries_.size());
  const Result result = dispatcher->AddObserver(value, Ref<Observer>(Ref<Entry>(entry)));
  if (dispatcher->type() == HandleType::kMessagePipe) grace_ = true;
  if (result == Result::kOk) entries_.push_back(std::move(entry));
  return result;
}

Result Waiter::Wait(Time deadline) {
  // Whether a spin pays depends on what this thread usually waits for.
  static thread_local Spinner spinner;
  const Wake wake = shared_->event->Wait(deadline, &spinner, grace_);
  if (wake == Wake::kInterrupted) return Result::kShouldWait;
  std::lock_guard<std::mutex> lock(shared_->mutex);
  if (!shared_->decided) return Result::kDeadlineExceeded;
  index_ = shared_->index;
  result_ = shared_->result;
  return Result::kOk;
}

SignalsState Waiter::state(size_t index) const { return entries_[index]->state(); }

}  // namespace mojo_seq
