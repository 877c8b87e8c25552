#include "worker_pool.h"

#include <algorithm>

#include "notification.h"

namespace mojo_seq {

WorkerPool::~WorkerPool() {
  while (ready_count_ > 0) PopReadyLocked();
}

size_t WorkerPool::ThreadLimitLocked() const {
  return max_workers_ + std::min(running_may_block_, kMaxExtraThreads) + blocked_;
}

void WorkerPool::PushReadyLocked(Sequence* sequence) {
  sequence->AddRef();  // the ready list's reference
  sequence->next_ready_ = nullptr;
  auto& list = ready_[static_cast<size_t>(sequence->traits().priority)];
  (list.tail ? list.tail->next_ready_ : list.head) = sequence;
  list.tail = sequence;
  ready_count_.fetch_add(1, std::memory_order_release);
}

Ref<Sequence> WorkerPool::PopReadyLocked() {
  for (size_t priority = kPriorities; priority-- > 0;) {
    auto& list = ready_[priority];
    if (!list.head) continue;
    Sequence* const sequence = list.head;
    list.head = sequence->next_ready_;
    if (!list.head) list.tail = nullptr;
    ready_count_.fetch_sub(1, std::memory_order_release);
    return Ref<Sequence>::Adopt(sequence);
  }
  return nullptr;
}

void WorkerPool::WakeOneLocked() {
  if (searching_ > 0 || idle_.empty()) return;
  Worker* const worker = idle_.back();
  idle_.pop_back();
  worker->searching_ = true;
  ++searching_;
  if (worker->wake_->Set()) QueueWake(Ref<Event>(worker->wake_));
}

void WorkerPool::PassOnLocked() {
  // Somebody must take what is ready, and somebody has to keep an eye on the clock.
  if (ready_count_ > 0 || (timers_.next() != kNever && !timekeeper_)) WakeOneLocked();
}

void WorkerPool::ScheduleLocked(Sequence* sequence) {
  // A thread that found it empty has yet to say so: then Finish will see that it is not.
  if (sequence->running_) return;
  PushReadyLocked(sequence);
  WakeOneLocked();
}

bool WorkerPool::Schedule(Sequence* sequence) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (closing()) return false;
  ScheduleLocked(sequence);
  return true;
}

void WorkerPool::Reschedule(Sequence* sequence) {
  std::lock_guard<std::mutex> lock(mutex_);
  ScheduleLocked(sequence);
}

bool WorkerPool::WantsThread() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (closing() || !idle_.empty() || searching_ > 0 || threads_ >= ThreadLimitLocked()) {
    return false;
  }
  AddThreadLocked();
  return true;
}

void WorkerPool::AddThreadLocked() {
  ++threads_;
  ++searching_;  // on its way to Next
}

void WorkerPool::AddThread() {
  std::lock_guard<std::mutex> lock(mutex_);
  AddThreadLocked();
}

void WorkerPool::ThreadFailed() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    --threads_;
    --searching_;
    PassOnLocked();
  }
  FlushWakes();
}

bool WorkerPool::BeginBlock() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (blocked_ == kMaxBlocked) return false;
    ++blocked_;
    PassOnLocked();
  }
  FlushWakes();
  return true;
}

void WorkerPool::EndBlock() {
  std::lock_guard<std::mutex> lock(mutex_);
  --blocked_;
}

void WorkerPool::RunTimers() {
  std::lock_guard<std::mutex> timer_lock(timer_mutex_);
  for (;;) {
    Ref<Sequence> sequence;
    Task* task;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      const bool due = timers_.TakeDue(Now(), &sequence, &task);
      next_timer_.store(timers_.next(), std::memory_order_release);
      if (!due) return;
      --delayed_;
    }
    // Outside our lock: the sequence's comes first in the order. If the pool was closed in
    // between, the thread that runs the sequence drops the task.
    sequence->Requeue(task);
  }
}

// Takes a ready sequence for a thread that was looking for one.
Ref<Sequence> WorkerPool::TakeLocked(Worker* worker) {
  Ref<Sequence> sequence = PopReadyLocked();
  if (!sequence) return nullptr;
  if (worker->searching_) --searching_;
  worker->searching_ = false;
  running_.push_back(sequence.get());
  sequence->running_ = true;
  sequence->waited_for_ =
      sequence->traits().shutdown != ShutdownBehavior::kContinue || MustSkip(*sequence);
  if (sequence->waited_for_) ++running_waited_;
  if (sequence->traits().may_block) ++running_may_block_;
  PassOnLocked();
  return sequence;
}

Ref<Sequence> WorkerPool::TryNext(Worker* worker) {
  const Time next_timer = next_timer_.load(std::memory_order_relaxed);
  if (next_timer != kNever && next_timer <= Now()) RunTimers();
  Ref<Sequence> sequence;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    sequence = TakeLocked(worker);
  }
  FlushWakes();
  return sequence;
}

bool WorkerPool::IsReady() const {
  if (ready_count_.load(std::memory_order_acquire) > 0) return true;
  const Time next_timer = next_timer_.load(std::memory_order_relaxed);
  return next_timer != kNever && next_timer <= Now();
}

