// Atomic words in memory that two processes share.
#pragma once

#include <cstdint>

namespace mojo_seq {

inline uint32_t LoadWord(const uint8_t* address) {
  return __atomic_load_n(reinterpret_cast<const uint32_t*>(address), __ATOMIC_SEQ_CST);
}

inline void StoreWord(uint8_t* address, uint32_t value) {
  __atomic_store_n(reinterpret_cast<uint32_t*>(address), value, __ATOMIC_SEQ_CST);
}

// What was found there; it has become `desired` if that is `expected`.
inline uint32_t CompareExchangeWord(uint8_t* address, uint32_t expected, uint32_t desired) {
  __atomic_compare_exchange_n(reinterpret_cast<uint32_t*>(address), &expected, desired, false,
                              __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  return expected;
}

}  // namespace mojo_seq
