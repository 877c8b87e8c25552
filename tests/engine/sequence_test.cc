// Sequence and TimerQueue. Public contract §8.

#include "sequence.h"

#include "check.h"
#include "run_loop.h"
#include "tasks.h"
#include "threads.h"

namespace mojo_seq::testing::sequence_test {

// A scheduler that writes down what it is asked.
struct FakeScheduler : public Scheduler {
  bool Schedule(Sequence*) override {
    if (closing()) return false;
    ++scheduled;
    return true;
  }
  void Reschedule(Sequence*) override { ++rescheduled; }
  void Close() { closing_ = true; }
  int scheduled = 0, rescheduled = 0;
};

struct Fixture {
  Ref<FakeScheduler> scheduler = MakeRef<FakeScheduler>();
  Ref<Sequence> sequence =
      MakeRef<Sequence>(Ref<Scheduler>(Ref<FakeScheduler>(scheduler)), SequenceTraits{});
};

void Nothing() {}

TEST(tasks_come_out_in_order) {
  Fixture fixture;
  std::vector<int> order;
  for (int i = 0; i < 10; ++i) {
    CHECK_OK(Post(fixture.sequence.get(), [&, i] { order.push_back(i); }));
  }
  CHECK_EQ(RunAll(fixture.sequence.get()), 10u);
  for (int i = 0; i < 10; ++i) CHECK_EQ(order[i], i);
}

TEST(it_is_scheduled_once_until_it_is_idle) {
  Fixture fixture;
  for (int i = 0; i < 3; ++i) CHECK_OK(Post(fixture.sequence.get(), Nothing));
  CHECK_EQ(fixture.scheduler->scheduled, 1);
  CHECK_EQ(RunAll(fixture.sequence.get()), 3u);
  CHECK_OK(Post(fixture.sequence.get(), Nothing));
  CHECK_EQ(fixture.scheduler->scheduled, 2);
  RunTask(fixture.sequence->Pop());
  CHECK_OK(Post(fixture.sequence.get(), Nothing));  // nobody found it empty in between
  CHECK_EQ(fixture.scheduler->scheduled, 2);
}

TEST(after_a_shutdown_a_push_stays_with_the_caller) {
  Fixture fixture;
  CHECK_OK(Post(fixture.sequence.get(), Nothing));
  fixture.scheduler->Close();
  auto* const task = new FunctionTask(Nothing);
  CHECK_EQ(fixture.sequence->Push(task), Result::kFailedPrecondition);
  RunTask(task);
  CHECK_EQ(RunAll(fixture.sequence.get()), 1u);
}

TEST(a_task_that_was_held_back_is_never_refused) {
  Fixture fixture;
  fixture.scheduler->Close();
  std::atomic<size_t> dropped{0};
  fixture.sequence->Requeue(new FunctionTask(Nothing, &dropped));
  fixture.sequence->Requeue(new FunctionTask(Nothing, &dropped));
  CHECK_EQ(fixture.scheduler->rescheduled, 1);
  CHECK_EQ(RunAll(fixture.sequence.get()), 2u);
  CHECK_EQ(dropped.load(), 0u);
}

TEST(what_is_queued_dies_with_the_sequence) {
  std::atomic<size_t> dropped{0};
  {
    Fixture fixture;
    for (int i = 0; i < 3; ++i) CHECK_OK(Post(fixture.sequence.get(), Nothing, &dropped));
  }
  CHECK_EQ(dropped.load(), 3u);
}

TEST(taking_all_leaves_it_idle) {
  Fixture fixture;
  std::atomic<size_t> dropped{0};
  for (int i = 0; i < 3; ++i) CHECK_OK(Post(fixture.sequence.get(), Nothing, &dropped));
  DropTasks(fixture.sequence->TakeAll());
  CHECK_EQ(dropped.load(), 3u);
  CHECK(!fixture.sequence->TakeAll());
  CHECK_OK(Post(fixture.sequence.get(), Nothing));
  CHECK_EQ(fixture.scheduler->scheduled, 2);
}

int CountTask(Task*, void* arg) { return ++*static_cast<int*>(arg) == 2 ? 7 : 0; }

TEST(queued_tasks_can_be_visited) {
  Fixture fixture;
  int seen = 0;
  CHECK_EQ(fixture.sequence->VisitTasks(CountTask, &seen), 0);
  CHECK_EQ(seen, 0);
  for (int i = 0; i < 3; ++i) CHECK_OK(Post(fixture.sequence.get(), Nothing));
  CHECK_EQ(fixture.sequence->VisitTasks(CountTask, &seen), 7);
  CHECK_EQ(seen, 2);  // stopped there
}

TEST(threads_push_while_one_pops) {
  Fixture fixture;
  constexpr size_t kThreads = 3, kEach = 10'000;
  std::vector<size_t> last(kThreads);
  size_t ran = 0;
  RunTogether(kThreads + 1, [&](size_t thread) {
    if (thread == kThreads) {
      while (ran < kThreads * kEach) ran += RunAll(fixture.sequence.get());
      return;
    }
    for (size_t i = 1; i <= kEach; ++i) {
      // Each poster's tasks keep their order.
      CHECK_OK(Post(fixture.sequence.get(), [&, thread, i] {
        CHECK_EQ(last[thread] + 1, i);
        last[thread] = i;
      }));
    }
  });
  CHECK_EQ(ran, kThreads * kEach);
}

// --- timers ---

TEST(timers_come_by_time_then_by_order_of_posting) {
  Fixture fixture;
  TimerQueue timers;
  std::vector<int> order;
  const auto add = [&](Time due, int name) {
    timers.Add(due, fixture.sequence, new FunctionTask([&order, name] { order.push_back(name); }));
  };
  CHECK_EQ(timers.next(), kNever);
  add(30, 3);
  add(10, 0);
  add(20, 1);
  add(20, 2);
  add(40, 4);
  CHECK_EQ(timers.next(), 10);
  Ref<Sequence> sequence;
  Task* task;
  CHECK(!timers.TakeDue(9, &sequence, &task));
  while (timers.TakeDue(30, &sequence, &task)) {
    CHECK(sequence.get() == fixture.sequence.get());
    RunTask(task);
  }
  CHECK_EQ(order.size(), 4u);
  for (int i = 0; i < 4; ++i) CHECK_EQ(order[i], i);
  CHECK_EQ(timers.next(), 40);
}

TEST(a_timer_is_removed_once) {
  Fixture fixture;
  TimerQueue timers;
  const TimerQueue::Key key = timers.Add(10, fixture.sequence, new FunctionTask(Nothing));
  const TimerQueue::Key equal = timers.Add(10, fixture.sequence, new FunctionTask(Nothing));
  CHECK(key != equal);
  Ref<Sequence> sequence;
  Task* const task = timers.Remove(key, &sequence);
  CHECK(task);
  CHECK(sequence.get() == fixture.sequence.get());
  delete task;
  CHECK(!timers.Remove(key, &sequence));
  int seen = 0;
  CHECK_EQ(timers.VisitTasks(CountTask, &seen), 0);
  CHECK_EQ(seen, 1);
}

TEST(taking_all_timers_keeps_their_order) {
  Fixture fixture;
  TimerQueue timers;
  std::vector<int> order;
  for (int i : {2, 0, 1}) {
    timers.Add(i, fixture.sequence, new FunctionTask([&order, i] { order.push_back(i); }));
  }
  std::vector<Ref<Sequence>> sequences;
  for (Task* task = timers.TakeAll(&sequences); task;) {
    Task* const next = task->next;
    RunTask(task);
    task = next;
  }
  CHECK_EQ(timers.next(), kNever);
  CHECK_EQ(sequences.size(), 3u);
  for (int i = 0; i < 3; ++i) CHECK_EQ(order[i], i);
}

TEST(timers_left_die_with_their_queue) {
  Fixture fixture;
  std::atomic<size_t> dropped{0};
  {
    TimerQueue timers;
    timers.Add(10, fixture.sequence, new FunctionTask(Nothing, &dropped));
  }
  CHECK_EQ(dropped.load(), 1u);
}

}  // namespace mojo_seq::testing::sequence_test