bool WorkerPool::AwaitReady(Worker* worker) {
  bool has_spun = false;
  std::unique_lock<std::mutex> lock(mutex_);
  if (!worker->searching_) ++searching_;
  worker->searching_ = true;
  for (;;) {
    lock.unlock();
    if (IsReady()) return true;
    if (!has_spun && !closing()) {
      has_spun = true;
      worker->spinner_.Spin([this] { return ready_count_.load(std::memory_order_acquire) > 0; },
                            true);
      lock.lock();
      continue;
    }
    lock.lock();
    if (ready_count_ > 0) continue;
    worker->searching_ = false;
    --searching_;
    if (closing() || threads_ > ThreadLimitLocked()) {
      --threads_;
      PassOnLocked();
      lock.unlock();
      FlushWakes();
      return false;
    }
    worker->wake_->Reset();
    idle_.push_back(worker);
    Time deadline = kNever;
    if (!timekeeper_ && timers_.next() != kNever) {
      timekeeper_ = worker;
      deadline = timers_.next();
    }
    lock.unlock();
    const Time begin = Now();
    if (worker->wake_->Wait(deadline) == Wake::kWoken) {
      worker->spinner_.Slept(begin, *worker->wake_);
    }
    lock.lock();
    if (timekeeper_ == worker) timekeeper_ = nullptr;
    if (!worker->searching_) {
      // Nobody chose us (a timer or a signal): leave the sleepers ourselves.
      idle_.erase(std::find(idle_.begin(), idle_.end(), worker));
      worker->searching_ = true;
      ++searching_;
    }
    has_spun = false;
  }
}

void WorkerPool::Search(Worker* worker) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (!worker->searching_) ++searching_;
  worker->searching_ = true;
}

void WorkerPool::Rest(Worker* worker) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!worker->searching_) return;
    worker->searching_ = false;
    --searching_;
    PassOnLocked();
  }
  FlushWakes();
}

void WorkerPool::Finish(Ref<Sequence> sequence) {
  // Under the sequence's lock nobody can push in between, and our own comes after it.
  std::lock_guard<std::mutex> sequence_lock(sequence->mutex_);
  std::lock_guard<std::mutex> lock(mutex_);
  running_.erase(std::find(running_.begin(), running_.end(), sequence.get()));
  sequence->running_ = false;
  if (sequence->traits().may_block) --running_may_block_;
  if (sequence->waited_for_) --running_waited_;
  if (sequence->head_) {
    PushReadyLocked(sequence.get());
  } else {
    sequence->scheduled_ = false;
  }
  TellDrainedLocked();
}

Result WorkerPool::AddTimer(Time due, Ref<Sequence> sequence, Task* task, TimerQueue::Key* key) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (closing()) return Result::kFailedPrecondition;
  *key = timers_.Add(due, std::move(sequence), task);
  ++delayed_;
  if (timers_.next() == due) {
    next_timer_.store(due, std::memory_order_release);
    // Whoever watches the clock must watch for this one instead.
    if (timekeeper_) {
      if (timekeeper_->wake_->Set()) QueueWake(Ref<Event>(timekeeper_->wake_));
    } else {
      WakeOneLocked();
    }
  }
  return Result::kOk;
}

Task* WorkerPool::RemoveTimer(const TimerQueue::Key& key) {
  Ref<Sequence> sequence;  // let go of after the lock
  std::lock_guard<std::mutex> lock(mutex_);
  Task* const task = timers_.Remove(key, &sequence);
  if (task) --delayed_;
  next_timer_.store(timers_.next(), std::memory_order_release);
  return task;
}

Task* WorkerPool::Close() {
  std::vector<Ref<Sequence>> sequences;  // let go of after the lock
  std::vector<Ref<Sequence>> continuing;
  Task* dropped;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    closing_.store(true, std::memory_order_release);
    for (Worker* worker : idle_) {
      if (worker->wake_->Set()) QueueWake(Ref<Event>(worker->wake_));
    }
    delayed_ = 0;
    next_timer_.store(kNever, std::memory_order_release);
    dropped = timers_.TakeAll(&sequences);
    for (Sequence* sequence : running_) {
      if (!sequence->waited_for_) continuing.emplace_back(sequence);
    }
  }
  for (const Ref<Sequence>& sequence : continuing) {
    for (Task* task = sequence->TakeQueued(); task;) {
      Task* const following = task->next;
      task->next = dropped;
      dropped = task;
      task = following;
    }
  }
  return dropped;
}

void WorkerPool::TellDrainedLocked() {
  if (!IsDrainedLocked()) return;
  for (const Ref<Event>& event : drained_) {
    if (event->Set()) QueueWake(Ref<Event>(event));
  }
}

Result WorkerPool::WaitDrained(Time deadline) {
  auto event = MakeRef<Event>();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (IsDrainedLocked()) return Result::kOk;
    drained_.push_back(event);
  }
  const Wake wake = event->Wait(deadline);
  std::lock_guard<std::mutex> lock(mutex_);
  drained_.erase(std::find_if(drained_.begin(), drained_.end(), [&](const Ref<Event>& each) {
    return each.get() == event.get();
  }));
  if (IsDrainedLocked()) return Result::kOk;
  return wake == Wake::kInterrupted ? Result::kShouldWait : Result::kDeadlineExceeded;
}

PoolStatistics WorkerPool::statistics() {
  std::lock_guard<std::mutex> lock(mutex_);
  return {threads_, idle_.size(), ready_count_, running_.size(), delayed_};
}

}  // namespace mojo_seq
