// WorkerPool: tasks that wait for others of the same pool, and threads that make work themselves.

#include "worker_pool.h"

#include <atomic>
#include <mutex>
#include <thread>
#include <vector>

#include "check.h"
#include "event.h"
#include "tasks.h"
#include "threads.h"

namespace mojo_seq::testing::worker_pool_block_test {

TEST(a_blocked_task_allows_for_one_more_thread) {
  auto pool = MakeRef<WorkerPool>(1);
  pool->AddThread();
  WorkerPool::Worker worker;
  auto sequence = MakeRef<Sequence>(Ref<Scheduler>(Ref<WorkerPool>(pool)), SequenceTraits{});
  CHECK_OK(Post(sequence.get(), [] {}));
  Ref<Sequence> taken = pool->TryNext(&worker);
  CHECK(taken);
  CHECK(!pool->WantsThread());
  CHECK(pool->BeginBlock());
  CHECK(pool->WantsThread());
  CHECK(!pool->WantsThread());  // that one is on its way
  pool->ThreadFailed();
  pool->EndBlock();
  CHECK(!pool->WantsThread());
  RunSequence(pool.get(), std::move(taken));
  DropTasks(pool->Close());
  CHECK(!pool->AwaitReady(&worker));
}

TEST(there_is_an_end_to_blocking) {
  auto pool = MakeRef<WorkerPool>(1);
  size_t blocked = 0;
  while (pool->BeginBlock()) ++blocked;
  CHECK(blocked >= 1'000);
  CHECK(!pool->BeginBlock());
  pool->EndBlock();
  CHECK(pool->BeginBlock());
  for (size_t i = 0; i < blocked; ++i) pool->EndBlock();
}

TEST(a_chain_of_blocking_tasks_finds_its_threads) {
  // Each task posts the next one and sleeps until that has run; the pool has one thread to begin
  // with, and starts others only because of the blocks.
  constexpr int kLength = 50;
  auto pool = MakeRef<WorkerPool>(1);
  std::mutex mutex;
  std::vector<std::thread> threads;  // mutex
  std::vector<Ref<Sequence>> sequences;
  std::vector<Ref<Event>> done;
  for (int i = 0; i < kLength; ++i) {
    sequences.push_back(
        MakeRef<Sequence>(Ref<Scheduler>(Ref<WorkerPool>(pool)), SequenceTraits{}));
    done.push_back(MakeRef<Event>());
  }
  std::function<void()> start_thread = [&] {
    std::lock_guard<std::mutex> lock(mutex);
    threads.emplace_back([&] { RunWorker(pool.get(), 16, start_thread); });
  };
  std::function<void(int)> run = [&](int i) {
    if (i + 1 < kLength) {
      CHECK_OK(Post(sequences[i + 1].get(), [&run, i] { run(i + 1); }));
      CHECK(pool->BeginBlock());
      if (pool->WantsThread()) start_thread();
      while (!done[i + 1]->IsSet()) done[i + 1]->Wait(kNever);
      pool->EndBlock();
    }
    if (done[i]->Set()) done[i]->Wake();
  };
  CHECK_OK(Post(sequences[0].get(), [&run] { run(0); }));
  if (pool->WantsThread()) start_thread();
  while (!done[0]->IsSet()) done[0]->Wait(kNever);
  DropTasks(pool->Close());
  FlushWakes();
  while (pool->WaitDrained(kNever) != Result::kOk) {
  }
  for (;;) {
    std::vector<std::thread> ended;
    {
      std::lock_guard<std::mutex> lock(mutex);
      ended.swap(threads);
    }
    if (ended.empty()) break;
    for (std::thread& thread : ended) thread.join();
  }
}

TEST(what_a_serving_thread_makes_ready_it_runs_itself) {
  std::thread::id ran;  // the sequence's tasks', as the next
  int last = -1;
  TestPool pool(1);
  Ref<Sequence> sequence = pool.NewSequence();
  WorkerPool::Worker worker(false);
  constexpr int kTasks = 200;
  for (int i = 0; i < kTasks; ++i) {
    pool->Search(&worker);
    CHECK_OK(Post(sequence.get(), [&, i] {
      ran = std::this_thread::get_id();
      last = i;
    }));
    Ref<Sequence> taken = pool->TryNext(&worker);
    if (!taken) continue;  // a pool's thread that was awake was faster
    RunSequence(pool.get(), std::move(taken), kTasks);  // also what that one has left
    CHECK_EQ(last, i);
    CHECK(ran == std::this_thread::get_id());
    CHECK(!pool->TryNext(&worker));
    pool->Rest(&worker);
  }
  pool->Rest(&worker);
}

TEST(what_a_serving_thread_leaves_others_run) {
  TestPool pool(2);
  WorkerPool::Worker worker(false);
  std::atomic<int> ran{0};
  auto all = MakeRef<Event>();
  std::vector<Ref<Sequence>> sequences;
  pool->Search(&worker);
  for (int i = 0; i < 100; ++i) {
    sequences.push_back(pool.NewSequence());
    CHECK_OK(Post(sequences.back().get(), [&] {
      if (++ran == 100 && all->Set()) all->Wake();
    }));
  }
  pool->Rest(&worker);  // takes nothing, and says so
  while (!all->IsSet()) all->Wait(kNever);
  pool.Shutdown();  // the last task may still be about to return
}

}  // namespace mojo_seq::testing::worker_pool_block_test
