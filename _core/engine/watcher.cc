#include "watcher.h"

namespace mojo_seq {

Watch::Watch(Ref<Watcher> watcher, Ref<Dispatcher> dispatcher, HandleValue value, Signals signals,
             WatchContext context)
    : watcher_(std::move(watcher)),
      dispatcher_(std::move(dispatcher)),
      value_(value),
      signals_(signals),
      context_(context) {}

Watch::~Watch() = default;

void Watch::OnState(const SignalsState& state) {
  std::lock_guard<std::mutex> lock(watcher_->own_lock_);
  if (cancelled_.load(std::memory_order_relaxed)) return;
  verdict_ = Verdict(state, signals_);
  state_ = state;
  if (verdict_ == Result::kShouldWait) {
    watcher_->UnlinkReadyLocked(this);
    return;
  }
  watcher_->LinkReadyLocked(this);
  if (!watcher_->armed_) return;
  watcher_->armed_ = false;
  QueueNotification(Ref<Watch>(this), verdict_, state);
}

void Watch::OnGone() {
  std::lock_guard<std::mutex> lock(watcher_->own_lock_);
  if (Ref<Watch> watch = watcher_->CancelLocked(this)) {
    QueueNotification(std::move(watch), Result::kCancelled, {});
  }
}

void Watch::Dispatch(Result result, const SignalsState& state, uint32_t flags) {
  if (!dispatch_mutex_.try_lock()) lock_contended(&dispatch_mutex_);
  std::lock_guard<std::mutex> lock(dispatch_mutex_, std::adopt_lock);
  if (result != Result::kCancelled && cancelled_.load(std::memory_order_acquire)) return;
  watcher_->handler_->OnNotification(context_, result, state, flags);
}

bool Watch::NeedsEmbedder() const { return watcher_->handler_->NeedsEmbedder(); }

Result Watcher::WatchHandle(HandleValue value, Ref<Dispatcher> dispatcher, HandleValue watched,
                            Signals signals, WatchContext context) {
  Ref<Watch> watch;
  {
    Lock lock(this);
    if (!IsOpenLocked(value)) return Result::kInvalidArgument;
    if (watched == 0 || dispatcher->value() != watched) return Result::kInvalidArgument;
    if (watches_.count(context) || by_handle_.count(watched)) return Result::kAlreadyExists;
    if (!dispatcher->IsWatchable()) return Result::kInvalidArgument;
    watch = MakeRef<Watch>(Ref<Watcher>(this), dispatcher, watched, signals, context);
    watches_.emplace(context, watch);
    by_handle_.emplace(watched, watch.get());
  }
  // Outside our lock: the dispatcher's comes first in the order, and it calls OnState.
  const Result result = dispatcher->AddObserver(watched, Ref<Observer>(Ref<Watch>(watch)));
  if (result != Result::kOk) {
    Lock lock(this);
    // If somebody has cancelled it meanwhile, it was watched, and CANCELLED has been told of it.
    return CancelLocked(watch.get()) ? result : Result::kOk;
  }
  if (watch->cancelled_.load(std::memory_order_acquire)) {
    dispatcher->RemoveObserver(watch.get());  // cancelled before there was anything to remove
  }
  return Result::kOk;
}

Result Watcher::CancelWatch(HandleValue value, WatchContext context) {
  Ref<Watch> watch;
  {
    Lock lock(this);
    if (!IsOpenLocked(value)) return Result::kInvalidArgument;
    auto it = watches_.find(context);
    if (it == watches_.end()) return Result::kNotFound;
    watch = CancelLocked(it->second.get());
  }
  watch->dispatcher_->RemoveObserver(watch.get());
  QueueNotification(std::move(watch), Result::kCancelled, {});
  return Result::kOk;
}

bool Watcher::HasWatch(WatchContext context) {
  Lock lock(this);
  return watches_.count(context) != 0;
}

Result Watcher::Arm(HandleValue value, size_t max_ready, std::vector<ReadyWatch>* ready) {
  Lock lock(this);
  if (!IsOpenLocked(value)) return Result::kInvalidArgument;
  if (watches_.empty()) return Result::kNotFound;
  if (!ready_head_) {
    armed_ = true;
    return Result::kOk;
  }
  // Those reported go to the back of the list, so that every ready watch gets its turn.
  Watch* const last = ready_tail_;
  for (size_t i = 0; i < max_ready; ++i) {
    Watch* const watch = ready_head_;
    ready->push_back({watch->context_, watch->verdict_, watch->state_});
    UnlinkReadyLocked(watch);
    LinkReadyLocked(watch);
    if (watch == last) break;
  }
  return Result::kFailedPrecondition;
}

void Watcher::CloseLocked(Garbage* garbage) {
  armed_ = false;
  while (!watches_.empty()) {
    Ref<Watch> watch = CancelLocked(watches_.begin()->second.get());
    garbage->observations.emplace_back(watch->dispatcher_, Ref<Observer>(Ref<Watch>(watch)));
    QueueNotification(std::move(watch), Result::kCancelled, {});
  }
}

void Watcher::LinkReadyLocked(Watch* watch) {
  if (watch->is_ready_) return;
  watch->is_ready_ = true;
  watch->ready_next_ = nullptr;
  watch->ready_previous_ = ready_tail_;
  (ready_tail_ ? ready_tail_->ready_next_ : ready_head_) = watch;
  ready_tail_ = watch;
}

void Watcher::UnlinkReadyLocked(Watch* watch) {
  if (!watch->is_ready_) return;
  watch->is_ready_ = false;
  (watch->ready_previous_ ? watch->ready_previous_->ready_next_ : ready_head_) = watch->ready_next_;
  (watch->ready_next_ ? watch->ready_next_->ready_previous_ : ready_tail_) = watch->ready_previous_;
}

Ref<Watch> Watcher::CancelLocked(Watch* watch) {
  if (watch->cancelled_.load(std::memory_order_relaxed)) return nullptr;
  watch->cancelled_.store(true, std::memory_order_release);
  UnlinkReadyLocked(watch);
  by_handle_.erase(watch->value_);
  auto it = watches_.find(watch->context_);
  Ref<Watch> cancelled = std::move(it->second);
  watches_.erase(it);
  return cancelled;
}

}  // namespace mojo_seq
