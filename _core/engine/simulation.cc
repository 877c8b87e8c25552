#include "simulation.h"

#include <algorithm>

#include "notification.h"

namespace mojo_seq {

namespace {

SimulatedScheduler* SchedulerOf(const Sequence& sequence) {
  return static_cast<SimulatedScheduler*>(sequence.scheduler());
}

// Puts a list of tasks in front of another one.
Task* Join(Task* first, Task* rest) {
  if (!first) return rest;
  Task* last = first;
  while (last->next) last = last->next;
  last->next = rest;
  return first;
}

}  // namespace

// --- Simulation ---

bool Simulation::IsEligibleLocked(const Sequence& sequence) const {
  const SimulatedScheduler& scheduler = *SchedulerOf(sequence);
  if (!scheduler.restricted_) return true;
  if (scheduler.IsSaturatedLocked()) return false;
  for (size_t priority = kPriorities; priority-- > 0;) {
    if (scheduler.ready_[priority] > 0) {
      return static_cast<size_t>(sequence.traits().priority) == priority;
    }
  }
  return true;
}

Simulation::Turn Simulation::ChooseLocked(size_t count, size_t* choice) {
  *choice = 0;
  if (count == 0) return Turn::kNone;
  if (count == 1) return Turn::kTask;
  if (order_ == Order::kSeeded) {
    // splitmix64: the same numbers on every machine and in every version.
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    *choice = (z ^ (z >> 31)) % count;
  } else if (order_ == Order::kReplayed && choices_.size() < replayed_.size()) {
    *choice = replayed_[choices_.size()];
    if (*choice >= count) return Turn::kMisfit;
  }
  choices_.push_back(static_cast<uint32_t>(*choice));
  return Turn::kTask;
}

void Simulation::AddReadyLocked(Ref<Sequence> sequence) {
  SimulatedScheduler* const scheduler = SchedulerOf(*sequence);
  if (scheduler->suspended_) {
    parked_.push_back(std::move(sequence));
    return;
  }
  scheduler->CountReadyLocked(*sequence, 1);
  ready_.push_back(std::move(sequence));
  if (wake_->Set()) QueueWake(Ref<Event>(wake_));
}

Ref<Sequence> Simulation::TakeReadyLocked(size_t index) {
  Ref<Sequence> sequence = std::move(ready_[index]);
  ready_.erase(ready_.begin() + static_cast<std::ptrdiff_t>(index));
  SchedulerOf(*sequence)->CountReadyLocked(*sequence, -1);
  return sequence;
}

Simulation::Turn Simulation::Next(bool caller_ready, bool newest_first,
                                  Ref<Sequence>* sequence) {
  std::lock_guard<std::mutex> lock(mutex_);
  const size_t callers = caller_ready ? 1 : 0;
  std::vector<size_t> eligible;  // if not all are
  for (size_t i = 0; restricted_ > 0 && i < ready_.size(); ++i) {
    if (IsEligibleLocked(*ready_[i])) eligible.push_back(i);
  }
  const size_t count = restricted_ > 0 ? eligible.size() : ready_.size();
  size_t choice;
  const Turn turn = ChooseLocked(callers + count, &choice);
  if (turn != Turn::kTask) return turn;
  if (choice < callers) return Turn::kCaller;
  choice -= callers;
  if (newest_first) choice = count - 1 - choice;
  *sequence = TakeReadyLocked(restricted_ > 0 ? eligible[choice] : choice);
  SchedulerOf(**sequence)->CountRunningLocked(**sequence, 1);
  running_.push_back(*sequence);
  return Turn::kTask;
}

void Simulation::Finish(Ref<Sequence> sequence) {
  // While it ran nobody has scheduled it; from here on a push does, if it is idle.
  const bool idle = sequence->IdleIfEmpty();
  std::lock_guard<std::mutex> lock(mutex_);
  SchedulerOf(*sequence)->CountRunningLocked(*sequence, -1);
  const auto is_it = [&](const Ref<Sequence>& each) { return each.get() == sequence.get(); };
  running_.erase(std::find_if(running_.begin(), running_.end(), is_it));
  if (!idle) AddReadyLocked(std::move(sequence));
}

void Simulation::AdvanceTo(Time time) {
  if (time > now()) now_.store(time, std::memory_order_release);
  for (;;) {
    Ref<Sequence> sequence;
    Task* task;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (!timers_.TakeDue(now(), &sequence, &task)) return;
      --SchedulerOf(*sequence)->delayed_;
    }
    sequence->Requeue(task);  // outside our lock: the sequence's comes first
  }
}

