// Somebody who writes what he likes into a ring that others use.
#pragma once

#include <algorithm>

#include "check.h"
#include "random.h"
#include "rings.h"
#include "shared_memory.h"

namespace mojo_seq::testing {

class RingLiar {
 public:
  // Where the words are that both sides see; see RingControl.
  enum Word : size_t { kWritten = 0, kProcess = 8, kRead = 64, kReader = 128, kDecision = 132 };

  explicit RingLiar(int fd) {
    CHECK_OK(Mapping::Map(fd, 0, kControl + kRingBytes, false, &memory_));
  }
  explicit RingLiar(const RingPair& pair) : RingLiar(pair.writer->shared_fd()->fd.get()) {}

  void Say(Word where, uint64_t value) { Store<uint64_t>(where, value); }
  void Say32(Word where, uint32_t value) { Store<uint32_t>(where, value); }
  uint64_t Hear(Word where) const {
    return __atomic_load_n(reinterpret_cast<uint64_t*>(memory_->data() + where), __ATOMIC_ACQUIRE);
  }
  // A record's head; `where` counts from the first record on.
  void Put(uint32_t nbytes, uint32_t number, size_t where = 0) {
    Store<uint32_t>(kControl + where % kRingBytes, nbytes);
    Store<uint32_t>(kControl + where % kRingBytes + 4, number);
  }

  // Some lie of a writer that has come to `offset`, about what the reader comes to next. Most can nearly be
  // true.
  void LieAsWriter(uint64_t offset, uint32_t number, Random* random) {
    static constexpr uint32_t kSizes[] = {0, 1, 8, 9, 4'095, 4'096, 4'097, 0x7fffffff, UINT32_MAX};
    const uint64_t from = std::min(Hear(kRead), offset);
    const uint64_t near = random->OneIn(2) ? from : from + random->Below((offset - from) / 8 + 1) * 8;
    switch (random->Below(8)) {
      case 0: Say(kWritten, random->Next()); break;
      case 1: Say(kWritten, near); break;
      case 2: Say(kWritten, offset + random->Below(kRingBytes / 4) * 8); break;
      case 3: Say(kWritten, offset + random->Below(100)); break;
      case 4: Say(kProcess, random->Next()); break;
      case 5:  // only the size of it
        Store<uint32_t>(kControl + near % kRingBytes, kSizes[random->Below(9)]);
        break;
      case 6: Put(static_cast<uint32_t>(random->Below(300)), number - random->Below(4), near); break;
      case 7:
        for (size_t i = random->Below(2'000); i > 0; --i) {
          Store<uint32_t>(kControl + random->Below(kRingBytes / 4) * 4, random->Next());
        }
        break;
    }
  }
  // The same of a reader; `offset` is where the writer is.
  void LieAsReader(uint64_t offset, Random* random) {
    switch (random->Below(8)) {
      case 0: Say(kRead, random->Next()); break;
      case 1: Say(kRead, offset); break;
      case 2: Say(kRead, offset - std::min<uint64_t>(offset, random->Below(kRingBytes))); break;
      case 3: Say(kRead, offset + random->Below(100)); break;
      case 4: Say32(kReader, random->Below(4)); break;
      case 5: Say32(kReader, random->Next()); break;
      case 6: Say32(kDecision, random->Below(4)); break;
      case 7: Say32(kDecision, random->OneIn(20) ? random->Next() : 1); break;
    }
  }

 private:
  static constexpr size_t kControl = 4096;

  template <typename T>
  void Store(size_t where, uint64_t value) {
    __atomic_store_n(reinterpret_cast<T*>(memory_->data() + where), static_cast<T>(value),
                     __ATOMIC_SEQ_CST);
  }

  Ref<Mapping> memory_;
};

}  // namespace mojo_seq::testing
