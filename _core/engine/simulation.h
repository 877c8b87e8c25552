// Simulation: runs sequences on one thread, on a clock of its own, in an order that a seed chooses.
//
// A discrete-event simulation. Nothing happens by itself: the thread that owns it takes a ready
// sequence, runs one task of it and gives it back, again and again; when nothing is ready it may
// set the clock to the next timer. Every choice is written down, so that a run can be repeated.
//
// Any thread may push tasks. All else is for the owning thread.
//
// Lock order: a sequence's mutex, then the simulation's.
#pragma once

#include <deque>
#include <vector>

#include "sequence.h"

namespace mojo_seq {

class SimulatedScheduler;

class Simulation : public RefCounted {
 public:
  // What comes next. kCaller: whoever asked, who is ready to go on. kMisfit: a repeated schedule
  // says something that cannot be done, so this is not the program that it was taken from.
  enum class Turn { kTask, kCaller, kNone, kMisfit };

  // Always the first of those that could go on.
  Simulation() = default;
  explicit Simulation(uint64_t seed) : order_(Order::kSeeded), state_(seed) {}
  // The choices of an earlier run; after the last, always the first.
  explicit Simulation(std::vector<uint32_t> choices)
      : order_(Order::kReplayed), replayed_(std::move(choices)) {}

  // kTask: run one task of `sequence` and call Finish. Until then it is not chosen again.
  // `caller_ready`: the caller is one of those that could go on, and the first. `newest_first`: of
  // the others, the one that has been ready for longest is the last, not the first.
  Turn Next(bool caller_ready, bool newest_first, Ref<Sequence>* sequence);
  void Finish(Ref<Sequence> sequence);

  // Starts at 0 and moves only here, and never back. What is due is put into the queues.
  void AdvanceTo(Time time);
  Time now() const { return now_.load(std::memory_order_acquire); }
  Time next_timer();

  // What was chosen so far, wherever there was a choice.
  std::vector<uint32_t> choices();
  // Sequences that have tasks, but cannot be chosen now or are in one.
  std::vector<Ref<Sequence>> Blocked();

  // For an owner with nothing to do that expects tasks from other threads.
  Wake AwaitPush(Time real_deadline);
  void WakeUp();

  // Refuses new tasks from now on, and returns all that there are, for the caller to drop.
  Task* Stop();
  bool stopped() const { return stopped_.load(std::memory_order_acquire); }

 private:
  friend class SimulatedScheduler;
  enum class Order { kReady, kSeeded, kReplayed };

  bool IsEligibleLocked(const Sequence& sequence) const;
  Turn ChooseLocked(size_t count, size_t* choice);
  void AddReadyLocked(Ref<Sequence> sequence);
  Ref<Sequence> TakeReadyLocked(size_t index);

  std::mutex mutex_;
  std::deque<Ref<Sequence>> ready_;     // mutex_, as all below; the first longest
  std::vector<Ref<Sequence>> parked_;   // would be ready, but their scheduler is suspended
  std::vector<Ref<Sequence>> running_;  // in a task; the last is the innermost
  TimerQueue timers_;
  size_t restricted_ = 0;               // schedulers of which not every ready sequence is eligible
  const Order order_ = Order::kReady;
  uint64_t state_ = 0;
  const std::vector<uint32_t> replayed_;
  std::vector<uint32_t> choices_;
  std::atomic<Time> now_{0};
  std::atomic<bool> stopped_{false};
  Ref<Event> wake_ = MakeRef<Event>();
};

// Stands for a thread pool or a single thread in a simulation.
class SimulatedScheduler : public Scheduler {
 public:
  // At most `max_running` of its sequences are in a task at the same time, as if it had so many
  // threads; each that may block allows for one more. With one thread, priorities are an order.
  SimulatedScheduler(Ref<Simulation> simulation, size_t max_running)
      : simulation_(std::move(simulation)), max_running_(max_running) {}

  bool Schedule(Sequence* sequence) override;
  void Reschedule(Sequence* sequence) override;

  // kFailedPrecondition: shut down, the task is still the caller's.
  Result AddTimer(Time due, Ref<Sequence> sequence, Task* task, TimerQueue::Key* key);
  Task* RemoveTimer(const TimerQueue::Key& key);

  // Between them none of its sequences is chosen.
  void Suspend();
  void Resume();

  // Refuses new tasks from now on and returns, for the caller to drop, the delayed ones and those
  // that a shutdown does not have to wait for.
  Task* Close();
  // After Close: nothing runs or waits any more that a shutdown has to wait for.
  bool IsDrained();

  struct Statistics {
    size_t ready = 0;
    size_t running = 0;
    size_t delayed = 0;
  };
  Statistics statistics();

  // For the embedder's statistics; owned by the thread that runs the tasks.
  uint64_t tasks_run = 0;
  uint64_t tasks_skipped = 0;

 private:
  friend class Simulation;

  void CountReadyLocked(const Sequence& sequence, int change);
  void CountRunningLocked(const Sequence& sequence, int change);
  bool IsSaturatedLocked() const { return running_ >= max_running_ + running_may_block_; }
  void UpdateRestrictionLocked();

  const Ref<Simulation> simulation_;
  const size_t max_running_;
  bool suspended_ = false;            // the simulation's mutex, as all below
  bool restricted_ = false;           // counted in the simulation
  size_t ready_[kPriorities] = {};
  size_t running_ = 0;
  size_t running_may_block_ = 0;
  size_t running_waited_ = 0;         // those that a shutdown waits for
  size_t delayed_ = 0;
};

}  // namespace mojo_seq