Time Simulation::next_timer() {
  std::lock_guard<std::mutex> lock(mutex_);
  return timers_.next();
}

std::vector<uint32_t> Simulation::choices() {
  std::lock_guard<std::mutex> lock(mutex_);
  return choices_;
}

std::vector<Ref<Sequence>> Simulation::Blocked() {
  std::lock_guard<std::mutex> lock(mutex_);
  std::vector<Ref<Sequence>> blocked(running_);
  blocked.insert(blocked.end(), parked_.begin(), parked_.end());
  for (const Ref<Sequence>& each : ready_) {
    if (!IsEligibleLocked(*each)) blocked.push_back(each);
  }
  return blocked;
}

Wake Simulation::AwaitPush(Time real_deadline) {
  wake_->Reset();
  {
    std::lock_guard<std::mutex> lock(mutex_);
    if (!ready_.empty()) return Wake::kWoken;
  }
  return wake_->Wait(real_deadline);
}

void Simulation::WakeUp() {
  if (wake_->Set()) QueueWake(Ref<Event>(wake_));
}

Task* Simulation::Stop() {
  std::vector<Ref<Sequence>> sequences;  // let go of after the lock
  std::vector<Ref<Sequence>> of_timers;
  Task* dropped;
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stopped_.store(true, std::memory_order_release);
    dropped = timers_.TakeAll(&of_timers);
    for (const Ref<Sequence>& each : of_timers) --SchedulerOf(*each)->delayed_;
    while (!ready_.empty()) sequences.push_back(TakeReadyLocked(0));
    for (Ref<Sequence>& each : parked_) sequences.push_back(std::move(each));
    parked_.clear();
    sequences.insert(sequences.end(), running_.begin(), running_.end());
  }
  for (const Ref<Sequence>& each : sequences) dropped = Join(each->TakeAll(), dropped);
  return dropped;
}

// --- SimulatedScheduler ---

void SimulatedScheduler::UpdateRestrictionLocked() {
  bool restricted = IsSaturatedLocked();
  if (max_running_ == 1 && !restricted) {
    restricted = std::count(ready_, ready_ + kPriorities, 0u) < static_cast<int>(kPriorities) - 1;
  }
  if (restricted == restricted_) return;
  restricted_ = restricted;
  simulation_->restricted_ += restricted ? 1 : -1;
}

void SimulatedScheduler::CountReadyLocked(const Sequence& sequence, int change) {
  ready_[static_cast<size_t>(sequence.traits().priority)] += static_cast<size_t>(change);
  UpdateRestrictionLocked();
}

void SimulatedScheduler::CountRunningLocked(const Sequence& sequence, int change) {
  const auto by = static_cast<size_t>(change);
  running_ += by;
  if (sequence.traits().may_block) running_may_block_ += by;
  if (sequence.traits().shutdown != ShutdownBehavior::kContinue) running_waited_ += by;
  UpdateRestrictionLocked();
}

bool SimulatedScheduler::Schedule(Sequence* sequence) {
  std::lock_guard<std::mutex> lock(simulation_->mutex_);
  if (closing() || simulation_->stopped()) return false;
  simulation_->AddReadyLocked(Ref<Sequence>(sequence));
  return true;
}

