// WorkerPool: runs any number of sequences on few threads.
//
// The threads are the embedder's; each calls TryNext in a loop, and AwaitReady when that has nothing.
// Waking a sleeping thread is the expensive part, so one is woken only if no other is already
// looking for work, and a thread looks around for a moment before it sleeps.
//
// To be woken is not to be given anything: a thread that needs a lock of the embedder's for its work
// gets that first, and takes then. So the thread that has the lock can take what it made ready, and
// does not have to hand the lock over for each sequence.
//
// Lock order: the timer mutex, a sequence's mutex, the pool's.
#pragma once

#include <vector>

#include "sequence.h"
#include "spinner.h"

namespace mojo_seq {

struct PoolStatistics {
  size_t threads = 0;
  size_t idle = 0;
  size_t ready = 0;     // sequences that wait for a thread
  size_t running = 0;   // sequences that have one
  size_t delayed = 0;
};

class WorkerPool : public Scheduler {
 public:
  explicit WorkerPool(size_t max_workers) : max_workers_(max_workers) {}
  ~WorkerPool() override;

  // One thread's share of the pool.
  class Worker {
   public:
    Worker() = default;
    explicit Worker(bool searching) : searching_(searching) {}

   private:
    friend class WorkerPool;
    Ref<Event> wake_ = MakeRef<Event>();
    Spinner spinner_;
    bool searching_ = true;  // the pool's mutex; a new thread was counted when it was asked for
  };

  bool Schedule(Sequence* sequence) override;
  void Reschedule(Sequence* sequence) override;

  // True once for each thread that ought to be started now; it must then call AwaitReady, or
  // ThreadFailed if it could not be started. One thread more than are busy is kept ready, so that
  // work that comes from threads which cannot start any finds one.
  bool WantsThread();
  void AddThread();  // one that nobody asked for
  void ThreadFailed();
  // A task is about to sleep until another one of this pool has run: allows for one more thread
  // meanwhile. False: there are as many of those as there may be.
  bool BeginBlock();
  void EndBlock();
  // Blocks until there is a sequence to run, which somebody else may take first: nobody else is
  // woken until this thread has called TryNext, or AwaitReady again. False: it must end.
  bool AwaitReady(Worker* worker);
  // Takes a sequence; null: there is none just now.
  Ref<Sequence> TryNext(Worker* worker);
  // Whether TryNext would have something.
  bool IsReady() const;
  // For a thread that waits for something else while TryNext has nothing, and is none of those that
  // are counted and told to end. What it makes ready between Search and TryNext it takes itself,
  // and nobody is woken for it; Rest says that it looks for work no longer.
  void Search(Worker* worker);
  void Rest(Worker* worker);
  // After a batch of its tasks. It is ready again if it has more.
  void Finish(Ref<Sequence> sequence);
  // While closing, only those that block the shutdown still run.
  bool MustSkip(const Sequence& sequence) const {
    return closing() && sequence.traits().shutdown != ShutdownBehavior::kBlock;
  }

  // kFailedPrecondition: shut down, the task is still the caller's.
  Result AddTimer(Time due, Ref<Sequence> sequence, Task* task, TimerQueue::Key* key);
  Task* RemoveTimer(const TimerQueue::Key& key);

  // Refuses new tasks from now on and returns, linked, for the caller to drop: the delayed ones, and
  // what is queued behind a running task that nobody waits for.
  Task* Close();
  // After Close: sleeps until nothing runs or waits that a shutdown has to wait for. kOk,
  // kDeadlineExceeded, or kShouldWait (a signal handler ran; call again).
  Result WaitDrained(Time deadline);

  PoolStatistics statistics();

 private:
  static constexpr size_t kMaxExtraThreads = 256;
  static constexpr size_t kMaxBlocked = 2'000;

  bool IsDrainedLocked() const { return closing() && ready_count_ == 0 && running_waited_ == 0; }
  size_t ThreadLimitLocked() const;
  void ScheduleLocked(Sequence* sequence);
  void PushReadyLocked(Sequence* sequence);
  Ref<Sequence> PopReadyLocked();
  // Wakes a sleeping thread if nobody is looking for work.
  void WakeOneLocked();
  // The calling thread was looking for work, and no longer does: others may have relied on it.
  void PassOnLocked();
  void TellDrainedLocked();
  void AddThreadLocked();
  Ref<Sequence> TakeLocked(Worker* worker);
  // Puts what is due into the sequences' queues. Called without the lock.
  void RunTimers();

  const size_t max_workers_;
  std::mutex timer_mutex_;  // held while due timers are moved: two threads would mix up their order
  std::mutex mutex_;
  struct { Sequence* head = nullptr; Sequence* tail = nullptr; } ready_[kPriorities];  // mutex_
  std::atomic<size_t> ready_count_{0};  // written under mutex_; spinners read it
  std::vector<Worker*> idle_;           // mutex_, as all below; the last went to sleep last
  size_t searching_ = 0;                // threads awake without work
  size_t threads_ = 0;
  std::vector<Sequence*> running_;
  size_t running_waited_ = 0;           // those that a shutdown waits for
  size_t running_may_block_ = 0;        // each of them allows for one more thread
  size_t blocked_ = 0;                  // and so does each of these
  Worker* timekeeper_ = nullptr;        // the sleeper that wakes up for the next timer
  std::atomic<Time> next_timer_{kNever};
  TimerQueue timers_;
  size_t delayed_ = 0;
  std::vector<Ref<Event>> drained_;     // threads in WaitDrained
};

}  // namespace mojo_seq
