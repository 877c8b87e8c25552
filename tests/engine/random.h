// Random numbers that a failure can be replayed with: everything comes from one seed.
#pragma once

#include <cstdint>
#include <cstdlib>

namespace mojo_seq::testing {

inline uint64_t Seed() {
  static const uint64_t seed = [] {
    const char* const given = getenv("MOJO_SEQ_SEED");
    return given ? strtoull(given, nullptr, 0) : 20260101;
  }();
  return seed;
}

// splitmix64: small, fast, and good enough to choose operations with.
class Random {
 public:
  // `stream` tells the users of one seed apart, for instance the threads of a test.
  explicit Random(uint64_t stream) : state_(Seed() * 0x9e3779b97f4a7c15 + stream) { Next(); }

  uint64_t Next() {
    uint64_t z = (state_ += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  // 0 <= result < n.
  size_t Below(size_t n) { return static_cast<size_t>(Next() % n); }
  bool OneIn(size_t n) { return Below(n) == 0; }

 private:
  uint64_t state_;
};

}  // namespace mojo_seq::testing