void SimulatedScheduler::Reschedule(Sequence* sequence) {
  std::lock_guard<std::mutex> lock(simulation_->mutex_);
  simulation_->AddReadyLocked(Ref<Sequence>(sequence));
}

Result SimulatedScheduler::AddTimer(Time due, Ref<Sequence> sequence, Task* task,
                                    TimerQueue::Key* key) {
  std::lock_guard<std::mutex> lock(simulation_->mutex_);
  if (closing() || simulation_->stopped()) return Result::kFailedPrecondition;
  *key = simulation_->timers_.Add(due, std::move(sequence), task);
  ++delayed_;
  return Result::kOk;
}

Task* SimulatedScheduler::RemoveTimer(const TimerQueue::Key& key) {
  Ref<Sequence> sequence;  // let go of after the lock
  std::lock_guard<std::mutex> lock(simulation_->mutex_);
  Task* const task = simulation_->timers_.Remove(key, &sequence);
  if (task) --delayed_;
  return task;
}

void SimulatedScheduler::Suspend() {
  std::lock_guard<std::mutex> lock(simulation_->mutex_);
  suspended_ = true;
  for (size_t i = 0; i < simulation_->ready_.size();) {
    if (simulation_->ready_[i]->scheduler() != this) {
      ++i;
      continue;
    }
    simulation_->parked_.push_back(simulation_->TakeReadyLocked(i));
  }
}

void SimulatedScheduler::Resume() {
  std::vector<Ref<Sequence>> resumed;
  std::lock_guard<std::mutex> lock(simulation_->mutex_);
  suspended_ = false;
  auto& parked = simulation_->parked_;
  const auto mine = std::stable_partition(
      parked.begin(), parked.end(),
      [this](const Ref<Sequence>& each) { return each->scheduler() != this; });
  resumed.assign(std::make_move_iterator(mine), std::make_move_iterator(parked.end()));
  parked.erase(mine, parked.end());
  for (Ref<Sequence>& each : resumed) simulation_->AddReadyLocked(std::move(each));
}

Task* SimulatedScheduler::Close() {
  std::vector<Ref<Sequence>> sequences;  // let go of after the lock
  std::vector<Ref<Sequence>> of_timers;
  Task* dropped;
  {
    std::lock_guard<std::mutex> lock(simulation_->mutex_);
    closing_.store(true, std::memory_order_release);
    dropped = simulation_->timers_.TakeOf(this, &of_timers);
    delayed_ = 0;
    const auto must_skip = [this](const Sequence& sequence) {
      return sequence.scheduler() == this &&
             sequence.traits().shutdown != ShutdownBehavior::kBlock;
    };
    auto& ready = simulation_->ready_;
    for (size_t i = 0; i < ready.size();) {
      if (must_skip(*ready[i])) {
        sequences.push_back(simulation_->TakeReadyLocked(i));
      } else {
        ++i;
      }
    }
    auto& parked = simulation_->parked_;
    for (size_t i = 0; i < parked.size();) {
      if (must_skip(*parked[i])) {
        sequences.push_back(std::move(parked[i]));
        parked.erase(parked.begin() + static_cast<std::ptrdiff_t>(i));
      } else {
        ++i;
      }
    }
    for (const Ref<Sequence>& each : simulation_->running_) {
      if (must_skip(*each)) sequences.push_back(each);
    }
    simulation_->WakeUp();
  }
  for (const Ref<Sequence>& each : sequences) dropped = Join(each->TakeAll(), dropped);
  return dropped;
}

bool SimulatedScheduler::IsDrained() {
  std::lock_guard<std::mutex> lock(simulation_->mutex_);
  return running_waited_ == 0 && std::count(ready_, ready_ + kPriorities, 0u) == kPriorities;
}

SimulatedScheduler::Statistics SimulatedScheduler::statistics() {
  std::lock_guard<std::mutex> lock(simulation_->mutex_);
  size_t ready = 0;
  for (const size_t each : ready_) ready += each;
  return {ready, running_, delayed_};
}

}  // namespace mojo_seq
