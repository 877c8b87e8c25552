// Spinner: decides whether it pays to stay awake for a moment before sleeping.
//
// A spin saves the wake-up of a sleeping processor (20-50 us, and a third of that for who sends it),
// but only where the other side runs on another processor and answers soon. Each place where
// threads wait has a spinner, which learns from what came there lately: a spin in vain is the last
// one until short waits show that another is likely to pay, twice as many each time. Nothing comes
// soon on an idle pipe, so nobody spins there.
//
// Two sides that always put each other to sleep would never find out that it is enough if both stay
// awake. So a wait counts as short if it would have been but for the other side's wake-up.
#pragma once

#include <algorithm>

#include "spin_control.h"

namespace mojo_seq {

// How many waits have begun. Who posts something usually still holds a lock of the embedder's (in
// Python the GIL) for a moment, and lets go of it at the latest when it begins to wait itself.
inline std::atomic<uint32_t> waits_begun{0};

// Any thread. Two that wait at the same place may lose a lesson. Small, for each pipe has one.
class Spinner {
 public:
  static constexpr uint8_t kWakeUp = 60;  // us: the longest usual one of a processor

  // `budget`: us that a spin may take.
  explicit Spinner(uint8_t budget = kWakeUp) : budget_(budget) {}

  // False: the next spin is likely to be in vain. Saves the caller from preparing for it.
  bool WantsToSpin() const { return wanted_.load(std::memory_order_relaxed) == 0; }

  // Calls `ready` until it is true or the budget is used up. With `grace`, it then waits for the
  // other side to let go of the embedder's lock: whoever finds it taken goes to sleep after all.
  // `peer`: the processor that the other side is known to run on, if it is.
  template <typename F>
  bool Spin(F&& ready, bool grace = false, int peer = -1) {
    const uint32_t begun = waits_begun.fetch_add(1, std::memory_order_relaxed) + 1;
    if (!WantsToSpin()) return false;
    const Time begin = Now();
    if (peer < 0) peer = peer_.load(std::memory_order_relaxed);
    if (!SpinControl::MaySpin(begin, peer)) return false;
    // Those who are done at once are not counted: where two take turns, one still looks when the
    // other begins.
    if (!Look(ready)) {
      const Spinning spinning;
      if (!spinning.may) return false;
      bool came = false;
      while (!came && Now() < begin + budget()) came = Look(ready);
      if (!came) {
        OnVain();
        return false;
      }
    }
    if (vain_.load(std::memory_order_relaxed) != 0) vain_.store(0, std::memory_order_relaxed);
    if (grace) AwaitOtherWait(begun);
    return true;
  }

  // After a sleep since `begin` that somebody ended by setting `event`.
  void Slept(Time begin, const Event& event) {
    if (event.woken_at() > begin) Slept(begin, event.woken_at(), event.waker());
  }
  // After a sleep since `begin`. `ended`: when the other side ended it, on processor `waker`, -1: not
  // known. Before `begin` nothing can have ended it: then it is not known when that was.
  void Slept(Time begin, Time ended, int waker) {
    peer_.store(static_cast<int16_t>(waker), std::memory_order_relaxed);
    if (ended < begin) ended = Now() - kWakeUp * kMicrosecond;
    const uint16_t wanted = wanted_.load(std::memory_order_relaxed);
    if (ended - begin > budget() + kOtherWakeUp) {
      if (wanted < kAfterLong) wanted_.store(kAfterLong, std::memory_order_relaxed);
    } else if (wanted > 0) {
      wanted_.store(static_cast<uint16_t>(wanted - 1), std::memory_order_relaxed);
    }
  }

  // Says to the processor that this is a spin.
  static void Relax() {
#if defined(__x86_64__) || defined(__i386__)
    __builtin_ia32_pause();
#elif defined(__aarch64__)
    asm volatile("yield");
#endif
  }

 private:
  static constexpr Time kOtherWakeUp = 100'000;
  static constexpr Time kGrace = 5'000;         // between posting and letting go
  static constexpr uint16_t kAfterLong = 2;
  static constexpr uint8_t kMostVain = 10;

  struct Spinning {
    ~Spinning() {
      if (may) SpinControl::End();
    }
    const bool may = SpinControl::Begin();
  };

  template <typename F>
  static bool Look(F& ready) {
    for (int i = 0; i < 32; ++i) {
      if (ready()) return true;
      Relax();
    }
    return false;
  }

  Time budget() const { return budget_ * kMicrosecond; }
  void OnVain() {
    const uint8_t vain = vain_.load(std::memory_order_relaxed);
    wanted_.store(static_cast<uint16_t>(1u << vain), std::memory_order_relaxed);
    if (vain < kMostVain) vain_.store(static_cast<uint8_t>(vain + 1), std::memory_order_relaxed);
  }
  static void AwaitOtherWait(uint32_t begun) {
    const Time end = Now() + kGrace;
    while (waits_begun.load(std::memory_order_relaxed) == begun && Now() < end) Relax();
  }

  std::atomic<uint16_t> wanted_{0};  // short waits before the next spin
  std::atomic<int16_t> peer_{-1};    // the processor of who last woke us
  std::atomic<uint8_t> vain_{0};     // spins in vain since one that was not
  const uint8_t budget_;
};
static_assert(sizeof(Spinner) == 6);

}  // namespace mojo_seq
