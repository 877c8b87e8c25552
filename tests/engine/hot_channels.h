// Channels with rings for tests, driven by hand.
#pragma once

#include "channels.h"
#include "rings.h"

namespace mojo_seq::testing {

inline std::vector<std::string> Texts(std::vector<InFrame> frames) {
  std::vector<std::string> texts;
  for (const InFrame& frame : frames) texts.push_back(TextOf(frame));
  return texts;
}
inline std::vector<std::string> ReceiveTexts(Channel* channel) {
  std::vector<InFrame> frames;
  const Result result = Receive(channel, &frames);
  CHECK(result == Result::kOk || result == Result::kShouldWait);
  return Texts(std::move(frames));
}

// A pair whose one direction has a ring, and a reader that is awake.
struct HotPair : public ChannelPair {
  explicit HotPair(int buffer = 0) : ChannelPair(buffer) {
    CHECK_OK(Send(a.get(), "offer"));
    CHECK(ReceiveTexts(b.get()) == std::vector<std::string>{"offer"});
    CHECK_OK(Send(a.get(), "wake"));  // the reader is taken for asleep: by the socket
    CHECK(ReceiveTexts(b.get()) == std::vector<std::string>{"wake"});
    CHECK_EQ(LiveCount(Kind::kRing), 2);
  }
  const WithRings with{RingMode::kAtOnce};
};

}  // namespace mojo_seq::testing
