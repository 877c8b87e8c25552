// The release list, and the tasks whose parts end on it.

#include "release_list.h"

#include <algorithm>

#include "call_task.h"
#include "check.h"
#include "threads.h"

namespace mojo_seq::testing::release_list_test {

void* Number(size_t i) { return reinterpret_cast<void*>(i + 1); }

TEST(what_was_released_is_taken_once_and_in_order) {
  CHECK(!HasReleases());
  CHECK(TakeReleases().empty());
  for (size_t i = 0; i < 3; ++i) ReleaseLater(Number(i));
  CHECK(HasReleases());
  const std::vector<void*> taken = TakeReleases();
  CHECK_EQ(taken.size(), 3u);
  for (size_t i = 0; i < 3; ++i) CHECK(taken[i] == Number(i));
  CHECK(!HasReleases());
  CHECK(TakeReleases().empty());
}

TEST(threads_release_while_others_take) {
  constexpr size_t kEach = 10'000, kThreads = 3;
  std::vector<void*> taken;
  std::atomic<size_t> finished{0};
  RunTogether(kThreads + 1, [&](size_t thread) {
    if (thread < kThreads) {
      for (size_t i = 0; i < kEach; ++i) ReleaseLater(Number(thread * kEach + i));
      ++finished;
      return;
    }
    for (bool last = false; !last;) {
      last = finished == kThreads;  // then one more look
      if (!last && !HasReleases()) continue;
      const std::vector<void*> some = TakeReleases();
      taken.insert(taken.end(), some.begin(), some.end());
    }
  });
  CHECK(!HasReleases());
  CHECK_EQ(taken.size(), kEach * kThreads);
  std::sort(taken.begin(), taken.end());
  for (size_t i = 0; i < taken.size(); ++i) CHECK(taken[i] == Number(i));
}

TEST(a_call_that_dies_unrun_releases_all_its_parts) {
  auto* const task = new CallTask;
  task->callable = Number(0);
  task->arguments = Number(1);
  task->context = Number(2);
  task->extra = Number(3);
  Task* const base = task;
  delete base;
  std::vector<void*> taken = TakeReleases();
  std::sort(taken.begin(), taken.end());
  CHECK_EQ(taken.size(), 4u);
  for (size_t i = 0; i < taken.size(); ++i) CHECK(taken[i] == Number(i));
}

}  // namespace mojo_seq::testing::release_list_test
