#include "run_loop.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "notification.h"

namespace mojo_seq {

// --- LoopScheduler ---

bool LoopScheduler::Schedule(Sequence*) {
  if (closing()) return false;
  QueueLoopWake();
  return true;
}

void LoopScheduler::Reschedule(Sequence*) { QueueLoopWake(); }

void LoopScheduler::RunTimers() {
  const Time next = next_timer();
  if (next == kNever || next > Now()) return;
  for (;;) {
    Ref<Sequence> sequence;
    Task* task;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      const bool due = timers_.TakeDue(Now(), &sequence, &task);
      next_timer_.store(timers_.next(), std::memory_order_release);
      if (!due) return;
    }
    sequence->Requeue(task);
  }
}

Result LoopScheduler::AddTimer(Time due, Ref<Sequence> sequence, Task* task,
                               TimerQueue::Key* key) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (closing()) return Result::kFailedPrecondition;
  *key = timers_.Add(due, std::move(sequence), task);
  if (timers_.next() == due) {
    next_timer_.store(due, std::memory_order_release);
    QueueLoopWake();
  }
  return Result::kOk;
}

Task* LoopScheduler::RemoveTimer(const TimerQueue::Key& key) {
  Ref<Sequence> sequence;  // let go of after the lock
  std::lock_guard<std::mutex> lock(mutex_);
  Task* const task = timers_.Remove(key, &sequence);
  next_timer_.store(timers_.next(), std::memory_order_release);
  return task;
}

int LoopScheduler::VisitTimers(int (*visit)(Task*, void*), void* arg) {
  std::lock_guard<std::mutex> lock(mutex_);
  return timers_.VisitTasks(visit, arg);
}

Task* LoopScheduler::Close() {
  std::vector<Ref<Sequence>> sequences;  // let go of after the lock
  std::lock_guard<std::mutex> lock(mutex_);
  closing_.store(true, std::memory_order_release);
  next_timer_.store(kNever, std::memory_order_release);
  QueueLoopWake();
  return timers_.TakeAll(&sequences);
}

// --- RunLoop ---

void RunLoop::QueueLoopWake() {
  if (wake_->Set()) QueueWake(Ref<Event>(wake_));
}

Wake RunLoop::Wait(Time deadline) {
  const Time timer = next_timer();
  const Wake wake = wake_->Wait(timer < deadline ? timer : deadline, &spinner_, true);
  if (wake == Wake::kWoken) wake_->Reset();
  if (wake == Wake::kTimedOut && timer < deadline) return Wake::kWoken;
  return wake;
}

void RunLoop::Quit() {
  quit_.store(true, std::memory_order_seq_cst);
  QueueLoopWake();
}

bool RunLoop::TakeQuit() { return quit_.exchange(false, std::memory_order_seq_cst); }

// --- WakeupFd ---

Result WakeupFd::Create(Ref<WakeupFd>* wakeup) {
  auto created = MakeRef<WakeupFd>();
  created->waker_->fd = MoveHigh(ScopedFd(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)));
  if (!created->waker_->fd.is_valid()) return Result::kResourceExhausted;
  *wakeup = std::move(created);
  return Result::kOk;
}

void WakeupFd::QueueLoopWake() { QueueWake(Ref<FdWaker>(waker_)); }

void WakeupFd::FdWaker::Wake() {
  const uint64_t one = 1;
  // Fails only if the counter is full, and then it is readable already.
  [[maybe_unused]] const ssize_t written = write(fd.get(), &one, sizeof one);
}

void WakeupFd::Drain() {
  uint64_t count;
  // Fails only if there is nothing to drain.
  [[maybe_unused]] const ssize_t got = read(fd(), &count, sizeof count);
}

}  // namespace mojo_seq
