// Channels for tests, driven by hand.
#pragma once

#include <string>
#include <vector>

#include "channel.h"
#include "check.h"
#include "frames.h"
#include "odd_descriptors.h"
#include "sockets.h"

namespace mojo_seq::testing {

inline Ref<Channel> MakeChannel(ScopedFd fd) { return MakeRef<Channel>(std::move(fd), 0, 0); }

struct ChannelPair {
  explicit ChannelPair(int buffer = 0) {
    SocketPair sockets(buffer);
    a = MakeChannel(std::move(sockets.a));
    b = MakeChannel(std::move(sockets.b));
  }
  Ref<Channel> a, b;
};

inline Result Send(Channel* channel, const std::string& text) {
  const OwnedMessage message = MakeMessage(text);
  Channel::Guard guard(channel->send_mutex());
  return channel->Send(*message);
}
inline Result SendBatch(Channel* channel, const std::vector<std::string>& texts) {
  MessageList messages;
  for (const std::string& text : texts) messages.Push(MakeMessage(text).release());
  Channel::Guard guard(channel->send_mutex());
  return channel->SendBatch(messages);
}
inline Result Flush(Channel* channel) {
  Channel::Guard guard(channel->send_mutex());
  return channel->Flush();
}
inline Result Receive(Channel* channel, std::vector<InFrame>* frames) {
  Channel::Guard guard(channel->receive_mutex());
  return channel->Receive(frames);
}

// A message with this many descriptors, which are all the same, in frames as the engine makes them.
inline std::vector<OutFrame> MakeFrames(const std::string& text, size_t descriptors) {
  std::vector<OutFrame> frames;
  const auto null = MakeRef<SharedFd>(DevNull());
  const auto add = [&](FrameHeader header, size_t count) {
    header.descriptors = static_cast<uint16_t>(count);
    OutFrame& frame = frames.emplace_back();
    frame.head = FrameOf(header);
    for (size_t i = 0; i < count; ++i) frame.descriptors.push_back(null);
  };
  size_t left = descriptors;
  for (; left > kMaxFrameDescriptors; left -= kMaxFrameDescriptors) {
    FrameHeader more = MakeHeader(0, 0);
    more.type = FrameType::kDescriptors;
    add(more, kMaxFrameDescriptors);
    frames.back().messages = 0;
  }
  add(MakeHeader(0, text.size()), left);
  const OwnedMessage message = MakeMessage(text);
  frames.back().payload = message->payload;
  frames.back().payload_bytes = message->size;
  return frames;
}
inline Result SendFrames(Channel* channel, std::vector<OutFrame> frames) {
  Channel::Guard guard(channel->send_mutex());
  return channel->Send(std::move(frames));
}

// Lets both work until `from` has nothing left and `to` has received `count` frames.
inline std::vector<InFrame> Transfer(Channel* from, Channel* to, size_t count) {
  std::vector<InFrame> all;
  const Time deadline = Now() + kSoon;
  while (all.size() < count || from->unsent() > 0) {
    CHECK(Now() < deadline);
    CHECK(Flush(from) != Result::kFailedPrecondition);
    std::vector<InFrame> frames;
    const Result result = Receive(to, &frames);
    CHECK(result == Result::kOk || result == Result::kShouldWait);
    for (InFrame& frame : frames) all.push_back(std::move(frame));
  }
  CHECK_EQ(all.size(), count);
  return all;
}

}  // namespace mojo_seq::testing
