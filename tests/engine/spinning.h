// For tests of those who spin.
#pragma once

#include <pthread.h>
#include <sched.h>

#include "check.h"
#include "spin_control.h"

namespace mojo_seq::testing {

// While it is there, that many threads may spin at once, whatever else the machine has to do.
class AsManyAsLike {
 public:
  explicit AsManyAsLike(int limit = 1'000) { SpinControl::SetLimit(limit); }
  ~AsManyAsLike() { SpinControl::SetLimit(-1); }
  AsManyAsLike(const AsManyAsLike&) = delete;
  AsManyAsLike& operator=(const AsManyAsLike&) = delete;
};

// Keeps the calling thread on the processor that it runs on, and returns its number.
inline int Stay() {
  const int here = sched_getcpu();
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(here, &set);
  CHECK_EQ(pthread_setaffinity_np(pthread_self(), sizeof set, &set), 0);
  return here;
}

}  // namespace mojo_seq::testing
