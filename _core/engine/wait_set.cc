#include "wait_set.h"

#include <algorithm>
#include <utility>

#include "notification.h"

namespace mojo_seq {

// --- WaitableEvent ---

void WaitableEvent::Signal() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    signaled_ = true;
    for (WaitSet* set : sets_) set->OnSignal(this);
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

void WaitSet::Entry::OnState(const SignalsState& new_state) {
  std::lock_guard<std::mutex> guard(mutex_);
  if (!set_) return;
  std::lock_guard<std::mutex> lock(set_->mutex_);
  state = new_state;
  SetVerdictLocked(Verdict(new_state, signals_));
}

void WaitSet::Entry::OnGone() {
  std::lock_guard<std::mutex> guard(mutex_);
  if (!set_) return;
  std::lock_guard<std::mutex> lock(set_->mutex_);
  state = {};
  // Not in the set any more, only in its ready list, until this has been reported.
  set_->entries_.erase(value);
  SetVerdictLocked(Result::kCancelled);
}

void WaitSet::Entry::Detach() {
  std::lock_guard<std::mutex> guard(mutex_);
  set_ = nullptr;
}

void WaitSet::Entry::SetVerdictLocked(Result new_verdict) {
  verdict = new_verdict;
  const bool was_ready = std::exchange(is_ready, new_verdict != Result::kShouldWait);
  if (was_ready && !is_ready) {
    set_->ready_.Remove(this);  // the dispatcher has another reference
  } else if (!was_ready && is_ready) {
    set_->ready_.PushBack(Ref<Entry>(this));
    set_->QueueNews();
  }
}

WaitSet::WaitSet() = default;

WaitSet::~WaitSet() {
  std::unordered_map<HandleValue, Ref<Entry>> entries;
  std::unordered_map<WaitableEvent*, EventEntry> events;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    entries.swap(entries_);
    events.swap(events_);
    signaled_.clear();
  }
  for (auto& [value, entry] : entries) {
    entry->Detach();
    entry->dispatcher->RemoveObserver(entry.get());
  }
  for (const auto& [event, entry] : events) {
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
    if (std::exchange(entry->is_ready, false)) ready_.Remove(entry.get());
    if (IsEmptyLocked()) QueueNews();
  }
  entry->dispatcher->RemoveObserver(entry.get());
  return Result::kOk;
}

Result WaitSet::AddEvent(Ref<WaitableEvent> event) {
  std::lock_guard<std::mutex> event_lock(event->mutex_);
  std::lock_guard<std::mutex> lock(mutex_);
  if (!events_.try_emplace(event.get(), EventEntry{event, turns_}).second) {
    return Result::kAlreadyExists;
  }
  if (event->signaled_) signaled_.emplace(turns_, event.get());
  ++turns_;
  event->sets_.push_back(this);
  QueueNews();
  return Result::kOk;
}

Result WaitSet::RemoveEvent(WaitableEvent* event) {
  Ref<WaitableEvent> removed;
  std::lock_guard<std::mutex> event_lock(event->mutex_);
  std::lock_guard<std::mutex> lock(mutex_);
  auto it = events_.find(event);
  if (it == events_.end()) return Result::kNotFound;
  removed = std::move(it->second.event);
  signaled_.erase(it->second.turn);
  events_.erase(it);
  event->sets_.erase(std::find(event->sets_.begin(), event->sets_.end(), this));
  if (IsEmptyLocked()) QueueNews();
  return Result::kOk;
}

void WaitSet::OnSignal(WaitableEvent* event) {
  std::lock_guard<std::mutex> lock(mutex_);
  auto it = events_.find(event);
  if (it == events_.end()) return;  // the set is just ending
  signaled_.emplace(it->second.turn, event);
  QueueNews();
}

bool WaitSet::IsEmpty() {
  std::lock_guard<std::mutex> lock(mutex_);
  return IsEmptyLocked();
}

void WaitSet::QueueNews() {
  if (wake_->Set()) QueueWake(Ref<Event>(wake_));
}

Ref<WaitableEvent> WaitSet::TakeEvent() {
  for (;;) {
    Ref<WaitableEvent> event;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (signaled_.empty()) return nullptr;
      event = Ref<WaitableEvent>(signaled_.begin()->second);
    }
    // Its mutex comes before ours; meanwhile it may have been taken out.
    std::lock_guard<std::mutex> event_lock(event->mutex_);
    std::lock_guard<std::mutex> lock(mutex_);
    auto it = events_.find(event.get());
    if (it == events_.end()) continue;
    signaled_.erase(it->second.turn);
    if (!event->signaled_) continue;  // it was reset, or somebody else was faster
    it->second.turn = turns_++;  // behind all others: they get their turn
    if (event->manual_reset_) {
      signaled_.emplace(it->second.turn, event.get());
    } else {
      event->signaled_ = false;
    }
    return event;
  }
}

void WaitSet::TakeReadyLocked(size_t max_ready, std::vector<ReadyHandle>* ready) {
  const Entry* const last = ready_.tail();
  for (size_t i = 0; i < max_ready && !ready_.empty(); ++i) {
    Ref<Entry> entry = ready_.PopFront();
    const bool was_last = entry.get() == last;
    ready->push_back({entry->dispatcher, entry->value, entry->verdict, entry->state});
    if (entry->verdict != Result::kCancelled) {
      ready_.PushBack(std::move(entry));
    } else {
      entry->is_ready = false;
    }
    if (was_last) break;
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
  for (;;) {
    wake_->Reset();  // before looking: what comes after the look sets it again
    if (Look(max_ready, event, ready)) return Result::kOk;
    switch (wake_->Wait(deadline, &spinner_)) {
      case Wake::kWoken: break;
      case Wake::kTimedOut: return Result::kDeadlineExceeded;
      case Wake::kInterrupted: return Result::kShouldWait;
    }
  }
}

}  // namespace mojo_seq
