// Ticks: a clock that is quicker to read than the system's, good enough to say that a while has
// passed. How long a tick is differs from machine to machine; it never stands still.
#pragma once

#include <cstdint>

#if defined(__x86_64__)
#include <x86intrin.h>
#else
#include "event.h"
#endif

namespace mojo_seq {

#if defined(__x86_64__)
inline uint64_t Ticks() { return __rdtsc(); }
constexpr uint64_t kTicksOfAWhile = 75'000;  // 15 us at 5 GHz, 50 us at 1.5 GHz
#else
inline uint64_t Ticks() { return static_cast<uint64_t>(Now()); }
constexpr uint64_t kTicksOfAWhile = 50'000;
#endif

}  // namespace mojo_seq
