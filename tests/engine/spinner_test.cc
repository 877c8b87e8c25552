// Spinner: after a spin in vain a thread sleeps at once, until short waits tell it to try again.

#include "spinner.h"

#include "check.h"
#include "spinning.h"
#include "threads.h"

namespace mojo_seq::testing::spinner_test {

constexpr int kUnknown = -1;
constexpr int kElsewhere = 4'000;  // nobody's processor, so never ours
constexpr Time kSoon = 50'000;  // a wake-up and little more
constexpr Time kLater = 10'000'000;

// Whether the next wait spins. If so it is in vain.
bool SpinsInVain(Spinner* spinner) {
  size_t calls = 0;
  const auto never = [&] {
    ++calls;
    return false;
  };
  CHECK(!spinner->Spin(never, false, kElsewhere));
  return calls > 0;
}

bool SpinsAtOnce(Spinner* spinner, int peer = kElsewhere) {
  return spinner->Spin([] { return true; }, false, peer);
}

// Exactly that long, whatever happens to the thread meanwhile.
void Sleep(Spinner* spinner, Time time, int waker) {
  const Time now = Now();
  spinner->Slept(now - time, now, waker);
}

void SleepsFor(Spinner* spinner, Time time, int waker = kElsewhere) {
  CHECK(!SpinsAtOnce(spinner, waker));
  Sleep(spinner, time, waker);
}

// How many waits are short, and sleep, before the next one that spins.
int Sleeps(Spinner* spinner) {
  int sleeps = 0;
  for (; !spinner->WantsToSpin(); ++sleeps) SleepsFor(spinner, kSoon);
  return sleeps;
}

TEST(it_sleeps_after_a_spin_in_vain_twice_as_often_each_time) {
  const AsManyAsLike spinning;
  Spinner spinner;
  for (int sleeps : {1, 2, 4, 8, 16}) {
    CHECK(SpinsInVain(&spinner));
    CHECK_EQ(Sleeps(&spinner), sleeps);
  }
  CHECK(SpinsAtOnce(&spinner));  // forgives them all
  CHECK(SpinsAtOnce(&spinner));
  CHECK(SpinsInVain(&spinner));
  CHECK_EQ(Sleeps(&spinner), 1);
}

TEST(it_never_gives_up_for_good) {
  const AsManyAsLike spinning;
  Spinner spinner(1);
  for (int i = 0; i < 20; ++i) {
    CHECK(SpinsInVain(&spinner));
    CHECK(Sleeps(&spinner) <= 1024);
  }
}

TEST(a_spin_takes_as_long_as_it_may) {
  const AsManyAsLike spinning;
  for (uint8_t budget : {20, 200}) {
    Spinner spinner(budget);
    const Time begin = Now();
    CHECK(SpinsInVain(&spinner));
    CHECK(Now() - begin >= budget * kMicrosecond);
  }
}

TEST(where_nothing_comes_soon_nobody_spins_again) {
  const AsManyAsLike spinning;
  Spinner spinner;
  CHECK(SpinsInVain(&spinner));
  for (int i = 0; i < 1'000; ++i) SleepsFor(&spinner, kLater);
}

TEST(one_short_wait_among_long_ones_is_not_enough) {
  const AsManyAsLike spinning;
  Spinner spinner;
  CHECK(SpinsInVain(&spinner));
  for (int i = 0; i < 100; ++i) {
    SleepsFor(&spinner, kLater);
    SleepsFor(&spinner, kSoon);
  }
}

TEST(long_sleeps_count_also_where_it_was_not_allowed_to_spin) {
  Spinner spinner;
  {
    const AsManyAsLike nobody(0);
    SleepsFor(&spinner, kLater);
  }
  const AsManyAsLike spinning;
  CHECK_EQ(Sleeps(&spinner), 2);
}

TEST(a_wait_is_short_if_the_other_side_had_to_wake_up_first) {
  const AsManyAsLike spinning;
  Spinner spinner;
  CHECK(SpinsInVain(&spinner));
  SleepsFor(&spinner, (Spinner::kWakeUp + 80) * kMicrosecond);
  CHECK(SpinsAtOnce(&spinner));
}

TEST(how_long_its_own_wake_up_took_does_not_count) {
  const AsManyAsLike spinning;
  Spinner spinner;
  CHECK(SpinsInVain(&spinner));
  // It ended after a while, and the thread has noticed only now.
  const Time begin = Now() - kLater;
  spinner.Slept(begin, begin + kSoon, kUnknown);
  CHECK(SpinsAtOnce(&spinner));
  // Not known when it ended: as if the thread had woken up as usual. It looks at the clock itself.
  for (bool at_once = false; !at_once;) {
    Spinner other;
    CHECK(SpinsInVain(&other));
    const Time now = Now();
    other.Slept(now - kSoon, 0, kUnknown);
    at_once = Now() - now < kSoon;
    if (at_once) CHECK(SpinsAtOnce(&other));
  }
}

TEST(who_waits_for_its_own_processor_does_not_spin) {
  const AsManyAsLike spinning;
  std::thread([] {
    const int here = Stay();
    Spinner spinner;
    CHECK(!SpinsAtOnce(&spinner, here));
    // It is remembered who woke it.
    for (int i = 0; i < 10; ++i) {
      Sleep(&spinner, kSoon, here);
      CHECK(!SpinsAtOnce(&spinner, kUnknown));
    }
    // Not known, and there is no other one that it could run on.
    Sleep(&spinner, kSoon, kUnknown);
    CHECK(!SpinsAtOnce(&spinner, kUnknown));
    // Others may run on others.
    CHECK(SpinsAtOnce(&spinner, here + 1));
    Sleep(&spinner, kSoon, here + 1);
    CHECK(SpinsAtOnce(&spinner, kUnknown));
  }).join();
}

TEST(what_counts_is_when_it_was_woken_not_how_long_that_took) {
  const AsManyAsLike spinning;
  Ref<Event> event;
  for (bool had_to_wake = false; !had_to_wake;) {
    event = MakeRef<Event>();
    Blocker sleeper([&] { CHECK_EQ(event->Wait(kNever), Wake::kWoken); });
    sleeper.WaitUntilAsleep();
    had_to_wake = event->Set();
    event->Wake();
  }
  const auto wants_to_spin_after = [&](Time begin) {
    Spinner spinner;
    CHECK(SpinsInVain(&spinner));
    spinner.Slept(begin, *event);
    return spinner.WantsToSpin();
  };
  // However late it is by now.
  CHECK(wants_to_spin_after(event->woken_at() - kSoon));
  CHECK(!wants_to_spin_after(event->woken_at() - kLater));
  CHECK(!wants_to_spin_after(event->woken_at() + 1));  // that was another sleep
}

TEST(two_threads_that_put_each_other_to_sleep_lose_nothing_by_learning) {
  // Each turn is a wait of either; pauses of random length make them learn and unlearn.
  const AsManyAsLike spinning;
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

TEST(many_threads_share_what_they_learn) {
  const AsManyAsLike spinning;
  Spinner shared(1);
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 4; ++thread) {
    threads.emplace_back([&, thread] {
      for (int i = 0; i < 2'000; ++i) {
        shared.Spin([&] { return (i + thread) % 3 == 0; }, false, kElsewhere);
        Sleep(&shared, i % 2 ? kSoon : kLater, thread);
      }
    });
  }
  for (std::thread& each : threads) each.join();
  while (!shared.WantsToSpin()) Sleep(&shared, kSoon, kUnknown);
  CHECK(SpinsAtOnce(&shared));
}

}  // namespace mojo_seq::testing::spinner_test
