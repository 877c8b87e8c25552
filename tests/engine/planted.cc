// Defects planted on purpose, one for each thing that is to find such a defect in the tests. They
// are no tests: test_engine.py sees to it that each of them is found.

#include <mutex>
#include <thread>

#include "api.h"
#include "check.h"
#include "message_pipes.h"
#include "threads.h"

namespace mojo_seq::testing::planted {

TEST(failed_check) { CHECK_EQ(1 + 1, 3); }

TEST(failed_check_on_a_thread) {
  std::thread thread([] { CHECK(false); });
  thread.join();
}

TEST(open_handle_left) {
  Pipe pipe;
  new Pipe(std::move(pipe));
}

TEST(library_assertion) {
  std::vector<int> empty;
  volatile size_t index = 3;
  empty[index] = 1;
}

// Out of the compiler's sight.
char* volatile hidden = nullptr;

TEST(use_after_free) {
  hidden = new char[8];
  delete[] hidden;
  hidden[3] = 1;
}

TEST(memory_leak) {
  hidden = new char[77];
  hidden = nullptr;
}

TEST(signed_overflow) {
  volatile int large = INT32_MAX;
  large = large + 1;
}

TEST(data_race) {
  int shared = 0;
  RunTogether(2, [&](size_t) {
    for (int i = 0; i < 1'000; ++i) ++shared;
  });
  CHECK(shared > 0);
}

TEST(lock_order_inversion) {
  std::mutex first, second;
  const auto lock = [](std::mutex& one, std::mutex& other) {
    std::lock_guard<std::mutex> outer(one);
    std::lock_guard<std::mutex> inner(other);
  };
  std::thread thread([&] { lock(first, second); });
  thread.join();
  std::thread([&] { lock(second, first); }).join();
}

TEST(hang) {
  for (;;) sched_yield();
}

}  // namespace mojo_seq::testing::planted
