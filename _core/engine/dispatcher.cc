#include "dispatcher.h"

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
  SayGoneLocked(observers_);
  garbage->observers.Splice(observers_);
}

void Dispatcher::SayGoneLocked(const Observer::List& observers) {
  for (Observer* each = observers.head(); each; each = Observer::List::Next(each)) {
    each->place_ = Observer::Place::kNone;
    each->OnGone();
  }
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
    observer->place_ = Observer::Place::kHere;
    observers_.PushBack(std::move(observer));
  }
  OnObserversChanged();
  return Result::kOk;
}

void Dispatcher::RemoveObserver(Observer* observer) {
  Ref<Observer> removed;  // released after the lock
  {
    Lock lock(this);
    if (observer->place_ != Observer::Place::kHere) {
      if (observer->place_ == Observer::Place::kAside) observer->place_ = Observer::Place::kRemoved;
      return;
    }
    observer->place_ = Observer::Place::kNone;
    removed = observers_.Remove(observer);
  }
  OnObserversChanged();
}

bool Dispatcher::NeedsIoLocked() const {
  for (const Observer* each = observers_.head(); each; each = Observer::List::Next(each)) {
    if (each->NeedsIo()) return true;
  }
  return false;
}

void Dispatcher::TellMovedLocked() {
  for (Observer* each = observers_.head(); each; each = Observer::List::Next(each)) each->OnMoved();
}

void Dispatcher::TellBellTakenLocked() {
  for (Observer* each = observers_.head(); each; each = Observer::List::Next(each)) {
    each->OnBellTaken();
  }
}

void Dispatcher::NotifyObserversLocked() {
  const SignalsState state = StateLocked();
  for (Observer* each = observers_.head(); each; each = Observer::List::Next(each)) {
    each->OnState(state);
  }
}

Result Dispatcher::CheckTransit(HandleValue value) {
  Lock lock(this);
  if (type_ == HandleType::kWatcher) return Result::kInvalidArgument;
  if (!IsOpenLocked(value)) return reserved_ ? Result::kBusy : Result::kInvalidArgument;
  return InTwoPhaseLocked() ? Result::kBusy : Result::kOk;
}

Result Dispatcher::BeginTransit(HandleValue value, Observer::List* observers) {
  Lock lock(this);
  if (!IsOpenLocked(value)) return reserved_ ? Result::kBusy : Result::kInvalidArgument;
  if (InTwoPhaseLocked()) return Result::kBusy;
  reserved_ = true;
  value_.store(0, std::memory_order_release);
  LiveCounter<Kind::kHandle>::count.fetch_sub(1, std::memory_order_relaxed);
  for (Observer* each = observers_.head(); each; each = Observer::List::Next(each)) {
    each->place_ = Observer::Place::kAside;
  }
  *observers = std::move(observers_);
  return Result::kOk;
}

void Dispatcher::AbortTransit(HandleValue value, Observer::List observers) {
  Observer::List removed;  // released after the lock
  {
    Lock lock(this);
    reserved_ = false;
    value_.store(value, std::memory_order_release);
    LiveCounter<Kind::kHandle>::count.fetch_add(1, std::memory_order_relaxed);
    while (!observers.empty()) {
      Ref<Observer> each = observers.PopFront();
      const bool goes_on = each->place_ == Observer::Place::kAside;
      each->place_ = goes_on ? Observer::Place::kHere : Observer::Place::kNone;
      (goes_on ? observers_ : removed).PushBack(std::move(each));
    }
    NotifyLocked();  // they may have missed something
  }
  OnObserversChanged();
}

void Dispatcher::CommitTransit(Observer::List observers) {
  Lock lock(this);
  reserved_ = false;
  SayGoneLocked(observers);
}

}  // namespace mojo_seq
