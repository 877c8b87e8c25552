#include "wait_set.h"

#include <algorithm>

#include "notification.h"
#include "spinner.h"

namespace mojo_seq {

// --- WaitableEvent ---

void WaitableEvent::Signal() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    signaled_ = true;
    for (WaitSet* set : sets_) set->QueueNews();
  }
  signals_.fetch_add(1, std::memory_order_seq_cst);
  if (waiters_.load(std::memory_order_seq_cst) > 0) {
    FutexWake(&signals_, manual_reset_ ? INT32_MAX : 1);
  }
}

void WaitableEvent::Reset() {
  std::lock_guard<std::mutex> lock(mutex_);
  signaled_ = false;
}

bool WaitableEvent::IsSignaled() {
  std::lock_guard<std::mutex> lock(mutex_);
  return signaled_;
}

bool WaitableEvent::TryTake() {
  std::lock_guard<std::mutex> lock(mutex_);
  const bool was = signaled_;
  if (!manual_reset_) signaled_ = false;
  return was;
}

Result WaitableEvent::Wait(Time deadline) {
  for (;;) {
    waiters_.fetch_add(1, std::memory_order_seq_cst);
    const uint32_t seen = signals_.load(std::memory_order_seq_cst);
    Wake wake = Wake::kWoken;
    const bool taken = TryTake();
    if (!taken) wake = FutexWait(&signals_, seen, deadline);
    waiters_.fetch_sub(1, std::memory_order_seq_cst);
    if (taken || TryTake()) return Result::kOk;
    if (wake == Wake::kInterrupted) return Result::kShouldWait;
    if (wake == Wake::kTimedOut) return Result::kDeadlineExceeded;
  }
}

// --- WaitSet ---

class WaitSet::Entry : public Observer {
 public:
  Entry(WaitSet* set, Ref<Dispatcher> dispatcher, HandleValue value, Signals signals)
      : dispatcher(std::move(dispatcher)), value(value), signals_(signals), set_(set) {}

  void OnState(const SignalsState& new_state) override {
    std::lock_guard<std::mutex> guard(mutex_);
    if (!set_) return;
    std::lock_guard<std::mutex> lock(set_->mutex_);
    state = new_state;
    SetVerdictLocked(Verdict(new_state, signals_));
  }
  void OnGone() override {
    std::lock_guard<std::mutex> guard(mutex_);
    if (!set_) return;
    std::lock_guard<std::mutex> lock(set_->mutex_);
    state = {};
    // Not in the set any more, only in its ready list, until this has been reported.
    set_->entries_.erase(value);
    SetVerdictLocked(Result::kCancelled);
  }
  // The set goes away or no longer wants to know. Never called with the set's mutex held.
  void Detach() {
    std::lock_guard<std::mutex> guard(mutex_);
    set_ = nullptr;
  }

  const Ref<Dispatcher> dispatcher;
  const HandleValue value;
  Result verdict = Result::kShouldWait;  // the set's mutex
  SignalsState state;                    // the set's mutex

 private:
  void SetVerdictLocked(Result new_verdict) {
    const bool was_ready = verdict != Result::kShouldWait;
    const bool is_ready = new_verdict != Result::kShouldWait;
    verdict = new_verdict;
    auto& ready = set_->ready_;
    if (was_ready && !is_ready) {
      ready.erase(std::find_if(ready.begin(), ready.end(),
                               [this](const Ref<Entry>& each) { return each.get() == this; }));
    } else if (!was_ready && is_ready) {
      ready.emplace_back(this);
      set_->QueueNews();
    }
  }

  const Signals signals_;
  std::mutex mutex_;  // between the dispatcher's lock and the set's
  WaitSet* set_;      // mutex_
};

WaitSet::WaitSet() = default;

WaitSet::~WaitSet() {
  std::unordered_map<HandleValue, Ref<Entry>> entries;
  std::deque<Ref<WaitableEvent>> events;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    entries.swap(entries_);
    events.swap(events_);
  }
  for (auto& [value, entry] : entries) {
    entry->Detach();
    entry->dispatcher->RemoveObserver(entry.get());
  }
  for (const Ref<WaitableEvent>& event : events) {
    std::lock_guard<std::mutex> lock(event->mutex_);
    event->sets_.erase(std::find(event->sets_.begin(), event->sets_.end(), this));
  }
}

