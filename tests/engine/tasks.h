// Tasks and pools for tests.
#pragma once

#include <functional>
#include <thread>
#include <utility>
#include <vector>

#include "api.h"
#include "check.h"
#include "sequence.h"
#include "worker_pool.h"

namespace mojo_seq::testing {

// A task that is a function. `dropped` counts those that died without having run.
struct FunctionTask : public Task {
  explicit FunctionTask(std::function<void()> run, std::atomic<size_t>* dropped = nullptr)
      : run(std::move(run)), dropped(dropped) {}
  ~FunctionTask() override {
    if (run && dropped) dropped->fetch_add(1, std::memory_order_relaxed);
  }
  std::function<void()> run;
  std::atomic<size_t>* dropped;
};

inline void RunTask(Task* task) {
  auto* const call = static_cast<FunctionTask*>(task);
  const std::function<void()> run = std::exchange(call->run, nullptr);
  run();
  delete task;
}

inline void DropTasks(Task* task) {
  while (task) delete std::exchange(task, task->next);
}

inline Result Post(Sequence* sequence, std::function<void()> run,
                   std::atomic<size_t>* dropped = nullptr) {
  ApiCall call;
  auto* const task = new FunctionTask(std::move(run), dropped);
  const Result result = sequence->Push(task);
  if (result != Result::kOk) delete task;
  return result;
}

// Runs everything that a loop's sequence has. Returns how many there were.
inline size_t RunAll(Sequence* sequence) {
  size_t count = 0;
  while (Task* task = sequence->Pop()) {
    RunTask(task);
    ++count;
  }
  return count;
}

// One turn of a worker thread with a sequence it was given. `quantum`: tasks at most.
inline void RunSequence(WorkerPool* pool, Ref<Sequence> sequence, size_t quantum = 16) {
  for (size_t i = 0; i < quantum; ++i) {
    Task* const task = sequence->Pop();
    if (!task) break;
    if (pool->MustSkip(*sequence)) {
      delete task;
    } else {
      RunTask(task);
    }
  }
  pool->Finish(std::move(sequence));
  FlushWakes();
}

// The life of a worker thread, as the binding leads it.
inline void RunWorker(WorkerPool* pool, size_t quantum = 16,
                      const std::function<void()>& start_thread = nullptr) {
  WorkerPool::Worker worker;
  for (;;) {
    Ref<Sequence> sequence = pool->TryNext(&worker);
    if (!sequence) {
      if (!pool->AwaitReady(&worker)) break;
      continue;
    }
    if (start_thread && pool->WantsThread()) start_thread();
    RunSequence(pool, std::move(sequence), quantum);
  }
  FlushWakes();
}

// A pool with a fixed number of threads.
class TestPool {
 public:
  explicit TestPool(size_t threads, size_t quantum = 16) : pool_(MakeRef<WorkerPool>(threads)) {
    for (size_t i = 0; i < threads; ++i) {
      pool_->AddThread();
      threads_.emplace_back([this, quantum] { RunWorker(pool_.get(), quantum); });
    }
  }
  ~TestPool() { Shutdown(); }

  WorkerPool* get() const { return pool_.get(); }
  WorkerPool* operator->() const { return pool_.get(); }
  Ref<Sequence> NewSequence(SequenceTraits traits = {}) const {
    return MakeRef<Sequence>(Ref<Scheduler>(Ref<WorkerPool>(pool_)), traits);
  }
  Result PostDelayed(Time due, const Ref<Sequence>& sequence, std::function<void()> run,
                     std::atomic<size_t>* dropped = nullptr) const {
    ApiCall call;
    auto* const task = new FunctionTask(std::move(run), dropped);
    TimerQueue::Key key;
    const Result result = pool_->AddTimer(due, sequence, task, &key);
    if (result != Result::kOk) delete task;
    return result;
  }

  // Skips what is not due, lets the rest end as its traits say, and joins the threads.
  void Shutdown() {
    {
      ApiCall call;
      DropTasks(pool_->Close());
    }
    while (pool_->WaitDrained(kNever) != Result::kOk) {
    }
    for (std::thread& thread : threads_) thread.join();
    threads_.clear();
  }

 private:
  Ref<WorkerPool> pool_;
  std::vector<std::thread> threads_;
};

}  // namespace mojo_seq::testing
