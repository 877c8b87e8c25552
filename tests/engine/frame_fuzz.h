// What a fuzzer does with bytes: a peer sends them, with descriptors, and hangs up.
#pragma once

#include <algorithm>

#include "bundle.h"
#include "check.h"
#include "frames.h"
#include "message_pipe.h"
#include "odd_descriptors.h"
#include "peer_report.h"
#include "sockets.h"

namespace mojo_seq::testing {

// One sendmsg of a peer.
struct Piece {
  ByteVector bytes;
  std::vector<int> descriptors;  // the caller's
};

// A pipe hears all of it and then the end; what it understands is read and dropped.
inline void FeedPipe(const std::vector<Piece>& pieces) {
  HalfPipe pipe;
  for (const Piece& piece : pieces) {
    if (piece.bytes.empty()) continue;
    const size_t count = std::min<size_t>(piece.descriptors.size(), kMaxFrameDescriptors);
    const std::vector<int> fds(piece.descriptors.begin(),
                               piece.descriptors.begin() + static_cast<ssize_t>(count));
    if (SendRaw(pipe.peer.get(), piece.bytes.data(), piece.bytes.size(), fds) <= 0) break;
    OwnedMessage message;
    Read(pipe.end, &message);
  }
  pipe.peer = ScopedFd();
  OwnedMessage message;
  for (int i = 0; i < 10'000; ++i) {
    const Result result = Read(pipe.end, &message);
    if (result == Result::kFailedPrecondition) break;
    CHECK(result == Result::kOk || result == Result::kShouldWait);
    CHECK(i < 9'999);
  }
  TakeBadPeers();
}

// The same for what comes behind the frames: a header, meta and descriptors as they please.
inline void FeedBundle(const FrameHeader& header, const ByteVector& meta,
                       const std::vector<int>& descriptors) {
  InFrame frame;
  frame.header = header;
  frame.meta = ToPayload(meta);
  if (header.inline_payload() > 0) {
    frame.header.payload_bytes %= 10'000;
    const size_t nbytes = frame.header.payload_bytes;
    if (nbytes > 0) frame.payload = Payload::Allocate(nbytes, true);
  }
  for (int fd : descriptors) frame.descriptors.push_back(Duplicate(fd));
  const OwnedMessage message(BundleReader::Read(std::move(frame)));
}

}  // namespace mojo_seq::testing
