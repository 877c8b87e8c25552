// Thousands of streams that are almost right: real ones, with all that can travel, of which bytes,
// pieces and descriptors were changed. No crash, no hang, no leak, no descriptor left.

#include "frame_fuzz.h"

#include "check.h"
#include "children.h"
#include "data_pipes.h"
#include "descriptors.h"
#include "platform_handles.h"
#include "random.h"
#include "shared_buffer.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t nbytes);

namespace mojo_seq::testing::frame_fuzz_test {

// What the engine itself sends for messages of all kinds.
std::vector<Chunk> RealStream(uint64_t seed) {
  Random random(seed);
  HalfPipe pipe;
  RemotePipe spilled(kTinyBuffer);
  for (int i = 0; i < 8; ++i) {
    CHECK_OK(Write(spilled.a, Pattern(1'500, i)));
    CHECK_OK(Write(spilled.b, Pattern(100, i)));
  }
  spilled.a.State();
  Pipe local, inner, closed;
  CHECK_OK(Write(inner.a, "innermost"));
  CHECK_OK(Write(local.a, "unread", {inner.b, NumberedFile(3)}));
  CHECK_OK(Write(closed.a, "last words"));
  CHECK_OK(closed.a.Close());
  DataPipePair producer_leaves(64, 4), consumer_leaves(100);
  CHECK_OK(Write(consumer_leaves.producer, "bytes"));
  Ref<SharedBuffer> buffer;
  CHECK_OK(SharedBuffer::Create(8'192, Guid{1}, &buffer));
  const Handle<SharedBuffer> shared(std::move(buffer));
  std::vector<Chunk> chunks;
  const auto write = [&](const std::string& text, const std::vector<Attached>& handles) {
    CHECK_OK(Write(pipe.end, text, handles));
    for (Chunk& chunk : ReceiveAllRaw(pipe.peer.get())) chunks.push_back(std::move(chunk));
  };
  write(Pattern(random.Below(300), seed), {});
  write("pipes", {spilled.a, local.b, closed.b});
  write("data", {producer_leaves.producer, consumer_leaves.consumer});
  write("memory", {shared, NumberedFile(1)});
  if (random.OneIn(4)) write(Pattern(70'000, seed), {NumberedFile(2)});
  if (random.OneIn(20)) write("", AttachAll(NumberedFiles(300)));
  return chunks;
}

std::vector<Piece> ToPieces(const std::vector<Chunk>& chunks) {
  std::vector<Piece> pieces;
  for (const Chunk& chunk : chunks) {
    Piece& piece = pieces.emplace_back();
    piece.bytes = chunk.bytes;
    for (const ScopedFd& fd : chunk.descriptors) piece.descriptors.push_back(fd.get());
  }
  return pieces;
}

uint64_t Interesting(Random& random) {
  static const uint64_t kValues[] = {0, 1, 2, 7, 31, 32, 127, 128, 253, 254, 255, 4'096, 65'535,
                                     UINT32_MAX, uint64_t{1} << 31, uint64_t{1} << 63, UINT64_MAX};
  return random.OneIn(4) ? random.Next() : kValues[random.Below(sizeof kValues / 8)];
}

void MutateBytes(ByteVector* bytes, Random& random) {
  if (bytes->empty()) return;
  // The numbers that matter are near the beginning.
  const size_t reach = random.OneIn(2) ? std::min<size_t>(bytes->size(), 120) : bytes->size();
  const size_t at = random.Below(reach);
  const auto place = bytes->begin() + static_cast<ssize_t>(at);
  switch (random.Below(6)) {
    case 0: (*bytes)[at] ^= static_cast<uint8_t>(1u << random.Below(8)); break;
    case 1: (*bytes)[at] = static_cast<uint8_t>(random.Next()); break;
    case 2: {
      const uint64_t value = Interesting(random);
      const size_t width = size_t{1} << random.Below(4);
      memcpy(bytes->data() + at, &value, std::min(width, bytes->size() - at));
      break;
    }
    case 3: bytes->resize(at); break;
    case 4: bytes->insert(place, 1 + random.Below(16), static_cast<uint8_t>(random.Next())); break;
    case 5:
      bytes->erase(place, place + static_cast<ssize_t>(std::min(1 + random.Below(16),
                                                               bytes->size() - at)));
      break;
  }
}

void MutateDescriptors(std::vector<int>* fds, const std::vector<int>& others, Random& random) {
  const auto any = [&](size_t count) { return static_cast<ssize_t>(random.Below(count)); };
  switch (random.Below(4)) {
    case 0:
      if (!fds->empty()) fds->erase(fds->begin() + any(fds->size()));
      break;
    case 1: fds->insert(fds->begin() + any(fds->size() + 1), others[random.Below(others.size())]); break;
    case 2:
      if (!fds->empty()) (*fds)[random.Below(fds->size())] = others[random.Below(others.size())];
      break;
    case 3:
      if (!fds->empty()) std::swap((*fds)[random.Below(fds->size())], fds->front());
      break;
  }
}

void Mutate(std::vector<Piece>* pieces, const std::vector<int>& others, Random& random) {
  for (size_t i = 1 + random.Below(3); i > 0 && !pieces->empty(); --i) {
    const size_t at = random.Below(pieces->size());
    const auto place = pieces->begin() + static_cast<ssize_t>(at);
    switch (random.Below(10)) {
      case 0: pieces->erase(place); break;
      case 1: {
        const Piece copy = *place;
        pieces->insert(place, copy);
        break;
      }
      case 2: {
        // Cut in two: the descriptors come with either half.
        Piece rest;
        const size_t cut = random.Below(place->bytes.size() + 1);
        rest.bytes.assign(place->bytes.begin() + static_cast<ssize_t>(cut), place->bytes.end());
        place->bytes.resize(cut);
        if (random.OneIn(4)) rest.descriptors.swap(place->descriptors);
        pieces->insert(place + 1, rest);
        break;
      }
      case 3:
      case 4:
      case 5: MutateDescriptors(&place->descriptors, others, random); break;
      default: MutateBytes(&place->bytes, random); break;
    }
  }
}

struct Foreign {
  Foreign() : odd(OddDescriptors()) {
    for (const auto& [what, fd] : odd) numbers.push_back(fd.get());
  }
  std::vector<std::pair<std::string, ScopedFd>> odd;
  std::vector<int> numbers;
};

TEST(real_streams_are_understood) {
  for (uint64_t seed = 0; seed < 20; ++seed) {
    const std::vector<Chunk> chunks = RealStream(seed);
    HalfPipe pipe;
    for (const Piece& piece : ToPieces(chunks)) {
      SendAllRaw(pipe.peer.get(), piece.bytes, piece.descriptors);
    }
    for (int i = 0; i < 4; ++i) AwaitText(pipe.end);
    CHECK_EQ(TakeBadPeers().size(), 0u);
  }
}

TEST(changed_streams_do_no_harm) {
  const Foreign foreign;
  size_t open = 0;
  for (uint64_t seed = 0; seed < 80; ++seed) {
    const std::vector<Chunk> chunks = RealStream(seed);
    for (uint64_t i = 0; i < 40; ++i) {
      Random random(seed * 1'000 + i);
      std::vector<Piece> pieces = ToPieces(chunks);
      Mutate(&pieces, foreign.numbers, random);
      FeedPipe(pieces);
    }
    if (seed == 5) open = OpenDescriptors().size();
  }
  CHECK(OpenDescriptors().size() < open + 80);  // segments that are kept
}

TEST(changed_meta_does_no_harm) {
  const Foreign foreign;
  for (uint64_t seed = 0; seed < 60; ++seed) {
    for (const Chunk& chunk : RealStream(seed)) {
      if (chunk.descriptors.empty()) continue;
      for (uint64_t i = 0; i < 20; ++i) {
        Random random(seed * 1'000 + i);
        FrameHeader header;
        memcpy(&header, chunk.bytes.data(), sizeof header);
        const size_t nbytes =
            std::min<size_t>(header.inline_meta(), chunk.bytes.size() - sizeof header);
        ByteVector meta(chunk.bytes.begin() + sizeof header,
                        chunk.bytes.begin() + static_cast<ssize_t>(sizeof header + nbytes));
        for (size_t times = 1 + random.Below(3); times > 0; --times) MutateBytes(&meta, random);
        if (random.OneIn(8)) header.flags ^= static_cast<uint8_t>(1 + random.Below(3));
        std::vector<int> fds;
        for (const ScopedFd& fd : chunk.descriptors) fds.push_back(fd.get());
        if (random.OneIn(3)) MutateDescriptors(&fds, foreign.numbers, random);
        FeedBundle(header, meta, fds);
      }
    }
  }
}

TEST(noise_does_no_harm) {
  Child child([](ScopedFd) {
    // What the fuzzer keeps for its inputs is not given back.
    Random random(5);
    for (int i = 0; i < 3'000; ++i) {
      ByteVector bytes(random.Below(200));
      for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random.Next());
      if (bytes.size() > 40 && random.OneIn(2)) {
        const FrameHeader header = MakeHeader(Interesting(random), random.Below(40));
        memcpy(bytes.data() + 2, &header, sizeof header);
      }
      LLVMFuzzerTestOneInput(bytes.data(), bytes.size());
    }
  });
  CHECK_EQ(child.Wait(), 0);
}

}  // namespace mojo_seq::testing::frame_fuzz_test
