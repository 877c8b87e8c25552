// Pipes for tests that are used straight through their rings.
#pragma once

#include <string>
#include <vector>

#include "check.h"
#include "message_pipes.h"
#include "rings.h"
#include "sockets.h"

namespace mojo_seq::testing {

inline Result WriteQuickly(const PipeEnd& end, const std::vector<std::string>& texts) {
  ApiCall call;
  std::vector<ByteSpan> spans;
  for (const std::string& text : texts) {
    spans.push_back({reinterpret_cast<const uint8_t*>(text.data()), text.size()});
  }
  return end->WriteQuickly(end.value(), spans.data(), spans.size());
}

inline bool ReadQuickly(const PipeEnd& end, std::string* text) {
  MessagePipeEndpoint::QuickReader reader(end.get(), end.value());
  const uint8_t* data;
  size_t nbytes;
  if (!reader.Look(&data, &nbytes)) return false;
  *text = Text(data, nbytes);
  reader.Pop();
  return true;
}

// As the binding does it.
inline Result WriteEither(const PipeEnd& end, const std::string& text) {
  if (text.size() <= kMostInRing && WriteQuickly(end, {text}) == Result::kOk) return Result::kOk;
  return Write(end, text);
}
inline Result ReadEither(const PipeEnd& end, std::string* text) {
  if (ReadQuickly(end, text)) return Result::kOk;
  OwnedMessage message;
  const Result result = Read(end, &message);
  if (result == Result::kOk) *text = TextOf(*message);
  return result;
}

// With rings in both directions, and readers that are awake.
struct HotPipe : public RemotePipe {
  explicit HotPipe(int buffer = 0) : RemotePipe(buffer) {
    for (int i = 0; i < 3; ++i) {
      CHECK_OK(Write(a, "x"));
      CHECK_EQ(ReadText(b), "x");
      CHECK_OK(Write(b, "x"));
      CHECK_EQ(ReadText(a), "x");
    }
  }
};

}  // namespace mojo_seq::testing
