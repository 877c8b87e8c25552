// Spinner: after spins in vain a thread sleeps at once, until short sleeps tell it to try again.

#include "spinner.h"

#include <pthread.h>

#include "check.h"
#include "threads.h"

namespace mojo_seq::testing::spinner_test {

constexpr int kElsewhere = -1;           // no processor's number, so never ours
constexpr Time kSoon = 50'000;           // a wake-up and little more
constexpr Time kLater = 10'000'000;

// Whether the next wait spins. If so it is in vain.
bool SpinsInVain(Spinner* spinner) {
  size_t calls = 0;
  CHECK(!spinner->Spin([&] {
    ++calls;
    return false;
  }));
  return calls > 0;
}

bool SpinsAtOnce(Spinner* spinner) {
  return spinner->Spin([] { return true; });
}

// How many waits are skipped before the next one that spins.
int Skipped(Spinner* spinner) {
  int skipped = 0;
  while (!SpinsAtOnce(spinner)) ++skipped;
  return skipped;
}

// Spins in vain until it is to skip very many.
void Discourage(Spinner* spinner) {
  for (int i = 0; i < 12; ++i) {
    while (!SpinsInVain(spinner)) {
    }
  }
}

TEST(it_gives_up_for_a_while_after_spinning_in_vain) {
  Spinner spinner;
  for (int skipped : {1, 3, 7, 15}) {
    CHECK(SpinsInVain(&spinner));
    for (int i = 0; i < skipped; ++i) CHECK(!SpinsInVain(&spinner));
  }
  CHECK(SpinsAtOnce(&spinner));
  CHECK(SpinsAtOnce(&spinner));  // success: no penalty
  CHECK(SpinsInVain(&spinner));
  CHECK_EQ(Skipped(&spinner), 1);
}

TEST(a_spin_takes_as_long_as_it_may) {
  for (Time budget : {20'000, 2'000'000}) {
    Spinner spinner(budget);
    const Time begin = Now();
    CHECK(SpinsInVain(&spinner));
    CHECK(Now() - begin >= budget);
  }
}

TEST(who_sleeps_for_long_spins_less_and_less) {
  Spinner spinner;
  Discourage(&spinner);
  for (int i = 0; i < 1'000; ++i) {
    CHECK(!SpinsInVain(&spinner));
    spinner.SleptFor(kLater, kElsewhere);
  }
}

TEST(a_short_sleep_makes_it_try_again_soon) {
  Spinner spinner;
  Discourage(&spinner);
  spinner.SleptFor(kSoon, kElsewhere);
  const int skipped = Skipped(&spinner);
  CHECK(skipped >= 1 && skipped <= 16);
  CHECK(SpinsAtOnce(&spinner));
}

// On one processor from here on.
int Stay() {
  const int here = sched_getcpu();
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(here, &set);
  CHECK_EQ(pthread_setaffinity_np(pthread_self(), sizeof set, &set), 0);
  return here;
}

TEST(who_is_woken_on_its_own_processor_does_not_spin) {
  std::thread([] {
    Spinner spinner;
    const int here = Stay();
    for (int i = 0; i < 100; ++i) {
      spinner.SleptFor(kSoon, here);
      CHECK(!SpinsAtOnce(&spinner));
    }
  }).join();
}

TEST(what_counts_is_when_it_was_woken_not_how_long_that_took) {
  std::thread([] {
    const int here = Stay();
    Ref<Event> event;
    for (bool had_to_wake = false; !had_to_wake;) {
      event = MakeRef<Event>();
      Blocker sleeper([&] { CHECK_EQ(event->Wait(kNever), Wake::kWoken); });
      sleeper.WaitUntilAsleep();
      had_to_wake = event->Set();
      event->Wake();
    }
    const bool here_too = event->waker() == here;
    const auto tries_soon = [&](Time begin) {
      Spinner spinner;
      Discourage(&spinner);
      spinner.Slept(begin, *event);
      return Skipped(&spinner) <= 16;
    };
    // However late it is by now.
    CHECK_EQ(tries_soon(event->woken_at() - kSoon), !here_too);
    CHECK(!tries_soon(event->woken_at() - kLater));
    CHECK(!tries_soon(event->woken_at() + 1));  // that was another sleep
  }).join();
}

TEST(two_threads_that_put_each_other_to_sleep_lose_nothing_by_learning) {
  // Each turn is a wait of either; pauses of random length make them learn and unlearn.
  Event ping, pong;
  constexpr int kTurns = 5'000;
  int shared = 0;  // no lock: the events order the accesses
  const auto set = [](Event* event) {
    if (event->Set()) event->Wake();
  };
  std::thread other([&] {
    Spinner spinner;
    for (int i = 0; i < kTurns; ++i) {
      CHECK_EQ(ping.Wait(kNever, &spinner, true), Wake::kWoken);
      ping.Reset();
      CHECK_EQ(shared, 2 * i + 1);
      ++shared;
      set(&pong);
    }
  });
  Spinner spinner;
  for (int i = 0; i < kTurns; ++i) {
    for (const Time end = Now() + (i % 64 == 0 ? (i % 1'000) * 500 : 0); Now() < end;) {
    }
    ++shared;
    set(&ping);
    CHECK_EQ(pong.Wait(kNever, &spinner, true), Wake::kWoken);
    pong.Reset();
    CHECK_EQ(shared, 2 * i + 2);
  }
  other.join();
}

}  // namespace mojo_seq::testing::spinner_test
