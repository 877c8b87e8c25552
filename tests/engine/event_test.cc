// Event: one thread sleeps until another sets it.

#include "event.h"

#include <signal.h>

#include "check.h"
#include "spinner.h"
#include "threads.h"

namespace mojo_seq::testing::event_test {

constexpr Time kHour = INT64_C(3'600'000'000'000);

void Set(Event* event) {
  if (event->Set()) event->Wake();
}

TEST(set_before_the_wait_ends_it_at_once) {
  Event event;
  CHECK(!event.IsSet());
  CHECK(!event.Set());  // nobody to wake
  CHECK(event.IsSet());
  CHECK_EQ(event.Wait(kNever), Wake::kWoken);
  CHECK_EQ(event.Wait(0), Wake::kWoken);  // it stays set
}

TEST(a_deadline_that_has_passed_only_looks) {
  Event event;
  CHECK_EQ(event.Wait(0), Wake::kTimedOut);
  CHECK_EQ(event.Wait(-5), Wake::kTimedOut);
  CHECK_EQ(event.Wait(Now() - 1), Wake::kTimedOut);
  Spinner spinner;
  CHECK_EQ(event.Wait(Now() + 1'000'000, &spinner), Wake::kTimedOut);
}

TEST(reset_makes_it_wait_again) {
  Event event;
  Set(&event);
  event.Reset();
  CHECK(!event.IsSet());
  CHECK_EQ(event.Wait(0), Wake::kTimedOut);
}

TEST(after_a_timeout_there_is_nobody_to_wake) {
  Event event;
  CHECK_EQ(event.Wait(Now() + 100'000), Wake::kTimedOut);
  CHECK(!event.Set());
  CHECK_EQ(event.Wait(0), Wake::kWoken);
}

TEST(a_sleeper_is_woken) {
  for (int i = 0; i < 200; ++i) {
    Event event;
    Blocker sleeper([&] { CHECK_EQ(event.Wait(kNever), Wake::kWoken); });
    sleeper.WaitUntilAsleep();
    Set(&event);
  }
}

TEST(only_a_sleeper_costs_a_system_call) {
  // With a sleeper Set must say so, without one it must not.
  bool had_to_wake = false;
  while (!had_to_wake) {
    Event event;
    Blocker sleeper([&] { CHECK_EQ(event.Wait(kNever), Wake::kWoken); });
    sleeper.WaitUntilAsleep();
    had_to_wake = event.Set();
    CHECK(!event.Set());  // only the first
    event.Wake();
  }
}

TEST(who_was_woken_is_told_when_and_from_where) {
  bool had_to_wake = false;
  while (!had_to_wake) {
    Event event;
    Blocker sleeper([&] { CHECK_EQ(event.Wait(kNever), Wake::kWoken); });
    sleeper.WaitUntilAsleep();
    CHECK_EQ(event.woken_at(), 0);
    const Time before = Now();
    had_to_wake = event.Set();
    const Time after = Now();
    event.Wake();
    sleeper.Join();
    CHECK_EQ(event.waker() >= 0, had_to_wake);
    if (had_to_wake) CHECK(before <= event.woken_at() && event.woken_at() <= after);
  }
}

TEST(a_signal_handler_interrupts_the_sleep) {
  struct sigaction action = {}, before;
  action.sa_handler = [](int) {};
  CHECK_EQ(sigaction(SIGUSR1, &action, &before), 0);
  Event event;
  Blocker sleeper([&] {
    CHECK_EQ(event.Wait(Now() + kHour), Wake::kInterrupted);
    // Nobody sleeps now, and a wait can begin anew. That may be interrupted, too.
    Wake wake;
    while ((wake = event.Wait(0)) == Wake::kInterrupted) continue;
    CHECK_EQ(wake, Wake::kTimedOut);
  });
  while (!sleeper.done()) {
    sleeper.WaitUntilAsleep();
    if (!sleeper.done()) pthread_kill(sleeper.native(), SIGUSR1);
  }
  sleeper.Join();
  CHECK(!event.Set());
  sigaction(SIGUSR1, &before, nullptr);
}

TEST(no_wake_up_is_lost_between_two_threads) {
  // Each waits for the other in turn: a lost wake-up is a hang.
  for (bool spinning : {false, true}) {
    Event ping, pong;
    constexpr int kTurns = 10'000;
    int shared = 0;  // no lock: the events order the accesses
    std::thread other([&] {
      Spinner spinner;
      for (int i = 0; i < kTurns; ++i) {
        CHECK_EQ(ping.Wait(kNever, spinning ? &spinner : nullptr), Wake::kWoken);
        ping.Reset();
        CHECK_EQ(shared, 2 * i + 1);
        ++shared;
        Set(&pong);
      }
    });
    Spinner spinner;
    for (int i = 0; i < kTurns; ++i) {
      ++shared;
      Set(&ping);
      CHECK_EQ(pong.Wait(kNever, spinning ? &spinner : nullptr), Wake::kWoken);
      pong.Reset();
      CHECK_EQ(shared, 2 * i + 2);
    }
    other.join();
  }
}

TEST(a_set_that_races_with_a_timeout_is_never_lost) {
  Event event;
  int sets = 0, seen = 0;
  Race(
      5'000, [&] { if (event.IsSet()) { ++seen; event.Reset(); } },
      [&] {
        ++sets;
        Set(&event);
      },
      [&] { event.Wait(Now() + 1'000); });
  CHECK_EQ(sets, seen);
}

TEST(reset_before_looking_sees_what_was_done_before_the_set) {
  // How the loops use it: reset, look, sleep. The work is published before Set, with an atomic of
  // its own; whoever resets a set event must see that work, or sleep through it.
  Event event;
  std::atomic<int> published{0};
  constexpr int kItems = 20'000;
  std::thread producer([&] {
    for (int i = 1; i <= kItems; ++i) {
      published.store(i, std::memory_order_release);
      Set(&event);
    }
  });
  for (int seen = 0; seen < kItems;) {
    event.Reset();
    seen = published.load(std::memory_order_acquire);
    if (seen < kItems) CHECK_EQ(event.Wait(kNever), Wake::kWoken);
  }
  producer.join();
}

TEST(a_futex_whose_word_has_changed_does_not_sleep) {
  std::atomic<uint32_t> word{1};
  CHECK_EQ(FutexWait(&word, 0, kNever), Wake::kWoken);
  CHECK_EQ(FutexWait(&word, 1, 0), Wake::kTimedOut);
}

}  // namespace mojo_seq::testing::event_test
