// Event: a thread sleeps until another one sets it. One futex word, no mutex.
#pragma once

#include <atomic>
#include <cstdint>

#include "ref.h"

namespace mojo_seq {

// Monotonic time in nanoseconds. kNever is later than any.
using Time = int64_t;
constexpr Time kNever = INT64_MAX;
Time Now();

// Sleeps while `*word == expected`, until `deadline`. May wake for no reason.
enum class Wake { kWoken, kTimedOut, kInterrupted };
Wake FutexWait(std::atomic<uint32_t>* word, uint32_t expected, Time deadline);
void FutexWake(std::atomic<uint32_t>* word, int how_many);

// Decides whether it pays to spin before sleeping. Owned by one waiting thread.
// A spin saves the wake-up of a sleeping core (20 us), but only where the other side runs on
// another core: after a spin in vain the next ones are skipped, twice as many each time.
class Spinner {
 public:
  // Calls `ready` until it is true or the budget is used up.
  template <typename F>
  bool Spin(F&& ready) {
    if (skip_ > 0) {
      --skip_;
      return false;
    }
    const Time end = Now() + kBudget;
    do {
      for (int i = 0; i < 32; ++i) {
        if (ready()) {
          penalty_ = 0;
          return true;
        }
        Relax();
      }
    } while (Now() < end);
    penalty_ = penalty_ < kMaxPenalty ? penalty_ * 2 + 1 : kMaxPenalty;
    skip_ = penalty_;
    return false;
  }

 private:
  static constexpr Time kBudget = 20'000;
  static constexpr uint32_t kMaxPenalty = 1023;
  static void Relax() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

  uint32_t skip_ = 0;
  uint32_t penalty_ = 0;
};

// What wakes a thread. Waking is a system call, so it is left until no lock is held.
class Waker : public RefCounted {
 public:
  virtual void Wake() = 0;
};

// Stays set until Reset. Any thread may Set; one thread waits.
class Event : public Waker {
 public:
  // True if a thread sleeps and must be woken with Wake().
  bool Set() { return state_.exchange(kSet, std::memory_order_seq_cst) == kSleeping; }
  void Wake() override { FutexWake(&state_, 1); }
  // An exchange, so that whoever resets it and then looks around sees all that was done before the
  // Set that this undoes.
  void Reset() { state_.exchange(kClear, std::memory_order_seq_cst); }
  bool IsSet() const { return state_.load(std::memory_order_acquire) == kSet; }

  // Returns at the first of: set, deadline passed (kTimedOut), a signal handler ran (kInterrupted).
  mojo_seq::Wake Wait(Time deadline, Spinner* spinner = nullptr);

 private:
  static constexpr uint32_t kClear = 0;
  static constexpr uint32_t kSleeping = 1;
  static constexpr uint32_t kSet = 2;
  std::atomic<uint32_t> state_{kClear};
};

}  // namespace mojo_seq
