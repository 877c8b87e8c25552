// A pool with threads that come and go, sequences of all kinds, posts from everywhere, timers that
// are set and removed. Each sequence runs one task at a time, in the order of posting.

#include <list>
#include <memory>

#include "check.h"
#include "random.h"
#include "tasks.h"
#include "threads.h"

namespace mojo_seq::testing::worker_pool_stress_test {

// A pool that starts threads when they are wanted, as the binding does.
class GrowingPool {
 public:
  explicit GrowingPool(size_t max_workers) : pool_(MakeRef<WorkerPool>(max_workers)) {}
  ~GrowingPool() { Shutdown(); }

  WorkerPool* get() const { return pool_.get(); }
  WorkerPool* operator->() const { return pool_.get(); }
  Ref<Sequence> NewSequence(SequenceTraits traits) {
    StartIfWanted();
    return MakeRef<Sequence>(Ref<Scheduler>(Ref<WorkerPool>(pool_)), traits);
  }
  void StartIfWanted() {
    if (pool_->WantsThread()) Start();
  }
  void Shutdown() {
    {
      ApiCall call;
      DropTasks(pool_->Close());
    }
    while (pool_->WaitDrained(kNever) != Result::kOk) {
    }
    for (std::list<std::thread> threads = TakeThreads(); !threads.empty();) {
      for (std::thread& thread : threads) thread.join();
      threads = TakeThreads();  // those that they have started
    }
  }

 private:
  std::list<std::thread> TakeThreads() {
    std::lock_guard<std::mutex> lock(mutex_);
    return std::exchange(threads_, {});
  }
  void Start() {
    std::lock_guard<std::mutex> lock(mutex_);
    if (++started_ % 5 == 0) {
      pool_->ThreadFailed();  // now and then the system has none
      return;
    }
    threads_.emplace_back([this] { RunWorker(pool_.get(), 4, [this] { Start(); }); });
  }

  const Ref<WorkerPool> pool_;
  std::mutex mutex_;
  size_t started_ = 0;              // mutex_
  std::list<std::thread> threads_;  // mutex_
};

struct CheckedSequence {
  explicit CheckedSequence(Ref<Sequence> sequence) : sequence(std::move(sequence)) {}
  void Enter() {
    CHECK(!inside.exchange(true));
    ++plain_counter;  // no lock: the sequence is one
  }
  void Leave() { inside = false; }

