// SpinControl: who spins, and how many at once.

#include "spin_control.h"

#include <thread>
#include <vector>

#include "check.h"
#include "spinner.h"
#include "spinning.h"

namespace mojo_seq::testing::spin_control_test {

constexpr int kUnknown = -1;
constexpr int kElsewhere = 4'000;  // nobody's processor

SpinControl::Machine Machine(int processors, int usable, double runnable = 1) {
  SpinControl::Machine machine;
  machine.processors = processors;
  machine.usable = usable;
  machine.runnable = runnable;
  return machine;
}

TEST(one_processor_is_left_for_those_who_work) {
  CHECK_EQ(SpinControl::Limit(Machine(8, 8)), 7);
  CHECK_EQ(SpinControl::Limit(Machine(8, 4)), 3);
  CHECK_EQ(SpinControl::Limit(Machine(8, 2)), 1);
}

TEST(who_is_kept_on_one_processor_may_wait_for_another) {
  CHECK_EQ(SpinControl::Limit(Machine(8, 1)), 1);
}

TEST(on_a_busy_machine_one_spins) {
  CHECK_EQ(SpinControl::Limit(Machine(4, 4, 6)), 3);
  CHECK_EQ(SpinControl::Limit(Machine(4, 4, 7)), 1);
  CHECK_EQ(SpinControl::Limit(Machine(4, 4, 100)), 1);
}

TEST(a_quota_counts_like_processors) {
  SpinControl::Machine machine = Machine(8, 8);
  machine.quota = 3;
  CHECK_EQ(SpinControl::Limit(machine), 2);
  machine.quota = 1;
  CHECK_EQ(SpinControl::Limit(machine), 0);
  machine.quota = 0;
  CHECK_EQ(SpinControl::Limit(machine), 0);
}

TEST(the_load_is_what_could_run_now) {
  CHECK_EQ(SpinControl::ParseRunnable("0.50 0.75 0.80 3/120 4711\n"), 3);
  CHECK_EQ(SpinControl::ParseRunnable(""), -1);
  CHECK_EQ(SpinControl::ParseRunnable("0.50 nonsense"), -1);
}

TEST(a_quota_is_time_for_each_period) {
  CHECK_EQ(SpinControl::ParseQuota("250000 100000\n"), 2);
  CHECK_EQ(SpinControl::ParseQuota("50000\n 100000\n"), 0);  // from the two files of the first kind
  for (const char* none : {"max 100000\n", "-1\n 100000\n", " ", "", "1000 0"}) {
    CHECK_EQ(SpinControl::ParseQuota(none), INT32_MAX);
  }
}

TEST(no_more_spin_at_once_than_may) {
  const AsManyAsLike two(2);
  CHECK(SpinControl::Begin());
  CHECK(SpinControl::Begin());
  CHECK(!SpinControl::Begin());
  SpinControl::End();
  CHECK(SpinControl::Begin());
  SpinControl::End();
  SpinControl::End();
}

TEST(who_is_done_at_once_is_not_one_of_them) {
  const AsManyAsLike one(1);
  CHECK(SpinControl::Begin());
  Spinner spinner;
  CHECK(spinner.Spin([] { return true; }, false, kElsewhere));
  int looks = 0;
  CHECK(!spinner.Spin([&] { return ++looks > 1'000; }, false, kElsewhere));
  CHECK(looks < 1'000);
  SpinControl::End();
}

TEST(a_refused_spin_teaches_nothing) {
  Spinner spinner;
  {
    const AsManyAsLike nobody(0);
    for (int i = 0; i < 10; ++i) CHECK(!spinner.Spin([] { return false; }, false, kElsewhere));
  }
  CHECK(spinner.WantsToSpin());
}

TEST(the_mode_is_auto_unless_it_is_never) {
  CHECK(SpinControl::ParseMode("never") == SpinMode::kNever);
  for (const char* other : {"auto", "Never", "", "always"}) {
    CHECK(SpinControl::ParseMode(other) == SpinMode::kAuto);
  }
  CHECK(SpinControl::ParseMode(nullptr) == SpinMode::kAuto);
}

TEST(mode_never_is_never) {
  const AsManyAsLike spinning;
  const SpinMode before = SpinControl::mode();
  SpinControl::SetMode(SpinMode::kNever);
  CHECK(!SpinControl::MaySpin(Now(), kElsewhere));
  SpinControl::SetMode(SpinMode::kAuto);
  CHECK(SpinControl::MaySpin(Now(), kElsewhere));
  SpinControl::SetMode(before);
}

TEST(who_is_kept_on_one_processor_spins_only_for_another) {
  const AsManyAsLike spinning;
  std::thread([] {
    const int here = Stay();
    CHECK(!SpinControl::MaySpin(Now(), kUnknown));
    CHECK(!SpinControl::MaySpin(Now(), here));
    CHECK(SpinControl::MaySpin(Now(), here + 1));
  }).join();
}

TEST(it_looks_at_the_machine_itself) {
  // Whatever that says: nobody stays counted who does not spin.
  std::vector<std::thread> threads;
  for (int thread = 0; thread < 8; ++thread) {
    threads.emplace_back([&] {
      for (int i = 0; i < 10'000; ++i) {
        if (SpinControl::MaySpin(Now(), kElsewhere) && SpinControl::Begin()) SpinControl::End();
      }
    });
  }
  for (std::thread& each : threads) each.join();
  const AsManyAsLike one(1);
  CHECK(SpinControl::Begin());
  SpinControl::End();
}

}  // namespace mojo_seq::testing::spin_control_test