Result WaitSet::AddHandle(Ref<Dispatcher> dispatcher, HandleValue value, Signals signals) {
  Ref<Entry> entry;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (entries_.count(value)) return Result::kAlreadyExists;
    entry = MakeRef<Entry>(this, dispatcher, value, signals);
    entries_.emplace(value, entry);
  }
  const Result result = dispatcher->AddObserver(value, Ref<Observer>(Ref<Entry>(entry)));
  if (result != Result::kOk) {
    entry->Detach();
    std::lock_guard<std::mutex> lock(mutex_);
    entries_.erase(value);
  }
  QueueNews();
  return result;
}

Result WaitSet::RemoveHandle(HandleValue value) {
  Ref<Entry> entry;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    auto it = entries_.find(value);
    if (it == entries_.end()) return Result::kNotFound;
    entry = std::move(it->second);
    entries_.erase(it);
  }
  entry->Detach();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    ready_.erase(std::remove_if(ready_.begin(), ready_.end(),
                                [&](const Ref<Entry>& each) { return each.get() == entry.get(); }),
                 ready_.end());
    if (IsEmptyLocked()) QueueNews();
  }
  entry->dispatcher->RemoveObserver(entry.get());
  return Result::kOk;
}

Result WaitSet::AddEvent(Ref<WaitableEvent> event) {
  std::lock_guard<std::mutex> event_lock(event->mutex_);
  std::lock_guard<std::mutex> lock(mutex_);
  for (const Ref<WaitableEvent>& each : events_) {
    if (each.get() == event.get()) return Result::kAlreadyExists;
  }
  event->sets_.push_back(this);
  events_.push_back(event);
  QueueNews();
  return Result::kOk;
}

Result WaitSet::RemoveEvent(WaitableEvent* event) {
  Ref<WaitableEvent> removed;
  std::lock_guard<std::mutex> event_lock(event->mutex_);
  std::lock_guard<std::mutex> lock(mutex_);
  auto it = std::find_if(events_.begin(), events_.end(),
                         [&](const Ref<WaitableEvent>& each) { return each.get() == event; });
  if (it == events_.end()) return Result::kNotFound;
  removed = std::move(*it);
  events_.erase(it);
  event->sets_.erase(std::find(event->sets_.begin(), event->sets_.end(), this));
  if (IsEmptyLocked()) QueueNews();
  return Result::kOk;
}

bool WaitSet::IsEmpty() {
  std::lock_guard<std::mutex> lock(mutex_);
  return IsEmptyLocked();
}

void WaitSet::QueueNews() {
  if (wake_->Set()) QueueWake(Ref<Event>(wake_));
}

// Events are looked at outside our lock, which comes after theirs.
Ref<WaitableEvent> WaitSet::TakeEvent() {
  std::deque<Ref<WaitableEvent>> events;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    events = events_;
  }
  for (Ref<WaitableEvent>& event : events) {
    if (!event->TryTake()) continue;
    std::lock_guard<std::mutex> lock(mutex_);
    auto it = std::find_if(events_.begin(), events_.end(), [&](const Ref<WaitableEvent>& each) {
      return each.get() == event.get();
    });
    if (it != events_.end()) {  // to the back: the others get their turn
      events_.erase(it);
      events_.push_back(event);
    }
    return event;
  }
  return nullptr;
}

void WaitSet::TakeReadyLocked(size_t max_ready, std::vector<ReadyHandle>* ready) {
  const size_t count = std::min(max_ready, ready_.size());
  for (size_t i = 0; i < count; ++i) {
    Ref<Entry> entry = std::move(ready_.front());
    ready_.pop_front();
    ready->push_back({entry->dispatcher, entry->value, entry->verdict, entry->state});
    if (entry->verdict != Result::kCancelled) ready_.push_back(std::move(entry));
  }
}

bool WaitSet::Look(size_t max_ready, Ref<WaitableEvent>* event, std::vector<ReadyHandle>* ready) {
  *event = TakeEvent();
  std::lock_guard<std::mutex> lock(mutex_);
  const bool empty = IsEmptyLocked();
  TakeReadyLocked(max_ready, ready);
  return *event || !ready->empty() || empty;
}

Result WaitSet::Wait(size_t max_ready, Time deadline, Ref<WaitableEvent>* event,
                     std::vector<ReadyHandle>* ready) {
  static thread_local Spinner spinner;
  for (;;) {
    wake_->Reset();  // before looking: what comes after the look sets it again
    if (Look(max_ready, event, ready)) return Result::kOk;
    switch (wake_->Wait(deadline, &spinner)) {
      case Wake::kWoken: break;
      case Wake::kTimedOut: return Result::kDeadlineExceeded;
      case Wake::kInterrupted: return Result::kShouldWait;
    }
  }
}

}  // namespace mojo_seq
