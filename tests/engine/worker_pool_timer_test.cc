// WorkerPool: delayed tasks. System rules: public contract §8.

#include <memory>

#include "check.h"
#include "tasks.h"
#include "threads.h"

namespace mojo_seq::testing::worker_pool_timer_test {

constexpr Time kHour = INT64_C(3'600'000'000'000);

TEST(a_due_timer_runs_on_a_sleeping_pool) {
  std::atomic<Time> ran{0};
  TestPool pool(1);
  Ref<Sequence> sequence = pool.NewSequence();
  while (pool->statistics().idle == 0) sched_yield();
  const Time due = Now() + 2'000'000;
  CHECK_OK(pool.PostDelayed(due, sequence, [&] { ran = Now(); }));
  while (ran == 0) sched_yield();
  CHECK(ran >= due);
}

TEST(an_earlier_timer_replaces_the_one_that_is_slept_for) {
  std::atomic<size_t> dropped{0};
  std::atomic<bool> ran{false};
  TestPool pool(2);
  Ref<Sequence> sequence = pool.NewSequence();
  CHECK_OK(pool.PostDelayed(Now() + kHour, sequence, [] { CHECK(false); }, &dropped));
  while (pool->statistics().idle < 2) sched_yield();
  CHECK_OK(pool.PostDelayed(Now() + 1'000'000, sequence, [&] { ran = true; }));
  while (!ran) sched_yield();
  pool.Shutdown();
  CHECK_EQ(dropped.load(), 1u);
}

TEST(a_timer_is_kept_while_its_timekeeper_is_busy) {
  std::atomic<bool> ran{false}, release{false}, started{false};
  TestPool pool(2);
  Ref<Sequence> busy = pool.NewSequence(), sequence = pool.NewSequence();
  while (pool->statistics().idle < 2) sched_yield();
  CHECK_OK(pool.PostDelayed(Now() + 20'000'000, sequence, [&] {
    ran = true;
    release = true;
  }));
  // Takes whichever thread slept for the timer, or the other one; it waits for the timer.
  CHECK_OK(Post(busy.get(), [&] {
    started = true;
    while (!release) sched_yield();
  }));
  while (!ran || !started) sched_yield();  // in this order, if the threads were slow
}

TEST(a_timer_is_kept_by_those_that_stay_when_a_surplus_thread_ends) {
  // Three threads, of which one was added for a sequence that could block. Once that is over, the
  // first that is woken for the timer finds itself one too many and ends, but not the timer.
  auto pool = MakeRef<WorkerPool>(2);
  SequenceTraits may_block;
  may_block.may_block = true;
  auto blocking = MakeRef<Sequence>(Ref<Scheduler>(Ref<WorkerPool>(pool)), may_block);
  auto sequence = MakeRef<Sequence>(Ref<Scheduler>(Ref<WorkerPool>(pool)), SequenceTraits{});
  WorkerPool::Worker worker;
  pool->AddThread();
  CHECK_OK(Post(blocking.get(), [] {}));
  Ref<Sequence> taken = pool->TryNext(&worker);
  CHECK(taken);
  std::vector<std::thread> sleepers;
  for (size_t i = 1; i <= 2; ++i) {
    pool->AddThread();
    sleepers.emplace_back([&] { RunWorker(pool.get()); });
    while (pool->statistics().idle < i) sched_yield();
  }
  RunAll(taken.get());
  pool->Finish(std::move(taken));
  std::atomic<bool> ran{false};
  TimerQueue::Key key;
  {
    ApiCall call;
    CHECK_OK(pool->AddTimer(Now() + 1'000'000, sequence, new FunctionTask([&] { ran = true; }),
                            &key));
  }
  while (!ran) sched_yield();
  {
    ApiCall call;
    DropTasks(pool->Close());
  }
  for (std::thread& sleeper : sleepers) sleeper.join();
  CHECK(!pool->AwaitReady(&worker));
}

TEST(equal_times_keep_the_order_of_posting_on_several_threads) {
  // All threads look at the clock at the same time, and move the due timers to their sequence.
  constexpr size_t kTimers = 300;
  for (int round = 0; round < 30; ++round) {
    auto pool = MakeRef<WorkerPool>(3);
    auto sequence = MakeRef<Sequence>(Ref<Scheduler>(Ref<WorkerPool>(pool)), SequenceTraits{});
    std::vector<size_t> order;
    std::atomic<size_t> ran{0};
    const Time due = Now() + 500'000;
    for (size_t i = 0; i < kTimers; ++i) {
      ApiCall call;
      TimerQueue::Key key;
      CHECK_OK(pool->AddTimer(due, sequence, new FunctionTask([&, i] {
                                order.push_back(i);
                                ran.fetch_add(1);
                              }),
                              &key));
    }
    RunTogether(3, [&](size_t) {
      WorkerPool::Worker worker;
      pool->AddThread();
      while (ran < kTimers) {
        if (Ref<Sequence> taken = pool->TryNext(&worker)) RunSequence(pool.get(), std::move(taken));
      }
      ApiCall call;
      DropTasks(pool->Close());
      CHECK(!pool->AwaitReady(&worker));
    });
    for (size_t i = 0; i < kTimers; ++i) CHECK_EQ(order[i], i);
  }
}

}  // namespace mojo_seq::testing::worker_pool_timer_test
