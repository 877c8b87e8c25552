// Rings for tests.
#pragma once

#include "check.h"
#include "hot_pipes.h"
#include "odd_descriptors.h"
#include "ring.h"

namespace mojo_seq::testing {

// Whether pipes get rings, as long as this lives.
class WithRings {
 public:
  explicit WithRings(RingMode mode) : before_(HotPipes::mode()) { HotPipes::SetMode(mode); }
  ~WithRings() { HotPipes::SetMode(before_); }

 private:
  const RingMode before_;
};

// No ring is given back for the only reason that the machine was slow.
constexpr Time kUsualIdleTime = INT64_C(3'600'000'000'000);

// Rings that are not used are given back so soon, as long as this lives.
class WithIdleTime {
 public:
  explicit WithIdleTime(Time time) { HotPipes::SetIdleTime(time); }
  ~WithIdleTime() { HotPipes::SetIdleTime(kUsualIdleTime); }
};

// Both sides of one.
struct RingPair {
  RingPair() : writer(RingWriter::Create()) {
    CHECK(writer);
    bool bad = true;
    reader = RingReader::Map(Duplicate(writer->shared_fd()->fd.get()), {}, &bad);
    CHECK(reader && !bad);
  }
  Ref<RingWriter> writer;
  Ref<RingReader> reader;
};

inline bool Push(RingWriter* writer, const std::string& text) {
  return writer->Push(reinterpret_cast<const uint8_t*>(text.data()), text.size());
}
inline std::string Text(const uint8_t* data, size_t nbytes) {
  return {reinterpret_cast<const char*>(data), nbytes};
}
// The next message, taken out.
inline std::string Pop(RingReader* reader) {
  const uint8_t* data;
  size_t nbytes;
  CHECK(reader->Look(&data, &nbytes) == RingReader::Next::kMessage);
  std::string text = Text(data, nbytes);
  reader->Pop();
  return text;
}
inline RingReader::Next Look(RingReader* reader) {
  const uint8_t* data;
  size_t nbytes;
  return reader->Look(&data, &nbytes);
}

}  // namespace mojo_seq::testing
