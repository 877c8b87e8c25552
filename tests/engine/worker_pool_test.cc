// WorkerPool: which sequences run, on how many threads. System rules: public contract §8.

#include "worker_pool.h"

#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "check.h"
#include "tasks.h"
#include "threads.h"

namespace mojo_seq::testing::worker_pool_test {

// A worker that the test drives by hand, on its own thread.
struct Hand {
  explicit Hand(WorkerPool* pool) : pool(pool) { pool->AddThread(); }
  Ref<Sequence> TryNext() { return pool->TryNext(&worker); }
  void Finish(Ref<Sequence> sequence) {
    pool->Finish(std::move(sequence));
    FlushWakes();
  }
  // Ends the thread; the pool must be closed and empty.
  void End() { CHECK(!pool->AwaitReady(&worker)); }

  WorkerPool* const pool;
  WorkerPool::Worker worker;
};

struct HandPool {
  explicit HandPool(size_t max_workers = 4) : pool(MakeRef<WorkerPool>(max_workers)) {}
  Ref<Sequence> NewSequence(SequenceTraits traits = {}) const {
    return MakeRef<Sequence>(Ref<Scheduler>(Ref<WorkerPool>(pool)), traits);
  }
  void Close() const {
    ApiCall call;
    DropTasks(pool->Close());
  }
  const Ref<WorkerPool> pool;
};

void Nothing() {}

TEST(push_makes_a_sequence_ready_once) {
  HandPool pool;
  Ref<Sequence> sequence = pool.NewSequence();
  Hand worker(pool.pool.get());
  CHECK(!worker.TryNext());
  CHECK_OK(Post(sequence.get(), Nothing));
  CHECK_OK(Post(sequence.get(), Nothing));
  CHECK_EQ(pool.pool->statistics().ready, 1u);
  Ref<Sequence> taken = worker.TryNext();
  CHECK(taken.get() == sequence.get());
  CHECK(!worker.TryNext());
  CHECK_EQ(RunAll(taken.get()), 2u);
  worker.Finish(std::move(taken));
  CHECK(!worker.TryNext());
  pool.Close();
  worker.End();
}

TEST(tasks_left_at_the_end_of_a_turn_make_it_ready_again) {
  HandPool pool;
  Ref<Sequence> sequence = pool.NewSequence();
  Hand worker(pool.pool.get());
  for (int i = 0; i < 3; ++i) CHECK_OK(Post(sequence.get(), Nothing));
  for (int i = 0; i < 3; ++i) {
    Ref<Sequence> taken = worker.TryNext();
    CHECK(taken);
    RunTask(taken->Pop());
    worker.Finish(std::move(taken));
  }
  CHECK(!worker.TryNext());
  pool.Close();
  worker.End();
}

TEST(a_task_pushed_between_the_last_pop_and_finish_is_not_given_to_a_second_worker) {
  HandPool pool;
  Ref<Sequence> sequence = pool.NewSequence();
  Hand first(pool.pool.get()), second(pool.pool.get()), third(pool.pool.get());
  CHECK_OK(Post(sequence.get(), Nothing));
  Ref<Sequence> taken = first.TryNext();
  CHECK_EQ(RunAll(taken.get()), 1u);  // the last pop found nothing
  CHECK_OK(Post(sequence.get(), Nothing));
  CHECK_OK(Post(sequence.get(), Nothing));
  Ref<Sequence> early = second.TryNext();
  if (early) RunTask(early->Pop());  // the second worker is in the middle of its turn
  first.Finish(std::move(taken));
  CHECK_EQ(pool.pool->statistics().ready + pool.pool->statistics().running, 1u);
  Ref<Sequence> late = third.TryNext();
  CHECK(!(early && late));  // or two tasks of one sequence would run at once
  for (Ref<Sequence>* turn : {&early, &late}) {
    if (!*turn) continue;
    RunAll(turn->get());
    third.Finish(std::move(*turn));
  }
  pool.Close();
  for (Hand* hand : {&first, &second, &third}) hand->End();
}

TEST(a_task_pushed_before_finish_is_not_lost) {
  HandPool pool;
  Ref<Sequence> sequence = pool.NewSequence();
  Hand worker(pool.pool.get());
  bool ran = false;
  CHECK_OK(Post(sequence.get(), Nothing));
  Ref<Sequence> taken = worker.TryNext();
  CHECK_EQ(RunAll(taken.get()), 1u);
  CHECK_OK(Post(sequence.get(), [&] { ran = true; }));
  worker.Finish(std::move(taken));
  taken = worker.TryNext();
  CHECK(taken);
  RunAll(taken.get());
  worker.Finish(std::move(taken));
  CHECK(ran);
  pool.Close();
  worker.End();
}

TEST(higher_priorities_go_first_and_equal_ones_in_order) {
  HandPool pool;
  Hand worker(pool.pool.get());
  std::vector<Ref<Sequence>> sequences;
  for (Priority priority : {Priority::kBestEffort, Priority::kUserVisible, Priority::kUserBlocking,
                            Priority::kUserBlocking, Priority::kBestEffort}) {
    SequenceTraits traits;
    traits.priority = priority;
    sequences.push_back(pool.NewSequence(traits));
    CHECK_OK(Post(sequences.back().get(), Nothing));
  }
  for (size_t expected : {2, 3, 1, 0, 4}) {
    Ref<Sequence> taken = worker.TryNext();
    CHECK(taken.get() == sequences[expected].get());
    RunAll(taken.get());
    worker.Finish(std::move(taken));
  }
  pool.Close();
  worker.End();
}

TEST(one_thread_is_wanted_as_long_as_none_is_to_spare) {
  HandPool pool(2);
  Ref<Sequence> sequence = pool.NewSequence();
  CHECK(pool.pool->WantsThread());
  CHECK(!pool.pool->WantsThread());  // that one is on its way
  WorkerPool::Worker first;
  CHECK_OK(Post(sequence.get(), Nothing));
  Ref<Sequence> taken = pool.pool->TryNext(&first);
  CHECK(taken);
  CHECK(pool.pool->WantsThread());
  WorkerPool::Worker second;
  Ref<Sequence> other = pool.NewSequence();
  CHECK_OK(Post(other.get(), Nothing));
  Ref<Sequence> taken_too = pool.pool->TryNext(&second);
  CHECK(taken_too);
  CHECK(!pool.pool->WantsThread());  // the limit
  CHECK_EQ(pool.pool->statistics().threads, 2u);
  CHECK_EQ(pool.pool->statistics().running, 2u);
  for (Ref<Sequence>* each : {&taken, &taken_too}) {
    RunAll(each->get());
    pool.pool->Finish(std::move(*each));
  }
  pool.Close();
  CHECK(!pool.pool->WantsThread());
  CHECK(!pool.pool->AwaitReady(&first));
  CHECK(!pool.pool->AwaitReady(&second));
  CHECK_EQ(pool.pool->statistics().threads, 0u);
}

TEST(sequences_that_may_block_allow_for_more_threads_while_they_run) {
  HandPool pool(1);
  SequenceTraits traits;
  traits.may_block = true;
  Ref<Sequence> blocking = pool.NewSequence(traits);
  Hand first(pool.pool.get());
  CHECK_OK(Post(blocking.get(), Nothing));
  Ref<Sequence> taken = first.TryNext();
  CHECK(pool.pool->WantsThread());
  WorkerPool::Worker second;
  CHECK(!pool.pool->TryNext(&second));
  RunAll(taken.get());
  first.Finish(std::move(taken));
  CHECK(!pool.pool->WantsThread());
  // There is one thread too many now; the first that looks for work and finds none ends.
  CHECK(!pool.pool->AwaitReady(&second));
  CHECK_EQ(pool.pool->statistics().threads, 1u);
  pool.Close();
  first.End();
}

TEST(a_thread_that_could_not_be_started_does_not_keep_others_asleep) {
  std::atomic<bool> ran{false};
  HandPool pool(2);
  Ref<Sequence> sequence = pool.NewSequence();
  CHECK(pool.pool->WantsThread());
  std::thread sleeper;
  {
    pool.pool->AddThread();
    sleeper = std::thread([&] { RunWorker(pool.pool.get()); });
    while (pool.pool->statistics().idle == 0) sched_yield();
  }
  // The sleeper is not woken, since another thread is on its way ...
  CHECK_OK(Post(sequence.get(), [&] { ran = true; }));
  // ... which does not arrive.
  pool.pool->ThreadFailed();
  FlushWakes();
  while (!ran) sched_yield();
  pool.Close();
  sleeper.join();
}

TEST(a_sleeping_thread_is_woken_by_a_push) {
  TestPool pool(1);
  Ref<Sequence> sequence = pool.NewSequence();
  for (int i = 0; i < 200; ++i) {
    while (pool->statistics().idle == 0) sched_yield();
    std::atomic<bool> ran{false};
    CHECK_OK(Post(sequence.get(), [&] { ran.store(true); }));
    while (!ran.load()) sched_yield();
  }
}

TEST(a_thread_that_was_woken_has_taken_nothing) {
  HandPool pool(2);
  Hand holder(pool.pool.get());
  Hand woken(pool.pool.get());
  Ref<Sequence> sequence = pool.NewSequence();
  CHECK_OK(Post(sequence.get(), Nothing));
  CHECK(pool.pool->AwaitReady(&woken.worker));
  CHECK_EQ(pool.pool->statistics().ready, 1u);
  // Somebody else was faster.
  Ref<Sequence> taken = holder.TryNext();
  CHECK(taken.get() == sequence.get());
  CHECK(!woken.TryNext());
  RunAll(taken.get());
  holder.Finish(std::move(taken));
  // What comes meanwhile is there for whoever takes first.
  CHECK_OK(Post(sequence.get(), Nothing));
  CHECK(pool.pool->AwaitReady(&woken.worker));
  taken = woken.TryNext();
  CHECK(taken.get() == sequence.get());
  CHECK(!holder.TryNext());
  RunAll(taken.get());
  woken.Finish(std::move(taken));
  pool.Close();
  holder.End();
  woken.End();
}

TEST(a_due_timer_ends_the_wait) {
  HandPool pool(1);
  Hand worker(pool.pool.get());
  Ref<Sequence> sequence = pool.NewSequence();
  {
    ApiCall call;
    TimerQueue::Key key;
    CHECK_OK(pool.pool->AddTimer(Now() + 100'000, sequence, new FunctionTask(Nothing), &key));
  }
  CHECK(pool.pool->AwaitReady(&worker.worker));
  Ref<Sequence> taken = worker.TryNext();
  CHECK(taken.get() == sequence.get());
  RunAll(taken.get());
  worker.Finish(std::move(taken));
  pool.Close();
  worker.End();
}

// One thread has a lock that all need for their work, as the interpreter's: it works on alone,
// and the others come in when it lets go.
TEST(threads_that_share_a_lock_run_everything) {
  constexpr size_t kRounds = 2'000;
  auto pool = MakeRef<WorkerPool>(3);
  std::mutex lock;
  std::atomic<size_t> left{3 * kRounds};
  std::vector<Ref<Sequence>> sequences;
  for (int i = 0; i < 3; ++i) {
    sequences.push_back(MakeRef<Sequence>(Ref<Scheduler>(Ref<WorkerPool>(pool)), SequenceTraits{}));
  }
  std::function<void(size_t, size_t)> step = [&](size_t at, size_t rounds) {
    --left;
    if (rounds > 1) {
      const size_t next = (at + 1) % 3;
      CHECK_OK(Post(sequences[next].get(), [&step, next, rounds] { step(next, rounds - 1); }));
    }
  };
  std::vector<std::thread> threads;
  for (int i = 0; i < 3; ++i) {
    pool->AddThread();
    threads.emplace_back([&] {
      WorkerPool::Worker worker;
      std::unique_lock<std::mutex> held(lock);
      for (;;) {
        if (Ref<Sequence> taken = pool->TryNext(&worker)) {
          RunSequence(pool.get(), std::move(taken));
          continue;
        }
        held.unlock();
        const bool goes_on = pool->AwaitReady(&worker);
        held.lock();
        if (!goes_on) return;
      }
    });
  }
  for (size_t i = 0; i < 3; ++i) {
    CHECK_OK(Post(sequences[i].get(), [&step, i] { step(i, kRounds); }));
  }
  while (left > 0) sched_yield();
  {
    ApiCall call;
    DropTasks(pool->Close());
  }
  for (std::thread& thread : threads) thread.join();
}

TEST(ready_sequences_wake_one_thread_after_another) {
  std::atomic<int> arrived{0}, left{0};
  TestPool pool(3);
  while (pool->statistics().idle < 3) sched_yield();
  // Three tasks that can only end together: all the threads must have been woken.
  std::vector<Ref<Sequence>> sequences;
  for (int i = 0; i < 3; ++i) {
    sequences.push_back(pool.NewSequence());
    CHECK_OK(Post(sequences.back().get(), [&] {
      ++arrived;
      while (arrived < 3) sched_yield();
      ++left;
    }));
  }
  while (left < 3) sched_yield();
}

TEST(a_pool_of_many_idle_sequences_runs_them_all) {
  constexpr size_t kSequences = 10'000;
  std::atomic<size_t> ran{0};
  {
    TestPool pool(4);
    std::vector<Ref<Sequence>> sequences;
    for (size_t i = 0; i < kSequences; ++i) sequences.push_back(pool.NewSequence());
    for (const auto& sequence : sequences) CHECK_OK(Post(sequence.get(), [&] { ++ran; }));
    while (ran < kSequences) sched_yield();
  }
  CHECK_EQ(ran.load(), kSequences);
}

TEST(a_sequence_outlives_its_owner_while_it_has_tasks) {
  std::atomic<int> ran{0};
  TestPool pool(1);
  for (int i = 0; i < 100; ++i) {
    Ref<Sequence> sequence = pool.NewSequence();
    CHECK_OK(Post(sequence.get(), [&] { ++ran; }));
  }
  while (ran < 100) sched_yield();
}

}  // namespace mojo_seq::testing::worker_pool_test
