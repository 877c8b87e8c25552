// Spinner: whether a thread stays awake is learned from what its last waits would have needed.

#include "spinner.h"

#include <pthread.h>

#include "check.h"
#include "threads.h"

namespace mojo_seq::testing::spinner_test {

constexpr int kElsewhere = -1;           // no processor's number, so never ours
constexpr Time kSoon = 50'000;           // a wake-up and little more
constexpr Time kLater = 10'000'000;

// Whether the next wait spins. If so it is in vain, which the spinner learns.
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

TEST(the_first_wait_spins_and_a_second_one_only_if_that_was_not_in_vain) {
  Spinner spinner;
  CHECK(spinner.WantsToSpin());
  CHECK(SpinsInVain(&spinner));
  for (int i = 0; i < 1'000; ++i) CHECK(!SpinsInVain(&spinner));
  Spinner lucky;
  CHECK(SpinsAtOnce(&lucky));
  CHECK(SpinsAtOnce(&lucky));
}

TEST(one_spin_in_vain_is_forgiven_after_many_that_were_not) {
  Spinner spinner;
  for (int i = 0; i < 20; ++i) CHECK(SpinsAtOnce(&spinner));
  int in_vain = 0;
  while (SpinsInVain(&spinner)) ++in_vain;
  CHECK(in_vain >= 2 && in_vain <= 8);
}

TEST(who_sleeps_for_long_never_spins) {
  Spinner spinner;
  CHECK(SpinsInVain(&spinner));
  for (int i = 0; i < 100; ++i) {
    CHECK(!SpinsInVain(&spinner));
    spinner.SleptFor(kLater, kElsewhere);
  }
}

TEST(short_sleeps_teach_it_to_spin_again) {
  Spinner spinner;
  CHECK(SpinsInVain(&spinner));
  int sleeps = 0;
  while (!spinner.WantsToSpin()) {
    CHECK(!SpinsAtOnce(&spinner));
    spinner.SleptFor(kSoon, kElsewhere);
    ++sleeps;
  }
  CHECK(sleeps >= 2 && sleeps <= 8);
  CHECK(SpinsAtOnce(&spinner));
}

TEST(a_sleep_after_a_spin_in_vain_teaches_nothing_more) {
  Spinner spinner;
  for (int i = 0; i < 20; ++i) {
    if (!SpinsInVain(&spinner)) break;
    spinner.SleptFor(kSoon, kElsewhere);  // the spin was longer than that seems
  }
  CHECK(!spinner.WantsToSpin());
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
    CHECK(SpinsInVain(&spinner));
    for (int i = 0; i < 100; ++i) {
      CHECK(!SpinsAtOnce(&spinner));
      spinner.SleptFor(kSoon, here);
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
    const auto learns = [&](Time begin) {
      Spinner spinner;
      CHECK(SpinsInVain(&spinner));
      for (int i = 0; i < 8 && !spinner.WantsToSpin(); ++i) {
        CHECK(!SpinsAtOnce(&spinner));
        spinner.Slept(begin, *event);
      }
      return spinner.WantsToSpin();
    };
    // However late it is by now.
    CHECK_EQ(learns(event->woken_at() - kSoon), !here_too);
    CHECK(!learns(event->woken_at() - kLater));
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
