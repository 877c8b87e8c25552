#include "dispatcher.h"

#include <algorithm>

namespace mojo_seq {

namespace {

std::atomic<HandleValue> next_value{1};
constexpr size_t kStripes = 256;

struct alignas(64) Stripe {
  std::mutex mutex;
};

struct Stripes {
  Stripe all[kStripes];
};

}  // namespace

std::mutex* Dispatcher::PickStripe() {
  // Never destroyed: threads that outlive main() may still close handles.
  static ForkLocal<Stripes> stripes;
  static std::atomic<uint32_t> next{0};
  return &stripes.Get().all[next.fetch_add(1, std::memory_order_relaxed) % kStripes].mutex;
}

std::mutex* Dispatcher::Lock::DeadMutex() {
  static ForkLocal<std::mutex> mutex;
  return &mutex.Get();
}

Dispatcher::Garbage::~Garbage() {
  for (auto& [dispatcher, observer] : observations) dispatcher->RemoveObserver(observer.get());
  if (closed) closed->OnOwnerClosed();
}

HandleValue Dispatcher::Adopt() {
  const HandleValue value = next_value.fetch_add(1, std::memory_order_relaxed);
  Lock lock(this);
  value_.store(value, std::memory_order_release);
  LiveCounter<Kind::kHandle>::count.fetch_add(1, std::memory_order_relaxed);
  AdoptLocked();
  return value;
}

void Dispatcher::RetireLocked(Garbage* garbage) {
  if (value_.load(std::memory_order_relaxed) != 0) {
    LiveCounter<Kind::kHandle>::count.fetch_sub(1, std::memory_order_relaxed);
  }
  value_.store(0, std::memory_order_release);
  closed_ = true;
  for (Ref<Observer>& observer : observers_) {
    observer->OnGone();
    garbage->objects.emplace_back(std::move(observer));
  }
  observers_ = {};
}

Result Dispatcher::Close(HandleValue value) {
  Garbage garbage;
  Lock lock(this);
  if (!IsOpenLocked(value)) return Result::kInvalidArgument;
  if (HasExportsLocked()) return Result::kFailedPrecondition;
  RetireLocked(&garbage);
  CloseLocked(&garbage);
  return Result::kOk;
}

void Dispatcher::CloseInTransit() {
  if (IsInherited()) return;
  Garbage garbage;
  Lock lock(this);
  if (closed_) return;
  closed_ = true;
  CloseLocked(&garbage);
}

bool Dispatcher::InTransit() const {
  Lock lock(this);
  return !closed_ && value_.load(std::memory_order_relaxed) == 0;
}

Result Dispatcher::QueryState(HandleValue value, SignalsState* state, bool look) {
  if (look) LookForNews();
  Lock lock(this);
  if (!IsOpenLocked(value)) return Result::kInvalidArgument;
  *state = StateLocked();
  return Result::kOk;
}

Result Dispatcher::AddObserver(HandleValue value, Ref<Observer> observer) {
  if (observer->NeedsIo()) LookForNews();  // others look themselves
  {
    Lock lock(this);
    if (!IsOpenLocked(value) || !IsWatchable()) return Result::kInvalidArgument;
    observer->OnState(StateLocked());
    observers_.push_back(std::move(observer));
  }
  OnObserversChanged();
  return Result::kOk;
}

void Dispatcher::RemoveObserver(Observer* observer) {
  Ref<Observer> removed;  // released after the lock
  {
    Lock lock(this);
    auto it = std::find_if(observers_.begin(), observers_.end(),
                           [&](const Ref<Observer>& each) { return each.get() == observer; });
    if (it == observers_.end()) {
      observer->removed_ = true;
      return;
    }
    removed = std::move(*it);
    observers_.erase(it);
  }
  OnObserversChanged();
}

bool Dispatcher::NeedsIoLocked() const {
  return std::any_of(observers_.begin(), observers_.end(),
                     [](const Ref<Observer>& each) { return each->NeedsIo(); });
}

void Dispatcher::TellMovedLocked() {
  for (const Ref<Observer>& observer : observers_) observer->OnMoved();
}

void Dispatcher::NotifyObserversLocked() {
  const SignalsState state = StateLocked();
  for (const Ref<Observer>& observer : observers_) observer->OnState(state);
}

Result Dispatcher::CheckTransit(HandleValue value) {
  Lock lock(this);
  if (type_ == HandleType::kWatcher) return Result::kInvalidArgument;
  if (!IsOpenLocked(value)) return reserved_ ? Result::kBusy : Result::kInvalidArgument;
  return InTwoPhaseLocked() ? Result::kBusy : Result::kOk;
}

Result Dispatcher::BeginTransit(HandleValue value, std::vector<Ref<Observer>>* observers) {
  Lock lock(this);
  if (!IsOpenLocked(value)) return reserved_ ? Result::kBusy : Result::kInvalidArgument;
  if (InTwoPhaseLocked()) return Result::kBusy;
  reserved_ = true;
  value_.store(0, std::memory_order_release);
  LiveCounter<Kind::kHandle>::count.fetch_sub(1, std::memory_order_relaxed);
  observers->swap(observers_);
  return Result::kOk;
}

void Dispatcher::AbortTransit(HandleValue value, std::vector<Ref<Observer>> observers) {
  {
    Lock lock(this);
    reserved_ = false;
    value_.store(value, std::memory_order_release);
    LiveCounter<Kind::kHandle>::count.fetch_add(1, std::memory_order_relaxed);
    for (Ref<Observer>& observer : observers) {
      if (!observer->removed_) observers_.push_back(std::move(observer));
    }
    NotifyLocked();  // they may have missed something
  }
  OnObserversChanged();
}

void Dispatcher::CommitTransit(std::vector<Ref<Observer>> observers) {
  Lock lock(this);
  reserved_ = false;
  for (const Ref<Observer>& observer : observers) observer->OnGone();
}

}  // namespace mojo_seq