  const Ref<Sequence> sequence;
  std::atomic<bool> inside{false};
  size_t plain_counter = 0;
};

SequenceTraits RandomTraits(Random& random) {
  SequenceTraits traits;
  traits.priority = static_cast<Priority>(random.Below(3));
  traits.may_block = random.OneIn(4);
  traits.shutdown = ShutdownBehavior::kBlock;  // everything posted is to be run
  return traits;
}

TEST(sequences_exclude_themselves_under_posts_from_everywhere) {
  constexpr size_t kSequences = 12, kPosters = 3, kEach = 3'000;
  for (uint64_t round = 0; round < 3; ++round) {
    Random random(round);
    std::atomic<size_t> ran{0}, posted{0};
    std::vector<std::unique_ptr<CheckedSequence>> sequences;
    std::vector<std::vector<size_t>> last(kSequences, std::vector<size_t>(kPosters));
    {
      GrowingPool pool(3);
      for (size_t i = 0; i < kSequences; ++i) {
        sequences.push_back(
            std::make_unique<CheckedSequence>(pool.NewSequence(RandomTraits(random))));
      }
      RunTogether(kPosters, [&](size_t poster) {
        Random mine(100 * round + poster);
        for (size_t i = 1; i <= kEach; ++i) {
          const size_t index = mine.Below(kSequences);
          CheckedSequence* const checked = sequences[index].get();
          CheckedSequence* const next = sequences[mine.Below(kSequences)].get();
          const bool post_again = mine.OneIn(3);
          ++posted;
          CHECK_OK(Post(checked->sequence.get(), [&, checked, next, index, poster, post_again, i] {
            checked->Enter();
            CHECK(last[index][poster] < i);  // this poster's order
            last[index][poster] = i;
            ++ran;
            if (post_again) {
              ++posted;
              const Result result = Post(next->sequence.get(), [&, next] {
                next->Enter();
                ++ran;
                next->Leave();
              });
              if (result != Result::kOk) --posted;  // shut down meanwhile
            }
            checked->Leave();
          }));
          if (i % 64 == 0) pool.StartIfWanted();
        }
      });
    }
    CHECK_EQ(ran.load(), posted.load());
    size_t counted = 0;
    for (const auto& each : sequences) counted += each->plain_counter;
    CHECK_EQ(counted, ran.load());
  }
}

TEST(timers_are_set_and_removed_from_everywhere) {
  constexpr size_t kThreads = 3, kEach = 1'500;
  std::atomic<size_t> ran{0}, dropped{0};
  Random random(9);
  std::vector<std::unique_ptr<CheckedSequence>> sequences;
  {
    GrowingPool pool(2);
    for (int i = 0; i < 5; ++i) {
      sequences.push_back(
          std::make_unique<CheckedSequence>(pool.NewSequence(RandomTraits(random))));
    }
    RunTogether(kThreads, [&](size_t thread) {
      Random mine(thread);
      std::vector<TimerQueue::Key> keys;
      for (size_t i = 0; i < kEach; ++i) {
        CheckedSequence* const checked = sequences[mine.Below(sequences.size())].get();
        TimerQueue::Key key;
        {
          ApiCall call;
          auto* const task = new FunctionTask(
              [&, checked] {
                checked->Enter();
                ++ran;
                checked->Leave();
              },
              &dropped);
          CHECK_OK(pool->AddTimer(Now() + static_cast<Time>(mine.Below(300'000)),
                                  checked->sequence, task, &key));
        }
        keys.push_back(key);
        if (mine.OneIn(3)) {
          const size_t which = mine.Below(keys.size());
          delete pool->RemoveTimer(keys[which]);
        }
        if (i % 32 == 0) {
          pool.StartIfWanted();
          CHECK_OK(Post(checked->sequence.get(), [checked] {
            checked->Enter();
            checked->Leave();
          }));
        }
      }
    });
    while (ran + dropped < kThreads * kEach) {
      pool.StartIfWanted();
      sched_yield();
    }
  }
  CHECK_EQ(ran + dropped, kThreads * kEach);
}

TEST(a_sequence_and_its_pusher_never_lose_each_other) {
  // One task at a time, each posted when the one before has run: every push races with the end of
  // a turn, and a lost one is a hang.
  std::atomic<size_t> ran{0};
  TestPool pool(2);
  Ref<Sequence> sequence = pool.NewSequence();
  for (size_t i = 1; i <= 20'000; ++i) {
    CHECK_OK(Post(sequence.get(), [&] { ++ran; }));
    while (ran < i) sched_yield();
  }
}

TEST(tasks_that_wait_for_other_sequences_find_threads) {
  // Each blocking task waits for a task on another sequence; the pool must grow for that.
  std::atomic<int> finished{0};
  GrowingPool pool(1);
  SequenceTraits may_block;
  may_block.may_block = true;
  std::vector<Ref<Sequence>> sequences;
  for (int i = 0; i < 8; ++i) {
    auto done = std::make_shared<std::atomic<bool>>(false);
    sequences.push_back(pool.NewSequence(may_block));
    sequences.push_back(pool.NewSequence({}));
    CHECK_OK(Post(sequences[2 * i].get(), [&finished, done] {
      while (!*done) sched_yield();
      ++finished;
    }));
    CHECK_OK(Post(sequences[2 * i + 1].get(), [done] { *done = true; }));
    pool.StartIfWanted();
  }
  while (finished < 8) {
    pool.StartIfWanted();
    sched_yield();
  }
}

}  // namespace mojo_seq::testing::worker_pool_stress_test
