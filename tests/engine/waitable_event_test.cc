// WaitableEvent. Public contract §9.

#include <signal.h>

#include "check.h"
#include "threads.h"
#include "wait_set.h"

namespace mojo_seq::testing::waitable_event_test {

TEST(a_manual_event_stays_signaled) {
  WaitableEvent event(true, false);
  CHECK_EQ(event.Wait(0), Result::kDeadlineExceeded);
  event.Signal();
  CHECK(event.IsSignaled());
  CHECK_OK(event.Wait(0));
  CHECK_OK(event.Wait(kNever));
  event.Reset();
  CHECK(!event.IsSignaled());
  CHECK_EQ(event.Wait(0), Result::kDeadlineExceeded);
}

TEST(an_automatic_event_is_taken_by_one_wait) {
  WaitableEvent event(false, true);
  CHECK(event.IsSignaled());
  CHECK_OK(event.Wait(0));
  CHECK_EQ(event.Wait(0), Result::kDeadlineExceeded);
  event.Signal();
  event.Signal();  // no counting
  CHECK_OK(event.Wait(0));
  CHECK_EQ(event.Wait(0), Result::kDeadlineExceeded);
}

TEST(a_manual_signal_wakes_all) {
  for (int round = 0; round < 50; ++round) {
    WaitableEvent event(true, false);
    std::vector<std::unique_ptr<Blocker>> sleepers;
    for (int i = 0; i < 3; ++i) {
      sleepers.push_back(std::make_unique<Blocker>([&] { CHECK_OK(event.Wait(kNever)); }));
    }
    sleepers[round % 3]->WaitUntilAsleep();
    event.Signal();
    sleepers.clear();
  }
}

TEST(an_automatic_signal_releases_exactly_one) {
  constexpr int kSignals = 3'000, kThreads = 3;
  WaitableEvent event(false, false);
  std::atomic<int> taken{0};
  std::atomic<bool> stop{false};
  RunTogether(kThreads + 1, [&](size_t thread) {
    if (thread < kThreads) {
      while (!stop) {
        CHECK_OK(event.Wait(kNever));
        if (!stop) ++taken;
      }
      event.Signal();  // for the next to stop
      return;
    }
    for (int i = 1; i <= kSignals; ++i) {
      event.Signal();
      while (taken < i) sched_yield();
      CHECK_EQ(taken.load(), i);
      CHECK(!event.IsSignaled());
    }
    stop = true;
    event.Signal();
  });
}

TEST(a_signal_handler_interrupts_the_wait) {
  struct sigaction action = {}, before;
  action.sa_handler = [](int) {};
  CHECK_EQ(sigaction(SIGUSR1, &action, &before), 0);
  WaitableEvent event(true, false);
  Blocker sleeper([&] { CHECK_EQ(event.Wait(kNever), Result::kShouldWait); });
  while (!sleeper.done()) {
    sleeper.WaitUntilAsleep();
    if (!sleeper.done()) pthread_kill(sleeper.native(), SIGUSR1);
  }
  sleeper.Join();
  CHECK_EQ(event.Wait(0), Result::kDeadlineExceeded);
  sigaction(SIGUSR1, &before, nullptr);
}

TEST(a_signal_that_races_with_a_timeout_is_never_lost) {
  WaitableEvent event(false, false);
  bool taken = false;
  size_t rounds = 0;
  Race(
      5'000,
      [&] {
        if (rounds++ > 0) CHECK(taken != event.IsSignaled());
        event.Reset();
      },
      [&] { event.Signal(); }, [&] { taken = event.Wait(Now() + 1'000) == Result::kOk; });
}

TEST(two_threads_signal_each_other) {
  WaitableEvent ping(false, false), pong(false, false);
  constexpr int kTurns = 10'000;
  int shared = 0;  // the events order the accesses
  std::thread other([&] {
    for (int i = 0; i < kTurns; ++i) {
      CHECK_OK(ping.Wait(kNever));
      ++shared;
      pong.Signal();
    }
  });
  for (int i = 0; i < kTurns; ++i) {
    ++shared;
    ping.Signal();
    CHECK_OK(pong.Wait(kNever));
    CHECK_EQ(shared, 2 * i + 2);
  }
  other.join();
}

}  // namespace mojo_seq::testing::waitable_event_test
