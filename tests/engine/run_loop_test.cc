// RunLoop and WakeupFd: sequences of one thread. Public contract §8.

#include "run_loop.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>

#include "check.h"
#include "tasks.h"
#include "threads.h"

namespace mojo_seq::testing::run_loop_test {

constexpr Time kHour = INT64_C(3'600'000'000'000);

// The loop of the binding, without Python.
struct Loop {
  void Run(bool until_idle = false) {
    while (!loop->TakeQuit()) {
      loop->RunTimers();
      if (loop->closing()) break;
      if (Task* task = sequence->Pop()) {
        RunTask(task);
        continue;
      }
      if (until_idle) break;
      loop->Wait(kNever);
    }
    FlushWakes();
    if (loop->closing()) DropTasks(sequence->TakeAll());
  }
  void Quit() const {
    ApiCall call;
    loop->Quit();
  }
  void Close() const {
    ApiCall call;
    DropTasks(loop->Close());
    DropTasks(sequence->TakeAll());
  }
  Result PostDelayed(Time due, std::function<void()> run, TimerQueue::Key* key = nullptr,
                     std::atomic<size_t>* dropped = nullptr) const {
    ApiCall call;
    auto* const task = new FunctionTask(std::move(run), dropped);
    TimerQueue::Key ignored;
    const Result result = loop->AddTimer(due, sequence, task, key ? key : &ignored);
    if (result != Result::kOk) delete task;
    return result;
  }

