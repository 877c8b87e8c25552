// Threads for tests: groups that start at the same moment, and a way to know that one sleeps.
#pragma once

#include <sched.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <functional>
#include <thread>
#include <utility>
#include <vector>

namespace mojo_seq::testing {

// Where threads meet before a race, again and again. Spins, so that all leave close together;
// yields, so that it works on one processor.
class Barrier {
 public:
  explicit Barrier(size_t threads) : threads_(threads) {}

  void Wait() {
    const size_t round = round_.load(std::memory_order_acquire);
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == threads_) {
      arrived_.store(0, std::memory_order_relaxed);
      round_.store(round + 1, std::memory_order_release);
      return;
    }
    for (int spins = 0; round_.load(std::memory_order_acquire) == round; ++spins) {
      if (spins > 200) sched_yield();
    }
  }

 private:
  const size_t threads_;
  std::atomic<size_t> arrived_{0};
  std::atomic<size_t> round_{0};
};

// Runs body(0) ... body(count - 1) on as many threads, which start together.
inline void RunTogether(size_t count, const std::function<void(size_t)>& body) {
  Barrier barrier(count);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < count; ++i) {
    threads.emplace_back([&, i] {
      barrier.Wait();
      body(i);
    });
  }
  for (std::thread& thread : threads) thread.join();
}

// Two threads that race `rounds` times: both do their part of a round at the same moment, and
// `between` runs alone before each round and after the last.
inline void Race(size_t rounds, const std::function<void()>& between,
                 const std::function<void()>& one, const std::function<void()>& other) {
  Barrier barrier(2);
  std::thread thread([&] {
    for (size_t i = 0; i < rounds; ++i) {
      barrier.Wait();
      other();
      barrier.Wait();
    }
  });
  for (size_t i = 0; i < rounds; ++i) {
    between();
    barrier.Wait();
    one();
    barrier.Wait();
  }
  between();
  thread.join();
}

// A thread that is expected to block.
class Blocker {
 public:
  explicit Blocker(std::function<void()> body) {
    thread_ = std::thread([this, body = std::move(body)] {
      id_.store(static_cast<int>(gettid()), std::memory_order_release);
      body();
      done_.store(true, std::memory_order_release);
    });
  }
  ~Blocker() { Join(); }
  Blocker(const Blocker&) = delete;
  Blocker& operator=(const Blocker&) = delete;

  // Returns once the kernel says that the thread sleeps (or it has ended). It may sleep for a
  // reason of its own, so a test uses this to make a schedule likely, never to prove it.
  void WaitUntilAsleep() const {
    while (!done()) {
      const int id = id_.load(std::memory_order_acquire);
      if (id != 0 && State(id) == 'S') return;
      sched_yield();
    }
  }
  bool done() const { return done_.load(std::memory_order_acquire); }
  pthread_t native() { return thread_.native_handle(); }
  void Join() {
    if (thread_.joinable()) thread_.join();
  }

 private:
  static char State(int id) {
    char path[64];
    snprintf(path, sizeof path, "/proc/self/task/%d/stat", id);
    FILE* const file = fopen(path, "r");
    if (!file) return 0;
    char state = 0;
    if (fscanf(file, "%*d (%*[^)]) %c", &state) != 1) state = 0;
    fclose(file);
    return state;
  }

  std::atomic<int> id_{0};
  std::atomic<bool> done_{false};
  std::thread thread_;
};

}  // namespace mojo_seq::testing
