// Event: a thread sleeps until another one sets it. One futex word, no mutex.
#pragma once

#include <sched.h>

#include <atomic>
#include <cstdint>

#include "ref.h"

namespace mojo_seq {

// Monotonic time in nanoseconds. kNever is later than any.
using Time = int64_t;
constexpr Time kNever = INT64_MAX;
constexpr Time kMicrosecond = 1'000;
Time Now();

// Sleeps while `*word == expected`, until `deadline`. May wake for no reason.
enum class Wake { kWoken, kTimedOut, kInterrupted };
Wake FutexWait(std::atomic<uint32_t>* word, uint32_t expected, Time deadline);
void FutexWake(std::atomic<uint32_t>* word, int how_many);

class Spinner;

// What wakes a thread. Waking is a system call, so it is left until no lock is held.
class Waker : public RefCounted {
 public:
  virtual void Wake() = 0;
};

// Stays set until Reset. Any thread may Set; one thread waits.
class Event : public Waker {
 public:
  // True if a thread sleeps and must be woken with Wake().
  bool Set() {
    if (state_.exchange(kSet, std::memory_order_seq_cst) != kSleeping) return false;
    waker_.store(sched_getcpu(), std::memory_order_relaxed);
    woken_at_.store(Now(), std::memory_order_relaxed);
    return true;
  }
  void Wake() override { FutexWake(&state_, 1); }
  // An exchange, so that whoever resets it and then looks around sees all that was done before the
  // Set that this undoes.
  void Reset() { state_.exchange(kClear, std::memory_order_seq_cst); }
  bool IsSet() const { return state_.load(std::memory_order_acquire) == kSet; }

  // Returns at the first of: set, deadline passed (kTimedOut), a signal handler ran (kInterrupted).
  // With a spinner it spins first; see there for `grace`.
  mojo_seq::Wake Wait(Time deadline, Spinner* spinner = nullptr, bool grace = false);
  // Of the Set that last found a sleeper: the processor of its thread, and when that was. Who wakes
  // up without having been woken finds older ones.
  int waker() const { return waker_.load(std::memory_order_relaxed); }
  Time woken_at() const { return woken_at_.load(std::memory_order_relaxed); }

 private:
  static constexpr uint32_t kClear = 0;
  static constexpr uint32_t kSleeping = 1;
  static constexpr uint32_t kSet = 2;
  std::atomic<uint32_t> state_{kClear};
  std::atomic<int> waker_{-1};
  std::atomic<Time> woken_at_{0};
};

}  // namespace mojo_seq
