// Sequence: a queue of tasks, of which one runs at a time, in the order in which they came.
//
// Any thread may push, with no interpreter anywhere near; the thread that its scheduler chose
// pops. An idle sequence costs its memory and nothing else.
//
// Lock order: the sequence's mutex, then the scheduler's.
#pragma once

#include <map>
#include <mutex>
#include <utility>
#include <vector>

#include "event.h"
#include "live_count.h"
#include "ref.h"
#include "result.h"
#include "signals.h"

namespace mojo_seq {

class Sequence;

// Receives on its sequence what a watcher noticed on any thread. See SequenceNotifier.
class NotificationTarget;

struct Task {
  virtual ~Task() = default;

  Task* next = nullptr;
  // Null for a call that the embedder posted (then this is its own subclass).
  NotificationTarget* target = nullptr;
  LiveCounter<Kind::kTask> counter;
};

// Decides which thread runs a sequence.
class Scheduler : public RefCounted {
 public:
  // Under the sequence's lock: it has become ready. False: shut down, nothing was done.
  virtual bool Schedule(Sequence* sequence) = 0;
  // The same for a task that was accepted before a shutdown: never refused.
  virtual void Reschedule(Sequence* sequence) = 0;
  bool closing() const { return closing_.load(std::memory_order_acquire); }

 protected:
  std::atomic<bool> closing_{false};  // set once; no new tasks after that
};

enum class Priority : uint8_t { kBestEffort = 0, kUserVisible = 1, kUserBlocking = 2 };
constexpr size_t kPriorities = 3;
enum class ShutdownBehavior : uint8_t { kSkip = 0, kBlock = 1, kContinue = 2 };

struct SequenceTraits {
  Priority priority = Priority::kUserVisible;
  bool may_block = false;
  ShutdownBehavior shutdown = ShutdownBehavior::kSkip;
};

class Sequence : public RefCounted {
 public:
  Sequence(Ref<Scheduler> scheduler, SequenceTraits traits)
      : traits_(traits), scheduler_(std::move(scheduler)) {}
  ~Sequence() override;

  // kOk: the task belongs to the sequence. kFailedPrecondition: shut down, still the caller's.
  Result Push(Task* task);

  // The thread that runs it: takes the next task. Null: none left, and the sequence is idle, so
  // that the next Push schedules it again.
  Task* Pop();
  // After a part of the queue: true if it is idle now, false if there is more to do.
  bool IdleIfEmpty();
  // For schedulers that hold tasks back: puts it in the queue even while closing.
  void Requeue(Task* task);
  // Takes everything out and leaves it idle; for a scheduler that has stopped.
  Task* TakeAll();
  // Takes everything out of a sequence that a thread or the ready list may have. There it stays:
  // whoever runs it finds it empty. Were it told idle, it could be made ready a second time.
  Task* TakeQueued();

  // Whether there are any besides the one that runs.
  bool HasTasks();
  // Calls `visit` with each queued task; stops at non-zero. For the embedder's garbage collector.
  int VisitTasks(int (*visit)(Task* task, void* arg), void* arg);

  const SequenceTraits& traits() const { return traits_; }
  Scheduler* scheduler() const { return scheduler_.get(); }

 private:
  friend class WorkerPool;

  Task* PopLocked();
  Task* TakeQueuedLocked();
  void AppendLocked(Task* task);

  const SequenceTraits traits_;
  bool scheduled_ = false;  // mutex_: its scheduler knows that it has tasks
  std::mutex mutex_;
  Task* head_ = nullptr;    // mutex_
  Task* tail_ = nullptr;
  const Ref<Scheduler> scheduler_;
  Sequence* next_ready_ = nullptr;  // the pool's mutex
  bool running_ = false;            // the pool's mutex: a thread has it
  bool waited_for_ = false;         // the pool's mutex: counted as what a shutdown waits for
  LiveCounter<Kind::kSequence> counter_;
};

// Tasks that are to run later, in the order of their times and, for equal ones, of posting.
// Owned and locked by a scheduler.
class TimerQueue {
 public:
  using Key = std::pair<Time, uint64_t>;

  TimerQueue() = default;
  TimerQueue(const TimerQueue&) = delete;
  TimerQueue& operator=(const TimerQueue&) = delete;
  ~TimerQueue();

  Key Add(Time due, Ref<Sequence> sequence, Task* task);
  // What becomes of a sequence without its timer is none of the scheduler's business: the caller
  // lets go of it with no lock held. Null: no longer here.
  Task* Remove(const Key& key, Ref<Sequence>* sequence);
  Time next() const { return timers_.empty() ? kNever : timers_.begin()->first.first; }
  // Takes the first that is due. False: none is.
  bool TakeDue(Time now, Ref<Sequence>* sequence, Task** task);
  Task* TakeAll(std::vector<Ref<Sequence>>* sequences);
  // The same for the sequences of one scheduler, where several share the queue.
  Task* TakeOf(const Scheduler* scheduler, std::vector<Ref<Sequence>>* sequences);
  int VisitTasks(int (*visit)(Task* task, void* arg), void* arg);

 private:
  struct Timer {
    Ref<Sequence> sequence;
    Task* task;
  };
  std::map<Key, Timer> timers_;
  uint64_t added_ = 0;
};

}  // namespace mojo_seq