  Ref<RunLoop> loop = MakeRef<RunLoop>();
  Ref<Sequence> sequence =
      MakeRef<Sequence>(Ref<Scheduler>(Ref<RunLoop>(loop)), SequenceTraits{});
};

TEST(it_runs_what_is_posted_until_it_is_told_to_quit) {
  Loop loop;
  int ran = 0;
  for (int i = 0; i < 3; ++i) {
    CHECK_OK(Post(loop.sequence.get(), [&] {
      if (++ran == 2) loop.Quit();
    }));
  }
  loop.Run();
  CHECK_EQ(ran, 2);  // it ends after the task that it was in
  loop.Run(true);
  CHECK_EQ(ran, 3);
}

TEST(quit_before_run_ends_the_next_run) {
  Loop loop;
  bool ran = false;
  CHECK_OK(Post(loop.sequence.get(), [&] { ran = true; }));
  loop.Quit();
  loop.Quit();  // no counting
  loop.Run();
  CHECK(!ran);
  loop.Run(true);
  CHECK(ran);
}

TEST(posts_and_quit_from_another_thread_wake_it) {
  for (int round = 0; round < 300; ++round) {
    Loop loop;
    bool ran = false;
    Blocker runner([&] { loop.Run(); });
    if (round % 2) runner.WaitUntilAsleep();
    CHECK_OK(Post(loop.sequence.get(), [&] { ran = true; }));
    if (round % 4 < 2) runner.WaitUntilAsleep();
    CHECK_OK(Post(loop.sequence.get(), [&] { loop.Quit(); }));
    runner.Join();
    CHECK(ran);
  }
}

TEST(quit_alone_wakes_it) {
  for (int round = 0; round < 300; ++round) {
    Loop loop;
    Blocker runner([&] { loop.Run(); });
    if (round % 2) runner.WaitUntilAsleep();
    loop.Quit();
  }
}

TEST(close_alone_wakes_it) {
  for (int round = 0; round < 300; ++round) {
    Loop loop;
    std::atomic<size_t> dropped{0};
    CHECK_OK(loop.PostDelayed(Now() + kHour, [] { CHECK(false); }, nullptr, &dropped));
    Blocker runner([&] { loop.Run(); });
    if (round % 2) runner.WaitUntilAsleep();
    loop.Close();
    runner.Join();
    CHECK_EQ(dropped.load(), 1u);
  }
}

TEST(after_close_nothing_is_accepted) {
  Loop loop;
  std::atomic<size_t> dropped{0};
  CHECK_OK(Post(loop.sequence.get(), [] { CHECK(false); }, &dropped));
  loop.Close();
  CHECK_EQ(dropped.load(), 1u);
  CHECK_EQ(Post(loop.sequence.get(), [] {}), Result::kFailedPrecondition);
  CHECK_EQ(loop.PostDelayed(0, [] {}), Result::kFailedPrecondition);
}

TEST(timers_run_when_due_and_in_order) {
  Loop loop;
  std::vector<int> order;
  const Time now = Now();
  const Time due = now + 2'000'000;
  CHECK_OK(loop.PostDelayed(due, [&] { order.push_back(1); }));
  CHECK_OK(loop.PostDelayed(due, [&] {
    CHECK(Now() >= due);
    order.push_back(2);
    loop.Quit();
  }));
  CHECK_OK(loop.PostDelayed(now, [&] { order.push_back(0); }));
  CHECK_EQ(loop.loop->next_timer(), now);
  loop.Run();
  CHECK_EQ(order.size(), 3u);
  for (int i = 0; i < 3; ++i) CHECK_EQ(order[i], i);
  CHECK_EQ(loop.loop->next_timer(), kNever);
}

TEST(an_earlier_timer_shortens_the_sleep) {
  Loop loop;
  std::atomic<size_t> dropped{0};
  CHECK_OK(loop.PostDelayed(Now() + kHour, [] { CHECK(false); }, nullptr, &dropped));
  Blocker runner([&] { loop.Run(); });
  runner.WaitUntilAsleep();
  CHECK_OK(loop.PostDelayed(Now() + 1'000'000, [&] { loop.Quit(); }));
  runner.Join();
  loop.Close();
  CHECK_EQ(dropped.load(), 1u);
}

TEST(a_removed_timer_does_not_run) {
  Loop loop;
  TimerQueue::Key key;
  CHECK_OK(loop.PostDelayed(Now(), [] { CHECK(false); }, &key));
  Task* const task = loop.loop->RemoveTimer(key);
  CHECK(task);
  delete task;
  CHECK(!loop.loop->RemoveTimer(key));
  CHECK_EQ(loop.loop->next_timer(), kNever);
  loop.Run(true);
}

int CountTask(Task*, void* arg) {
  ++*static_cast<int*>(arg);
  return 0;
}

TEST(delayed_tasks_can_be_visited) {
  Loop loop;
  for (int i = 0; i < 3; ++i) CHECK_OK(loop.PostDelayed(Now() + kHour, [] {}));
  int seen = 0;
  CHECK_EQ(loop.loop->VisitTimers(CountTask, &seen), 0);
  CHECK_EQ(seen, 3);
  loop.Close();
}

TEST(a_sequence_that_ends_with_its_timer_is_let_go_without_a_lock) {
  // The tasks in its queue end then, and what they call must not find the loop locked.
  struct Caller : public Task {
    ~Caller() override {
      loop->next_timer();
      int seen = 0;
      loop->VisitTimers(CountTask, &seen);
    }
    Ref<RunLoop> loop;
  };
  for (bool close : {true, false}) {
    auto loop = MakeRef<RunLoop>();
    auto sequence = MakeRef<Sequence>(Ref<Scheduler>(Ref<RunLoop>(loop)), SequenceTraits{});
    auto* const queued = new Caller;
    queued->loop = loop;
    CHECK_OK(sequence->Push(queued));
    TimerQueue::Key key;
    CHECK_OK(loop->AddTimer(Now() + kHour, std::move(sequence), new FunctionTask([] {}), &key));
    DropTasks(close ? loop->Close() : loop->RemoveTimer(key));
    DispatchPending();
  }
}

TEST(a_deadline_ends_the_wait) {
  Loop loop;
  CHECK_EQ(loop.loop->Wait(0), Wake::kTimedOut);
  CHECK_OK(loop.PostDelayed(Now() + kHour, [] {}));
  loop.loop->Wait(0);  // the post has set it
  CHECK_EQ(loop.loop->Wait(Now() + 1'000), Wake::kTimedOut);
  loop.Close();
}

TEST(a_signal_handler_interrupts_the_wait) {
  struct sigaction action = {}, before;
  action.sa_handler = [](int) {};
  CHECK_EQ(sigaction(SIGUSR1, &action, &before), 0);
  Loop loop;
  Blocker sleeper([&] { CHECK_EQ(loop.loop->Wait(kNever), Wake::kInterrupted); });
  while (!sleeper.done()) {
    sleeper.WaitUntilAsleep();
    if (!sleeper.done()) pthread_kill(sleeper.native(), SIGUSR1);
  }
  sleeper.Join();
  sigaction(SIGUSR1, &before, nullptr);
}

TEST(posting_races_with_closing) {
  // Whatever was accepted runs or is dropped, once.
  for (int round = 0; round < 500; ++round) {
    Loop loop;
    std::atomic<size_t> ran{0}, dropped{0}, accepted{0};
    std::thread runner([&] { loop.Run(); });
    RunTogether(3, [&](size_t thread) {
      for (int i = 0; i < 20; ++i) {
        if (thread == 0 && i == round % 20) loop.Close();
        const auto run = [&] { ++ran; };
        const Result result = i % 2 ? Post(loop.sequence.get(), run, &dropped)
                                    : loop.PostDelayed(Now(), run, nullptr, &dropped);
        CHECK(result == Result::kOk || loop.loop->closing());
        if (result == Result::kOk) {
          ++accepted;
        } else {
          --dropped;  // by us
        }
      }
    });
    runner.join();
    CHECK_EQ(ran + dropped, accepted.load());
  }
}

// --- WakeupFd ---

bool IsReadable(const WakeupFd& wakeup) {
  pollfd waited{wakeup.fd(), POLLIN, 0};
  return poll(&waited, 1, 0) == 1;
}

TEST(the_descriptor_is_readable_while_there_is_something_to_run) {
  Ref<WakeupFd> wakeup;
  CHECK_OK(WakeupFd::Create(&wakeup));
  auto sequence = MakeRef<Sequence>(Ref<Scheduler>(Ref<WakeupFd>(wakeup)), SequenceTraits{});
  CHECK(!IsReadable(*wakeup));
  CHECK(fcntl(wakeup->fd(), F_GETFD) & FD_CLOEXEC);
  CHECK_OK(Post(sequence.get(), [] {}));
  CHECK_OK(Post(sequence.get(), [] {}));
  CHECK(IsReadable(*wakeup));
  wakeup->Drain();
  CHECK(!IsReadable(*wakeup));
  wakeup->Drain();  // harmless
  CHECK_EQ(RunAll(sequence.get()), 2u);
  CHECK_OK(Post(sequence.get(), [] {}));
  CHECK(IsReadable(*wakeup));
  CHECK_EQ(RunAll(sequence.get()), 1u);
}

TEST(a_wake_up_on_its_way_outlives_the_descriptors_owner) {
  Ref<WakeupFd> wakeup;
  CHECK_OK(WakeupFd::Create(&wakeup));
  const int fd = wakeup->fd();
  auto sequence = MakeRef<Sequence>(Ref<Scheduler>(Ref<WakeupFd>(wakeup)), SequenceTraits{});
  CHECK_OK(sequence->Push(new FunctionTask([] {})));
  DropTasks(sequence->TakeAll());
  sequence = nullptr;
  wakeup = nullptr;
  CHECK(fcntl(fd, F_GETFD) >= 0);
  DispatchPending();
  CHECK(fcntl(fd, F_GETFD) < 0);
}

TEST(an_event_loop_misses_nothing) {
  Ref<WakeupFd> wakeup;
  CHECK_OK(WakeupFd::Create(&wakeup));
  auto sequence = MakeRef<Sequence>(Ref<Scheduler>(Ref<WakeupFd>(wakeup)), SequenceTraits{});
  constexpr size_t kTasks = 5'000;
  std::thread poster([&] {
    for (size_t i = 0; i < kTasks; ++i) CHECK_OK(Post(sequence.get(), [] {}));
  });
  for (size_t ran = 0; ran < kTasks;) {
    pollfd waited{wakeup->fd(), POLLIN, 0};
    if (poll(&waited, 1, -1) != 1) continue;
    wakeup->Drain();
    ran += RunAll(sequence.get());
  }
  poster.join();
}

}  // namespace mojo_seq::testing::run_loop_test
