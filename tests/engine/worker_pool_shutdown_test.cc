// WorkerPool: what a shutdown runs, skips and waits for. Public contract §8.

#include <algorithm>

#include "check.h"
#include "random.h"
#include "tasks.h"
#include "threads.h"

namespace mojo_seq::testing::worker_pool_shutdown_test {

SequenceTraits With(ShutdownBehavior shutdown) {
  SequenceTraits traits;
  traits.shutdown = shutdown;
  return traits;
}

// A pool whose only thread is inside a task of a sequence with these traits until it is let go.
struct BusyPool {
  explicit BusyPool(ShutdownBehavior shutdown)
      : pool(1), busy(pool.NewSequence(With(shutdown))) {
    CHECK_OK(Post(busy.get(), [this] {
      entered = true;
      while (!release) sched_yield();
    }));
    while (!entered) sched_yield();
  }
  void Close() {
    ApiCall call;
    DropTasks(pool->Close());
  }
  std::atomic<bool> entered{false}, release{false};
  TestPool pool;
  Ref<Sequence> busy;
};

TEST(queued_tasks_are_treated_as_their_traits_say) {
  BusyPool busy(ShutdownBehavior::kSkip);
  std::atomic<size_t> ran{0}, skipped{0};
  std::vector<Ref<Sequence>> sequences;
  for (const auto shutdown : {ShutdownBehavior::kSkip, ShutdownBehavior::kBlock,
                              ShutdownBehavior::kContinue, ShutdownBehavior::kBlock}) {
    sequences.push_back(busy.pool.NewSequence(With(shutdown)));
    for (int i = 0; i < 20; ++i) {
      CHECK_OK(Post(sequences.back().get(), [&] { ++ran; }, &skipped));
    }
  }
  busy.Close();
  busy.release = true;
  busy.pool.Shutdown();
  CHECK_EQ(ran.load(), 40u);
  CHECK_EQ(skipped.load(), 40u);
}

TEST(a_shutdown_waits_for_a_running_task) {
  BusyPool busy(ShutdownBehavior::kSkip);
  busy.Close();
  CHECK_EQ(busy.pool->WaitDrained(0), Result::kDeadlineExceeded);
  Blocker waiter([&] {
    CHECK_OK(busy.pool->WaitDrained(kNever));
    CHECK(busy.release);
  });
  waiter.WaitUntilAsleep();
  CHECK(!waiter.done());
  busy.release = true;
}

TEST(a_shutdown_does_not_wait_for_a_task_that_continues) {
  BusyPool busy(ShutdownBehavior::kContinue);
  std::atomic<size_t> skipped{0};
  CHECK_OK(Post(busy.busy.get(), [] { CHECK(false); }, &skipped));
  busy.Close();
  CHECK_OK(busy.pool->WaitDrained(kNever));
  CHECK_EQ(skipped.load(), 1u);  // what is queued behind it ends at once
  busy.release = true;
}

TEST(a_shutdown_waits_until_what_did_not_begin_is_skipped) {
  auto pool = MakeRef<WorkerPool>(1);
  auto sequence = MakeRef<Sequence>(Ref<Scheduler>(Ref<WorkerPool>(pool)),
                                    With(ShutdownBehavior::kContinue));
  WorkerPool::Worker worker;
  pool->AddThread();
  std::atomic<size_t> skipped{0};
  CHECK_OK(Post(sequence.get(), [] { CHECK(false); }, &skipped));
  CHECK(!pool->Close());
  Ref<Sequence> taken = pool->TryNext(&worker);
  CHECK_EQ(pool->WaitDrained(0), Result::kDeadlineExceeded);
  RunSequence(pool.get(), std::move(taken));
  CHECK_EQ(skipped.load(), 1u);
  CHECK_OK(pool->WaitDrained(0));
  CHECK(!pool->AwaitReady(&worker));
}

TEST(a_task_of_a_shutdown_may_not_post) {
  BusyPool busy(ShutdownBehavior::kSkip);
  Ref<Sequence> blocking = busy.pool.NewSequence(With(ShutdownBehavior::kBlock));
  std::atomic<bool> refused{false};
  CHECK_OK(Post(blocking.get(), [&] {
    refused = Post(blocking.get(), [] {}) == Result::kFailedPrecondition;
  }));
  busy.Close();
  CHECK_EQ(Post(busy.busy.get(), [] {}), Result::kFailedPrecondition);
  CHECK_EQ(busy.pool.PostDelayed(0, blocking, [] {}), Result::kFailedPrecondition);
  busy.release = true;
  busy.pool.Shutdown();
  CHECK(refused);
}

TEST(delayed_tasks_are_skipped_whatever_their_traits) {
  std::atomic<size_t> skipped{0};
  TestPool pool(2);
  for (const auto shutdown : {ShutdownBehavior::kSkip, ShutdownBehavior::kBlock}) {
    Ref<Sequence> sequence = pool.NewSequence(With(shutdown));
    CHECK_OK(pool.PostDelayed(kNever - 1, sequence, [] { CHECK(false); }, &skipped));
  }
  CHECK_EQ(pool->statistics().delayed, 2u);
  pool.Shutdown();
  CHECK_EQ(skipped.load(), 2u);
  CHECK_EQ(pool->statistics().delayed, 0u);
}

TEST(a_removed_timer_is_the_callers) {
  TestPool pool(1);
  Ref<Sequence> sequence = pool.NewSequence();
  std::atomic<size_t> dropped{0};
  TimerQueue::Key key;
  auto* const task = new FunctionTask([] {}, &dropped);
  CHECK_OK(pool->AddTimer(kNever - 1, sequence, task, &key));
  CHECK(pool->RemoveTimer(key) == task);
  delete task;
  CHECK_EQ(dropped.load(), 1u);
  CHECK(!pool->RemoveTimer(key));
  pool.Shutdown();
  CHECK(!pool->RemoveTimer(key));
}

TEST(a_shutdown_may_be_repeated_and_shared) {
  BusyPool busy(ShutdownBehavior::kSkip);
  busy.Close();
  RunTogether(3, [&](size_t thread) {
    if (thread == 0) busy.release = true;
    busy.Close();
    CHECK_OK(busy.pool->WaitDrained(kNever));
  });
}

TEST(a_pool_that_never_ran_anything_shuts_down) {
  auto pool = MakeRef<WorkerPool>(2);
  CHECK(!pool->Close());
  CHECK_OK(pool->WaitDrained(0));
}

TEST(a_timer_that_is_due_as_the_pool_closes_ends_all_the_same) {
  // It may have left the list of timers and not yet reached its sequence. It runs, or is dropped
  // by the pool's threads; it must not stay in the queue of a sequence that nobody looks at.
  for (int round = 0; round < 300; ++round) {
    std::atomic<size_t> ended{0}, dropped{0};
    Ref<Sequence> sequence;
    size_t accepted = 0;
    {
      auto pool = MakeRef<WorkerPool>(1);
      sequence = MakeRef<Sequence>(Ref<Scheduler>(Ref<WorkerPool>(pool)), SequenceTraits{});
      const Time due = Now() + 3'000;
      for (int i = 0; i < 30; ++i) {
        TimerQueue::Key key;
        ApiCall call;
        CHECK_OK(pool->AddTimer(due + i * 1'000, sequence,
                                new FunctionTask([&] { ++ended; }, &dropped), &key));
        ++accepted;
      }
      pool->AddThread();
      RunTogether(2, [&](size_t thread) {
        if (thread == 0) {
          RunWorker(pool.get());
          return;
        }
        while (Now() < due + (round % 30) * 1'000) {
        }
        ApiCall call;
        DropTasks(pool->Close());
      });
    }
    CHECK_EQ(ended + dropped, accepted);
  }
}

TEST(a_sequence_that_was_emptied_is_not_made_ready_twice) {
  // A shutdown empties what it does not wait for, while a timer that was due puts a task into it.
  auto pool = MakeRef<WorkerPool>(1);
  auto sequence = MakeRef<Sequence>(Ref<Scheduler>(Ref<WorkerPool>(pool)),
                                    With(ShutdownBehavior::kContinue));
  CHECK_OK(Post(sequence.get(), [] {}));
  DropTasks(sequence->TakeQueued());
  size_t ran = 0;
  {
    ApiCall call;
    sequence->Requeue(new FunctionTask([&] { ++ran; }));
  }
  CHECK_EQ(pool->statistics().ready, 1u);
  pool->AddThread();
  WorkerPool::Worker worker;
  RunSequence(pool.get(), pool->TryNext(&worker));
  CHECK_EQ(ran, 1u);
  CHECK(!pool->TryNext(&worker));
  DropTasks(pool->Close());
  CHECK(!pool->AwaitReady(&worker));
}

TEST(posting_races_with_shutting_down) {
  // Whatever was accepted runs or is dropped, once; what blocks the shutdown runs.
  Random random(1);
  for (int round = 0; round < 150; ++round) {
    std::atomic<size_t> ran{0}, dropped{0}, accepted{0}, must_run{0}, must_have_run{0};
    {
      TestPool pool(3, 1 + random.Below(4));
      std::vector<Ref<Sequence>> sequences;
      for (int i = 0; i < 6; ++i) {
        SequenceTraits traits = With(static_cast<ShutdownBehavior>(i % 3));
        traits.priority = static_cast<Priority>(random.Below(3));
        traits.may_block = random.OneIn(3);
        sequences.push_back(pool.NewSequence(traits));
      }
      const size_t stop_at = random.Below(100);
      RunTogether(3, [&](size_t thread) {
        Random mine(100 * round + thread);
        for (size_t i = 0; i < 100; ++i) {
          if (thread == 0 && i == stop_at) {
            ApiCall call;
            DropTasks(pool->Close());
          }
          const Ref<Sequence>& sequence = sequences[mine.Below(sequences.size())];
          const bool delayed = mine.OneIn(4);
          const bool blocks =
              !delayed && sequence->traits().shutdown == ShutdownBehavior::kBlock;
          const auto run = [&, blocks] {
            ++ran;
            must_have_run += blocks;
          };
          const Result result = delayed
                                    ? pool.PostDelayed(Now() + 10'000, sequence, run, &dropped)
                                    : Post(sequence.get(), run, &dropped);
          if (result == Result::kOk) {
            ++accepted;
            must_run += blocks;
          } else {
            CHECK(pool->closing());
            --dropped;  // by us
          }
        }
      });
    }
    CHECK_EQ(ran + dropped, accepted.load());
    CHECK_EQ(must_have_run.load(), must_run.load());
  }
}

}  // namespace mojo_seq::testing::worker_pool_shutdown_test
