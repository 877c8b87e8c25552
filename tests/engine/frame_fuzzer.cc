// The libFuzzer target; built as such where clang is installed. The first byte says how many of the
// descriptors of all kinds come with the first bytes that follow.

#include "frame_fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t nbytes) {
  using namespace mojo_seq::testing;
  static const auto* const odd =
      new std::vector<std::pair<std::string, mojo_seq::ScopedFd>>(OddDescriptors());
  if (nbytes < 2) return 0;
  std::vector<int> fds;
  for (size_t i = 0; i < data[0] % 8u; ++i) {
    fds.push_back((*odd)[(data[1] + i) % odd->size()].second.get());
  }
  const ByteVector bytes(data + 2, data + nbytes);
  FeedPipe({{bytes, fds}});
  if (bytes.size() >= sizeof(mojo_seq::FrameHeader)) {
    mojo_seq::FrameHeader header;
    memcpy(&header, bytes.data(), sizeof header);
    header.meta_bytes = bytes.size() - sizeof header;
    header.flags &= mojo_seq::kPayloadInMemory;
    FeedBundle(header, ByteVector(bytes.begin() + sizeof header, bytes.end()), fds);
  }
  return 0;
}
