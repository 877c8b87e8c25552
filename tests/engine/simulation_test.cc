// Simulation and SimulatedScheduler. Public contract §13.

#include "simulation.h"

#include <algorithm>
#include <string>

#include "check.h"
#include "tasks.h"
#include "threads.h"

namespace mojo_seq::testing::simulation_test {

using Turn = Simulation::Turn;

// A simulation with one pool, and what the binding does with it.
struct World {
  explicit World(Ref<Simulation> made, size_t max_running = 1'000)
      : simulation(std::move(made)), pool(NewPool(max_running)) {}
  ~World() { Drop(simulation->Stop()); }

  Ref<SimulatedScheduler> NewPool(size_t max_running) const {
    return MakeRef<SimulatedScheduler>(Ref<Simulation>(simulation), max_running);
  }
  Ref<Sequence> NewSequence(SequenceTraits traits = {}) const { return NewSequenceOf(pool, traits); }
  static Ref<Sequence> NewSequenceOf(const Ref<SimulatedScheduler>& scheduler,
                                     SequenceTraits traits = {}) {
    return MakeRef<Sequence>(Ref<Scheduler>(Ref<SimulatedScheduler>(scheduler)), traits);
  }
  Result PostAt(Time due, const Ref<Sequence>& sequence, std::function<void()> run,
                TimerQueue::Key* key = nullptr) {
    auto* const task = new FunctionTask(std::move(run), &dropped);
    TimerQueue::Key ignored;
    const Result result = pool->AddTimer(due, sequence, task, key ? key : &ignored);
    if (result != Result::kOk) delete task;
    return result;
  }
  // One step. False: there was nothing to run.
  bool Step() const {
    Ref<Sequence> sequence;
    const Turn turn = simulation->Next(false, false, &sequence);
    if (turn == Turn::kNone) return false;
    CHECK_EQ(turn, Turn::kTask);
    RunTask(sequence->Pop());
    simulation->Finish(std::move(sequence));
    FlushWakes();
    return true;
  }
  void RunUntilIdle() const {
    while (Step()) {
    }
  }
  static void Drop(Task* task) {
    ApiCall call;
    DropTasks(task);
  }

  Ref<Simulation> simulation;
  Ref<SimulatedScheduler> pool;
  std::atomic<size_t> dropped{0};
};

// What `tasks` tasks on each of `sequences` sequences write, in the order in which they run.
std::string Run(const World& world, int sequences, int tasks) {
  std::string order;
  std::vector<Ref<Sequence>> all;
  for (int i = 0; i < sequences; ++i) all.push_back(world.NewSequence());
  for (int task = 0; task < tasks; ++task) {
    for (int i = 0; i < sequences; ++i) {
      CHECK_OK(Post(all[i].get(), [&order, i] { order += static_cast<char>('a' + i); }));
    }
  }
  world.RunUntilIdle();
  return order;
}

TEST(without_a_seed_the_longest_ready_goes_first) {
  const World world(MakeRef<Simulation>());
  CHECK_EQ(Run(world, 3, 3), "abcabcabc");
}

TEST(a_seed_chooses_the_order_and_always_the_same) {
  const std::string first = Run(World(MakeRef<Simulation>(7u)), 4, 4);
  CHECK_EQ(first.size(), 16u);
  CHECK_EQ(Run(World(MakeRef<Simulation>(7u)), 4, 4), first);
  int different = 0;
  for (uint64_t seed = 0; seed < 20; ++seed) {
    different += Run(World(MakeRef<Simulation>(seed)), 4, 4) != first;
  }
  CHECK(different >= 19);
}

TEST(every_order_of_three_is_found) {
  std::vector<std::string> found;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const std::string order = Run(World(MakeRef<Simulation>(seed)), 3, 1);
    if (std::find(found.begin(), found.end(), order) == found.end()) found.push_back(order);
  }
  CHECK_EQ(found.size(), 6u);
}

TEST(a_schedule_is_repeated) {
  const World seeded(MakeRef<Simulation>(3u));
  const std::string order = Run(seeded, 4, 3);
  const World replayed(MakeRef<Simulation>(seeded.simulation->choices()));
  CHECK_EQ(Run(replayed, 4, 3), order);
  CHECK(replayed.simulation->choices() == seeded.simulation->choices());
  CHECK_EQ(Run(replayed, 3, 2), "abcabc");  // past its end
}

TEST(a_schedule_that_does_not_fit_is_noticed) {
  const World world(MakeRef<Simulation>(std::vector<uint32_t>{5}));
  Ref<Sequence> a = world.NewSequence(), b = world.NewSequence(), taken;
  for (Ref<Sequence>* each : {&a, &b}) CHECK_OK(Post(each->get(), [] {}));
  CHECK_EQ(world.simulation->Next(false, false, &taken), Turn::kMisfit);
  CHECK(!taken);
}

TEST(a_choice_of_one_is_not_written_down) {
  const World world(MakeRef<Simulation>(1u));
  CHECK_EQ(Run(world, 1, 5), "aaaaa");
  CHECK(world.simulation->choices().empty());
}

TEST(the_caller_is_one_of_those_who_can_go_on) {
  int callers = 0;
  for (uint64_t seed = 0; seed < 100; ++seed) {
    const World world(MakeRef<Simulation>(seed));
    Ref<Sequence> sequence = world.NewSequence(), taken;
    CHECK_OK(Post(sequence.get(), [] {}));
    if (world.simulation->Next(true, false, &taken) == Turn::kCaller) {
      ++callers;
    } else {
      world.simulation->Finish(std::move(taken));
    }
  }
  CHECK(callers > 20 && callers < 80);
  const World world(MakeRef<Simulation>());
  Ref<Sequence> taken;
  CHECK_EQ(world.simulation->Next(true, false, &taken), Turn::kCaller);
  CHECK_EQ(world.simulation->Next(false, false, &taken), Turn::kNone);
}

TEST(the_newest_can_be_the_first) {
  const World world(MakeRef<Simulation>());
  std::vector<Ref<Sequence>> all;
  for (int i = 0; i < 3; ++i) {
    all.push_back(world.NewSequence());
    CHECK_OK(Post(all[i].get(), [] {}));
  }
  Ref<Sequence> taken;
  CHECK_EQ(world.simulation->Next(false, true, &taken), Turn::kTask);
  CHECK(taken.get() == all[2].get());
  CHECK(world.simulation->choices() == std::vector<uint32_t>{0});
  RunTask(taken->Pop());
  world.simulation->Finish(std::move(taken));
  CHECK_EQ(world.simulation->Next(true, true, &taken), Turn::kCaller);
}

TEST(a_sequence_in_a_task_is_not_chosen_again) {
  const World world(MakeRef<Simulation>());
  Ref<Sequence> sequence = world.NewSequence(), taken, second;
  for (int i = 0; i < 2; ++i) CHECK_OK(Post(sequence.get(), [] {}));
  CHECK_EQ(world.simulation->Next(false, false, &taken), Turn::kTask);
  RunTask(taken->Pop());
  CHECK_EQ(world.simulation->Next(false, false, &second), Turn::kNone);
  CHECK_OK(Post(sequence.get(), [] {}));
  CHECK_EQ(world.simulation->Next(false, false, &second), Turn::kNone);
  CHECK_EQ(world.simulation->Blocked().size(), 1u);
  world.simulation->Finish(std::move(taken));
  CHECK(world.Step());
  CHECK(world.Step());
  CHECK(!world.Step());
}

TEST(time_moves_when_told_and_timers_run_in_order) {
  World world(MakeRef<Simulation>());
  std::string order;
  Ref<Sequence> a = world.NewSequence(), b = world.NewSequence();
  CHECK_EQ(world.simulation->now(), 0);
  CHECK_EQ(world.simulation->next_timer(), kNever);
  CHECK_OK(world.PostAt(20, a, [&] { order += '3'; }));
  CHECK_OK(world.PostAt(10, b, [&] { order += '1'; }));
  CHECK_OK(world.PostAt(10, a, [&] { order += '2'; }));
  CHECK(!world.Step());
  CHECK_EQ(world.simulation->next_timer(), 10);
  world.simulation->AdvanceTo(10);
  world.RunUntilIdle();
  CHECK_EQ(order, "12");
  world.simulation->AdvanceTo(5);  // never back
  CHECK_EQ(world.simulation->now(), 10);
  world.simulation->AdvanceTo(1'000);
  world.RunUntilIdle();
  CHECK_EQ(order, "123");
  CHECK_EQ(world.simulation->now(), 1'000);
}

TEST(a_removed_timer_does_not_run) {
  World world(MakeRef<Simulation>());
  Ref<Sequence> sequence = world.NewSequence();
  TimerQueue::Key key;
  CHECK_OK(world.PostAt(10, sequence, [] { CHECK(false); }, &key));
  CHECK_EQ(world.pool->statistics().delayed, 1u);
  delete world.pool->RemoveTimer(key);
  CHECK(!world.pool->RemoveTimer(key));
  CHECK_EQ(world.pool->statistics().delayed, 0u);
  world.simulation->AdvanceTo(10);
  CHECK(!world.Step());
}

TEST(no_more_sequences_run_than_there_are_workers) {
  const World world(MakeRef<Simulation>(), 1);
  Ref<Sequence> a = world.NewSequence(), b = world.NewSequence(), taken, second;
  for (Ref<Sequence>* each : {&a, &b}) CHECK_OK(Post(each->get(), [] {}));
  CHECK_EQ(world.simulation->Next(false, false, &taken), Turn::kTask);
  RunTask(taken->Pop());
  CHECK_EQ(world.simulation->Next(false, false, &second), Turn::kNone);
  CHECK_EQ(world.simulation->Blocked().size(), 2u);
  const Ref<SimulatedScheduler> other = world.NewPool(1);
  Ref<Sequence> c = World::NewSequenceOf(other);
  CHECK_OK(Post(c.get(), [] {}));
  CHECK_EQ(world.simulation->Next(false, false, &second), Turn::kTask);  // it has its own
  CHECK(second.get() == c.get());
  RunTask(second->Pop());
  world.simulation->Finish(std::move(second));
  world.simulation->Finish(std::move(taken));
  CHECK(world.Step());
}

TEST(a_sequence_that_may_block_allows_for_another) {
  const World world(MakeRef<Simulation>(), 1);
  SequenceTraits traits;
  traits.may_block = true;
  Ref<Sequence> a = world.NewSequence(traits), b = world.NewSequence(), taken, second;
  for (Ref<Sequence>* each : {&a, &b}) CHECK_OK(Post(each->get(), [] {}));
  CHECK_EQ(world.simulation->Next(false, false, &taken), Turn::kTask);
  CHECK_EQ(world.simulation->Next(false, false, &second), Turn::kTask);
  for (Ref<Sequence>* each : {&taken, &second}) {
    RunTask((*each)->Pop());
    world.simulation->Finish(std::move(*each));
  }
}

TEST(one_worker_takes_the_highest_priority_first) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const World world(MakeRef<Simulation>(seed), 1);
    std::string order;
    for (const Priority priority :
         {Priority::kBestEffort, Priority::kUserBlocking, Priority::kUserVisible}) {
      SequenceTraits traits;
      traits.priority = priority;
      const char name = "lmh"[static_cast<int>(priority)];
      CHECK_OK(Post(world.NewSequence(traits).get(), [&order, name] { order += name; }));
    }
    world.RunUntilIdle();
    CHECK_EQ(order, "hml");
  }
}

TEST(a_suspended_scheduler_keeps_its_tasks) {
  const World world(MakeRef<Simulation>());
  Ref<Sequence> sequence = world.NewSequence();
  int ran = 0;
  CHECK_OK(Post(sequence.get(), [&] { ++ran; }));
  world.pool->Suspend();
  CHECK_OK(Post(world.NewSequence().get(), [&] { ++ran; }));
  world.RunUntilIdle();
  CHECK_EQ(ran, 0);
  CHECK_EQ(world.simulation->Blocked().size(), 2u);
  world.pool->Resume();
  world.RunUntilIdle();
  CHECK_EQ(ran, 2);
}

TEST(closing_drops_all_but_what_blocks_a_shutdown) {
  World world(MakeRef<Simulation>());
  SequenceTraits blocking;
  blocking.shutdown = ShutdownBehavior::kBlock;
  Ref<Sequence> skipped = world.NewSequence(), kept = world.NewSequence(blocking);
  const Ref<SimulatedScheduler> other = world.NewPool(1);
  Ref<Sequence> elsewhere = World::NewSequenceOf(other);
  int ran = 0;
  CHECK_OK(Post(skipped.get(), [] { CHECK(false); }, &world.dropped));
  CHECK_OK(Post(kept.get(), [&] { ++ran; }));
  CHECK_OK(Post(elsewhere.get(), [&] { ++ran; }));
  CHECK_OK(world.PostAt(10, kept, [] { CHECK(false); }));
  World::Drop(world.pool->Close());
  CHECK_EQ(world.dropped.load(), 2u);
  CHECK_EQ(Post(kept.get(), [] {}), Result::kFailedPrecondition);
  CHECK_EQ(world.PostAt(0, kept, [] {}), Result::kFailedPrecondition);
  CHECK(!world.pool->IsDrained());
  world.RunUntilIdle();
  CHECK_EQ(ran, 2);
  CHECK(world.pool->IsDrained());
  CHECK_OK(Post(elsewhere.get(), [] {}));
}

TEST(a_shutdown_waits_for_what_runs_unless_it_continues) {
  for (const ShutdownBehavior behavior : {ShutdownBehavior::kSkip, ShutdownBehavior::kContinue}) {
    const World world(MakeRef<Simulation>());
    SequenceTraits traits;
    traits.shutdown = behavior;
    Ref<Sequence> sequence = world.NewSequence(traits), taken;
    std::atomic<size_t> dropped{0};
    CHECK_OK(Post(sequence.get(), [] {}));
    CHECK_OK(Post(sequence.get(), [] { CHECK(false); }, &dropped));
    CHECK_EQ(world.simulation->Next(false, false, &taken), Turn::kTask);
    RunTask(taken->Pop());
    World::Drop(world.pool->Close());
    CHECK_EQ(dropped.load(), 1u);
    CHECK_EQ(world.pool->IsDrained(), behavior == ShutdownBehavior::kContinue);
    world.simulation->Finish(std::move(taken));
    CHECK(world.pool->IsDrained());
  }
}

TEST(stopping_drops_everything) {
  World world(MakeRef<Simulation>());
  const Ref<SimulatedScheduler> loop = world.NewPool(1);
  loop->Suspend();
  Ref<Sequence> parked = World::NewSequenceOf(loop), ready = world.NewSequence();
  CHECK_OK(Post(parked.get(), [] { CHECK(false); }, &world.dropped));
  CHECK_OK(Post(ready.get(), [] { CHECK(false); }, &world.dropped));
  CHECK_OK(world.PostAt(10, ready, [] { CHECK(false); }));
  World::Drop(world.simulation->Stop());
  CHECK_EQ(world.dropped.load(), 3u);
  CHECK_EQ(Post(ready.get(), [] {}), Result::kFailedPrecondition);
  CHECK_EQ(world.PostAt(0, ready, [] {}), Result::kFailedPrecondition);
  CHECK(!world.Step());
}

TEST(other_threads_push_and_wake_the_owner) {
  const World world(MakeRef<Simulation>(5u));
  Ref<Sequence> a = world.NewSequence(), b = world.NewSequence();
  constexpr size_t kThreads = 3, kTasks = 500;
  size_t ran = 0;
  std::thread posters([&] {
    RunTogether(kThreads, [&](size_t thread) {
      for (size_t i = 0; i < kTasks; ++i) {
        CHECK_OK(Post((thread + i) % 2 ? a.get() : b.get(), [&] { ++ran; }));
      }
    });
  });
  while (ran < kThreads * kTasks) {
    if (!world.Step()) world.simulation->AwaitPush(Now() + 1'000'000'000);
  }
  posters.join();
  CHECK_EQ(world.simulation->AwaitPush(Now()), Wake::kTimedOut);
}

TEST(posting_races_with_closing_and_stopping) {
  // Whatever was accepted runs or is dropped, once.
  for (int round = 0; round < 300; ++round) {
    World world(MakeRef<Simulation>(static_cast<uint64_t>(round)));
    Ref<Sequence> sequence = world.NewSequence();
    std::atomic<size_t> ran{0}, accepted{0}, refused{0};
    std::thread poster([&] {
      for (int i = 0; i < 40; ++i) {
        const Result result = Post(sequence.get(), [&] { ++ran; }, &world.dropped);
        ++(result == Result::kOk ? accepted : refused);
      }
    });
    for (int i = 0; i < round % 20; ++i) world.Step();
    World::Drop(round % 2 ? world.pool->Close() : world.simulation->Stop());
    poster.join();
    world.RunUntilIdle();
    CHECK_EQ(ran + world.dropped, accepted + refused);
    CHECK(accepted >= ran);
  }
}

}  // namespace mojo_seq::testing::simulation_test
