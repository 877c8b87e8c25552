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
Time Now();

// Sleeps while `*word == expected`, until `deadline`. May wake for no reason.
enum class Wake { kWoken, kTimedOut, kInterrupted };
Wake FutexWait(std::atomic<uint32_t>* word, uint32_t expected, Time deadline);
void FutexWake(std::atomic<uint32_t>* word, int how_many);

// How many waits have begun. Who posts something usually still holds a lock of the embedder's (in
// Python the GIL) for a moment, and lets go of it at the latest when it begins to wait itself.
inline std::atomic<uint32_t> waits_begun{0};

// Decides whether it pays to spin before sleeping. Owned by one waiting thread.
//
// A spin saves the wake-up of a sleeping core (20-50 us), but only where the other side runs on
// another core and answers soon. After a spin in vain the next ones are skipped, twice as many each
// time. The sleeps in between correct that: two threads that always put each other to sleep would
// otherwise never find out that it is enough if both stay awake.
class Spinner {
 public:
  // Calls `ready` until it is true or the budget is used up. With `grace`, it then waits for the
  // other side to let go of the embedder's lock: whoever finds it taken goes to sleep after all.
  template <typename F>
  bool Spin(F&& ready, bool grace = false) {
    const uint32_t begun = waits_begun.fetch_add(1, std::memory_order_relaxed) + 1;
    if (skip_ > 0) {
      --skip_;
      return false;
    }
    const Time end = Now() + kBudget;
    do {
      for (int i = 0; i < 32; ++i) {
        if (ready()) {
          penalty_ = 0;
          if (grace) AwaitOtherWait(begun);
          return true;
        }
        Relax();
      }
    } while (Now() < end);
    penalty_ = penalty_ < kMaxPenalty ? penalty_ * 2 + 1 : kMaxPenalty;
    skip_ = penalty_;
    return false;
  }

  // False: the next Spin will be skipped. Saves the caller from preparing for it.
  bool WantsToSpin() {
    if (skip_ == 0) return true;
    --skip_;
    return false;
  }

  // After a sleep that a thread on processor `waker` ended.
  void Slept(Time duration, int waker) {
    if (waker == sched_getcpu()) {
      skip_ = kMaxPenalty;  // it runs only while we do not
    } else if (duration < kShortSleep && skip_ > kRetry) {
      skip_ = kRetry;
    }
  }

 private:
  static constexpr Time kBudget = 60'000;      // more than the wake-up of a core
  static constexpr Time kShortSleep = 250'000; // a few wake-ups
  static constexpr Time kGrace = 5'000;        // between posting and letting go
  static constexpr uint32_t kMaxPenalty = 1023;
  static constexpr uint32_t kRetry = 7;

  static void AwaitOtherWait(uint32_t begun) {
    const Time end = Now() + kGrace;
    while (waits_begun.load(std::memory_order_relaxed) == begun && Now() < end) Relax();
  }
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
  bool Set() {
    if (state_.exchange(kSet, std::memory_order_seq_cst) != kSleeping) return false;
    waker_.store(sched_getcpu(), std::memory_order_relaxed);
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
  // The processor of the thread whose Set last found a sleeper.
  int waker() const { return waker_.load(std::memory_order_relaxed); }

 private:
  static constexpr uint32_t kClear = 0;
  static constexpr uint32_t kSleeping = 1;
  static constexpr uint32_t kSet = 2;
  std::atomic<uint32_t> state_{kClear};
  std::atomic<int> waker_{-1};
};

}  // namespace mojo_seq
