// Waiter: blocking waits for one or several handles. System rules §11.

#include "wait.h"

#include <signal.h>

#include <optional>

#include "check.h"
#include "message_pipes.h"
#include "threads.h"

namespace mojo_seq::testing::wait_test {

Result Wait(Waiter& waiter, Time deadline = kNever) {
  ApiCall call;
  return waiter.Wait(deadline);
}

TEST(what_is_satisfied_ends_the_wait_at_once) {
  Pipe pipe;
  CHECK_OK(Write(pipe.a, "x"));
  Waiter waiter;
  CHECK_OK(waiter.Add(pipe.b.get(), pipe.b.value(), kSignalReadable | kSignalPeerClosed));
  CHECK_OK(Wait(waiter));
  CHECK_OK(waiter.result());
  CHECK_EQ(waiter.index(), 0u);
  CHECK_EQ(waiter.state(0).satisfied, kSignalReadable | kSignalWritable);
}

TEST(what_can_never_be_ends_the_wait_at_once) {
  Pipe pipe;
  CHECK_OK(pipe.a.Close());
  for (Signals signals : {kSignalReadable | kSignalWritable, kSignalNone}) {
    Waiter waiter;
    CHECK_OK(waiter.Add(pipe.b.get(), pipe.b.value(), signals));
    CHECK_OK(Wait(waiter));
    CHECK_EQ(waiter.result(), Result::kFailedPrecondition);
  }
}

TEST(a_dead_handle_cannot_be_waited_for) {
  Pipe pipe;
  CHECK_OK(pipe.a.Close());
  Waiter waiter;
  CHECK_EQ(waiter.Add(pipe.a.get(), pipe.a.value(), kSignalReadable), Result::kInvalidArgument);
}

TEST(a_deadline_that_has_passed_only_looks) {
  Pipe pipe;
  Waiter waiter;
  CHECK_OK(waiter.Add(pipe.b.get(), pipe.b.value(), kSignalReadable));
  CHECK_EQ(Wait(waiter, 0), Result::kDeadlineExceeded);
  CHECK_EQ(waiter.state(0).satisfied, kSignalWritable);
  CHECK_OK(Write(pipe.a, "x"));
  CHECK_OK(Wait(waiter, 0));
}

TEST(a_change_on_another_thread_ends_the_wait) {
  for (int round = 0; round < 300; ++round) {
    Pipe pipe;
    Result result = Result::kUnknown;
    std::atomic<bool> added{false};
    Blocker sleeper([&] {
      Waiter waiter;
      CHECK_OK(waiter.Add(pipe.b.get(), pipe.b.value(), kSignalReadable));
      added = true;
      CHECK_OK(Wait(waiter));
      result = waiter.result();
    });
    while (!added) sched_yield();
    if (round % 2 == 0) sleeper.WaitUntilAsleep();
    Result expected = Result::kOk;
    if (round % 3 == 0) {
      CHECK_OK(Write(pipe.a, "x"));
    } else if (round % 3 == 1) {
      CHECK_OK(pipe.a.Close());
      expected = Result::kFailedPrecondition;
    } else {
      CHECK_OK(pipe.b.Close());
      expected = Result::kCancelled;
    }
    sleeper.Join();
    CHECK_EQ(result, expected);
  }
}

TEST(sending_the_handle_away_cancels_the_wait) {
  Pipe pipe, carrier;
  Waiter waiter;
  CHECK_OK(waiter.Add(pipe.b.get(), pipe.b.value(), kSignalReadable));
  CHECK_OK(Write(carrier.a, "", {pipe.b}));
  CHECK_OK(Wait(waiter));
  CHECK_EQ(waiter.result(), Result::kCancelled);
}

TEST(a_handle_that_could_not_be_sent_is_waited_for_all_the_same) {
  Pipe pipe, carrier;
  Waiter waiter;
  CHECK_OK(waiter.Add(pipe.b.get(), pipe.b.value(), kSignalReadable));
  CHECK_OK(carrier.b.Close());
  CHECK_EQ(Write(carrier.a, "", {pipe.b}), Result::kFailedPrecondition);
  CHECK_EQ(Wait(waiter, 0), Result::kDeadlineExceeded);
  CHECK_OK(Write(pipe.a, "x"));
  CHECK_OK(Wait(waiter));
  CHECK_OK(waiter.result());
}

TEST(only_the_first_event_counts) {
  Pipe first, second;
  Waiter waiter;
  CHECK_OK(waiter.Add(first.b.get(), first.b.value(), kSignalReadable));
  CHECK_OK(waiter.Add(second.b.get(), second.b.value(), kSignalReadable));
  CHECK_OK(Write(second.a, "x"));
  CHECK_OK(Write(first.a, "x"));
  CHECK_OK(first.b.Close());
  CHECK_OK(Wait(waiter));
  CHECK_EQ(waiter.index(), 1u);
  CHECK_OK(waiter.result());
}

TEST(the_state_is_the_one_that_ended_the_wait) {
  Pipe pipe, other;
  Waiter waiter;
  CHECK_OK(waiter.Add(pipe.b.get(), pipe.b.value(), kSignalReadable));
  CHECK_OK(waiter.Add(other.b.get(), other.b.value(), kSignalReadable));
  CHECK_OK(Write(pipe.a, "x"));
  CHECK_EQ(ReadText(pipe.b), "x");  // somebody else was faster
  CHECK_OK(Write(other.a, "y"));
  CHECK_OK(Wait(waiter));
  CHECK_OK(waiter.result());
  CHECK_EQ(waiter.index(), 0u);
  CHECK_EQ(waiter.state(0).satisfied, kSignalReadable | kSignalWritable);
  CHECK_EQ(waiter.state(1).satisfied, kSignalReadable | kSignalWritable);  // the present one
  CHECK_OK(pipe.b.Close());
  CHECK_EQ(waiter.state(0).satisfied, kSignalReadable | kSignalWritable);
}

TEST(a_handle_may_be_waited_for_twice) {
  Pipe pipe;
  Waiter waiter;
  CHECK_OK(waiter.Add(pipe.b.get(), pipe.b.value(), kSignalReadable));
  CHECK_OK(waiter.Add(pipe.b.get(), pipe.b.value(), kSignalPeerClosed));
  CHECK_OK(pipe.a.Close());
  CHECK_OK(Wait(waiter));
  CHECK_EQ(waiter.index(), 0u);
  CHECK_EQ(waiter.result(), Result::kFailedPrecondition);
}

TEST(several_threads_may_wait_for_one_handle) {
  Pipe pipe;
  std::vector<std::unique_ptr<Blocker>> sleepers;
  for (int i = 0; i < 4; ++i) {
    sleepers.push_back(std::make_unique<Blocker>([&] {
      Waiter waiter;
      CHECK_OK(waiter.Add(pipe.b.get(), pipe.b.value(), kSignalReadable));
      CHECK_OK(Wait(waiter));
      CHECK_OK(waiter.result());
    }));
  }
  for (const auto& each : sleepers) each->WaitUntilAsleep();
  CHECK_OK(Write(pipe.a, "x"));
  sleepers.clear();
}

TEST(a_signal_handler_interrupts_the_wait) {
  struct sigaction action = {}, before;
  action.sa_handler = [](int) {};
  CHECK_EQ(sigaction(SIGUSR1, &action, &before), 0);
  Pipe pipe;
  Blocker sleeper([&] {
    Waiter waiter;
    CHECK_OK(waiter.Add(pipe.b.get(), pipe.b.value(), kSignalReadable));
    CHECK_EQ(Wait(waiter), Result::kShouldWait);
    CHECK_OK(Write(pipe.a, "x"));
    CHECK_OK(Wait(waiter));  // it can be called again
  });
  while (!sleeper.done()) {
    sleeper.WaitUntilAsleep();
    if (!sleeper.done()) pthread_kill(sleeper.native(), SIGUSR1);
  }
  sleeper.Join();
  sigaction(SIGUSR1, &before, nullptr);
}

TEST(two_threads_hand_messages_to_and_fro) {
  Pipe pipe;
  constexpr int kTurns = 3'000;
  const auto wait_and_read = [](const PipeEnd& end) {
    for (;;) {
      Waiter waiter;
      CHECK_OK(waiter.Add(end.get(), end.value(), kSignalReadable));
      CHECK_OK(Wait(waiter));
      OwnedMessage message;
      const Result result = Read(end, &message);
      if (result == Result::kOk) return TextOf(*message);
      CHECK_EQ(result, Result::kShouldWait);
    }
  };
  std::thread echo([&] {
    for (int i = 0; i < kTurns; ++i) CHECK_OK(Write(pipe.b, wait_and_read(pipe.b)));
  });
  for (int i = 0; i < kTurns; ++i) {
    const std::string text = std::to_string(i);
    CHECK_OK(Write(pipe.a, text));
    CHECK_EQ(wait_and_read(pipe.a), text);
  }
  echo.join();
}

TEST(a_close_that_races_with_a_wait_never_leaves_it_asleep) {
  std::optional<Pipe> pipe;
  Race(
      2'000, [&] { pipe.emplace(); },
      [&] {
        Waiter waiter;
        if (waiter.Add(pipe->b.get(), pipe->b.value(), kSignalReadable) != Result::kOk) return;
        CHECK_OK(Wait(waiter));
        CHECK_EQ(waiter.result(), Result::kCancelled);
      },
      [&] { CHECK_OK(pipe->b.Close()); });
}

}  // namespace mojo_seq::testing::wait_test
