#include "sequence.h"

namespace mojo_seq {

Sequence::~Sequence() {
  while (Task* task = PopLocked()) delete task;
}

void Sequence::AppendLocked(Task* task) {
  task->next = nullptr;
  (tail_ ? tail_->next : head_) = task;
  tail_ = task;
}

Task* Sequence::PopLocked() {
  Task* const task = head_;
  if (!task) return nullptr;
  head_ = task->next;
  if (!head_) tail_ = nullptr;
  return task;
}

Result Sequence::Push(Task* task) {
  std::lock_guard<std::mutex> lock(mutex_);
  if (scheduler_->closing()) return Result::kFailedPrecondition;
  if (!scheduled_) {
    if (!scheduler_->Schedule(this)) return Result::kFailedPrecondition;
    scheduled_ = true;
  }
  AppendLocked(task);
  return Result::kOk;
}

void Sequence::Requeue(Task* task) {
  std::lock_guard<std::mutex> lock(mutex_);
  AppendLocked(task);
  if (scheduled_) return;
  scheduler_->Reschedule(this);
  scheduled_ = true;
}

bool Sequence::HasTasks() {
  std::lock_guard<std::mutex> lock(mutex_);
  return head_ != nullptr;
}

Task* Sequence::Pop() {
  std::lock_guard<std::mutex> lock(mutex_);
  Task* const task = PopLocked();
  if (!task) scheduled_ = false;
  return task;
}

bool Sequence::IdleIfEmpty() {
  std::lock_guard<std::mutex> lock(mutex_);
  if (head_) return false;
  scheduled_ = false;
  return true;
}

Task* Sequence::TakeQueuedLocked() {
  Task* const all = head_;
  head_ = tail_ = nullptr;
  return all;
}

Task* Sequence::TakeQueued() {
  std::lock_guard<std::mutex> lock(mutex_);
  return TakeQueuedLocked();
}

Task* Sequence::TakeAll() {
  std::lock_guard<std::mutex> lock(mutex_);
  scheduled_ = false;
  return TakeQueuedLocked();
}

int Sequence::VisitTasks(int (*visit)(Task*, void*), void* arg) {
  std::lock_guard<std::mutex> lock(mutex_);
  for (Task* task = head_; task; task = task->next) {
    if (const int stop = visit(task, arg)) return stop;
  }
  return 0;
}

TimerQueue::~TimerQueue() {
  for (auto& [key, timer] : timers_) delete timer.task;
}

TimerQueue::Key TimerQueue::Add(Time due, Ref<Sequence> sequence, Task* task) {
  const Key key{due, added_++};
  timers_.emplace(key, Timer{std::move(sequence), task});
  return key;
}

Task* TimerQueue::Remove(const Key& key, Ref<Sequence>* sequence) {
  auto it = timers_.find(key);
  if (it == timers_.end()) return nullptr;
  Task* const task = it->second.task;
  *sequence = std::move(it->second.sequence);
  timers_.erase(it);
  return task;
}

bool TimerQueue::TakeDue(Time now, Ref<Sequence>* sequence, Task** task) {
  if (next() > now) return false;
  auto it = timers_.begin();
  *sequence = std::move(it->second.sequence);
  *task = it->second.task;
  timers_.erase(it);
  return true;
}

int TimerQueue::VisitTasks(int (*visit)(Task*, void*), void* arg) {
  for (auto& [key, timer] : timers_) {
    if (const int stop = visit(timer.task, arg)) return stop;
  }
  return 0;
}

Task* TimerQueue::TakeAll(std::vector<Ref<Sequence>>* sequences) {
  Task* all = nullptr;
  for (auto it = timers_.rbegin(); it != timers_.rend(); ++it) {
    sequences->push_back(std::move(it->second.sequence));
    it->second.task->next = all;
    all = it->second.task;
  }
  timers_.clear();
  return all;
}

Task* TimerQueue::TakeOf(const Scheduler* scheduler, std::vector<Ref<Sequence>>* sequences) {
  Task* all = nullptr;
  for (auto it = timers_.end(); it != timers_.begin();) {
    --it;
    if (it->second.sequence->scheduler() != scheduler) continue;
    sequences->push_back(std::move(it->second.sequence));
    it->second.task->next = all;
    all = it->second.task;
    it = timers_.erase(it);
  }
  return all;
}

}  // namespace mojo_seq
