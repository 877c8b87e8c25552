// Schedulers of one sequence that one thread runs: RunLoop sleeps when there is nothing to do;
// WakeupFd tells somebody else's event loop through a descriptor.
#pragma once

#include "scoped_fd.h"
#include "sequence.h"
#include "spinner.h"

namespace mojo_seq {

class LoopScheduler : public Scheduler {
 public:
  bool Schedule(Sequence* sequence) override;
  void Reschedule(Sequence* sequence) override;

  // Moves the tasks that are due into the sequence. Only the thread that runs it.
  void RunTimers();
  Time next_timer() const { return next_timer_.load(std::memory_order_acquire); }
  Result AddTimer(Time due, Ref<Sequence> sequence, Task* task, TimerQueue::Key* key);
  Task* RemoveTimer(const TimerQueue::Key& key);
  int VisitTimers(int (*visit)(Task* task, void* arg), void* arg);
  // Refuses new tasks from now on and returns the delayed ones, linked, for the caller to drop.
  Task* Close();

 protected:
  // Makes the loop's thread look again; the system call is left for later. Any thread.
  virtual void QueueLoopWake() = 0;

 private:
  std::mutex mutex_;
  TimerQueue timers_;                     // mutex_
  std::atomic<Time> next_timer_{kNever};  // written under mutex_
};

class RunLoop : public LoopScheduler {
 public:
  // For the one thread that runs the loop, when its sequence is empty: sleeps until there is a
  // task, a timer is due, Quit or `deadline`. kWoken says "look again".
  Wake Wait(Time deadline);
  // Makes the loop return after the task it is in; if it is not running, at its next start.
  void Quit();
  bool TakeQuit();

 protected:
  void QueueLoopWake() override;

 private:
  Ref<Event> wake_ = MakeRef<Event>();
  Spinner spinner_;  // the loop's thread
  std::atomic<bool> quit_{false};
};

class WakeupFd : public LoopScheduler {
 public:
  // kResourceExhausted: no descriptor to be had.
  static Result Create(Ref<WakeupFd>* wakeup);

  int fd() const { return waker_->fd.get(); }
  void Drain();  // no longer readable

 protected:
  void QueueLoopWake() override;

 private:
  struct FdWaker : public Waker {
    void Wake() override;
    ScopedFd fd;
  };

  Ref<FdWaker> waker_ = MakeRef<FdWaker>();
};

}  // namespace mojo_seq
