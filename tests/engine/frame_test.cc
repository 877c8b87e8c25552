// Frames: headers, and putting them together from whatever pieces arrive.

#include "frame.h"

#include "check.h"
#include "frames.h"
#include "odd_descriptors.h"
#include "random.h"
#include "sockets.h"

namespace mojo_seq::testing::frame_test {

using Frames = std::vector<InFrame>;

bool Feed(FrameParser& parser, const ByteVector& bytes, Frames* frames) {
  return parser.Feed(bytes.data(), bytes.size(), frames);
}

std::vector<ScopedFd> Nulls(size_t count) {
  std::vector<ScopedFd> made;
  while (made.size() < count) made.push_back(DevNull());
  return made;
}

// --- headers ---

TEST(a_header_of_our_own_is_valid) {
  const FrameHeader header = MakeHeader(1, 2);
  CHECK(header.IsValid());
  CHECK_EQ(header.sender, static_cast<uint32_t>(getpid()));
  CHECK_EQ(header.inline_meta(), 1u);
  CHECK_EQ(header.inline_payload(), 2u);
}

TEST(what_is_in_memory_is_not_in_the_stream) {
  FrameHeader header = MakeHeader(10, 20);
  header.flags = kMetaInMemory;
  CHECK_EQ(header.inline_meta(), 0u);
  CHECK_EQ(header.inline_payload(), 20u);
  header.flags = kMetaInMemory | kPayloadInMemory;
  CHECK_EQ(header.inline_payload(), 0u);
}

TEST(sizes_are_limited_exactly) {
  CHECK(MakeHeader(kMaxInlineMeta, MaxMessageBytes()).IsValid());
  CHECK(!MakeHeader(kMaxInlineMeta + 1, 0).IsValid());
  CHECK(!MakeHeader(0, MaxMessageBytes() + 1).IsValid());
  FrameHeader header = MakeHeader(kMaxInlineMeta + 1, 0);
  header.flags = kMetaInMemory;
  CHECK(header.IsValid());
  header.descriptors = kMaxFrameDescriptors;
  CHECK(header.IsValid());
  header.descriptors = kMaxFrameDescriptors + 1;
  CHECK(!header.IsValid());
}

TEST(the_limit_of_payloads_can_be_set) {
  const size_t before = MaxMessageBytes();
  SetMaxMessageBytes(1'000);
  const bool within = MakeHeader(0, 1'000).IsValid();
  const bool beyond = MakeHeader(0, 1'001).IsValid();
  SetMaxMessageBytes(before);
  CHECK(within);
  CHECK(!beyond);
}

// --- from pieces ---

// A few frames of all kinds, with meta of our own making.
struct Stream {
  Stream() {
    for (size_t nbytes : {0, 1, 31, 32, 33, 500, 5'000}) Add({}, Pattern(nbytes, nbytes));
    Add(ByteVector(3, 'm'), "");
    Add(ByteVector(70, 'n'), Pattern(70, 1));
    Add(ByteVector(1, 'o'), "last");
  }
  void Add(const ByteVector& meta, const std::string& payload) {
    Append(&bytes, MetaFrame(meta, 0, payload));
    metas.push_back(meta);
    payloads.push_back(payload);
  }
  void Check(const Frames& frames) const {
    CHECK_EQ(frames.size(), payloads.size());
    for (size_t i = 0; i < frames.size(); ++i) {
      CHECK(MetaOf(frames[i]) == metas[i]);
      CHECK(TextOf(frames[i]) == payloads[i]);
    }
  }
  ByteVector bytes;
  std::vector<ByteVector> metas;
  std::vector<std::string> payloads;
};

TEST(many_frames_at_once) {
  const Stream stream;
  FrameParser parser;
  Frames frames;
  CHECK(Feed(parser, stream.bytes, &frames));
  stream.Check(frames);
  CHECK(!parser.IsInside());
}

TEST(byte_by_byte) {
  const Stream stream;
  FrameParser parser;
  Frames frames;
  for (uint8_t byte : stream.bytes) CHECK(parser.Feed(&byte, 1, &frames));
  stream.Check(frames);
  CHECK(!parser.IsInside());
}

TEST(in_random_pieces) {
  const Stream stream;
  Random random(1);
  for (int round = 0; round < 300; ++round) {
    FrameParser parser;
    Frames frames;
    const ByteVector& bytes = stream.bytes;
    for (size_t position = 0; position < bytes.size();) {
      size_t amount = std::min(1 + random.Below(random.OneIn(3) ? 3'000 : 60),
                               bytes.size() - position);
      const size_t missing = parser.body_missing();
      if (missing > 0 && random.OneIn(2)) {
        // Read in place, as a long body is.
        amount = std::min(amount, missing);
        memcpy(parser.body_target(), bytes.data() + position, amount);
        CHECK(parser.Filled(amount, &frames));
      } else {
        CHECK(parser.Feed(bytes.data() + position, amount, &frames));
      }
      position += amount;
    }
    stream.Check(frames);
  }
}

TEST(what_is_missing_of_a_body_is_known) {
  FrameParser parser;
  Frames frames;
  CHECK_EQ(parser.body_missing(), 0u);
  const ByteVector bytes = MetaFrame(ByteVector(10, 'm'), 0, "payload");
  CHECK(parser.Feed(bytes.data(), 31, &frames));
  CHECK_EQ(parser.body_missing(), 0u);
  CHECK(parser.IsInside());
  CHECK(parser.Feed(bytes.data() + 31, 1, &frames));
  CHECK_EQ(parser.body_missing(), 10u);  // of the meta, which is elsewhere
  CHECK(parser.Feed(bytes.data() + 32, 4, &frames));
  CHECK_EQ(parser.body_missing(), 6u);
  CHECK(parser.Feed(bytes.data() + 36, 6, &frames));
  CHECK_EQ(parser.body_missing(), 7u);
  CHECK(parser.Feed(bytes.data() + 42, 7, &frames));
  CHECK_EQ(parser.body_missing(), 0u);
  CHECK_EQ(frames.size(), 1u);
  CHECK(!parser.IsInside());
}

TEST(nothing_is_understood_after_a_bad_header) {
  ByteVector bytes = PlainFrame("good");
  Append(&bytes, ByteVector(100, 7));
  for (size_t step : {size_t{1}, size_t{10}, bytes.size()}) {
    FrameParser parser;
    Frames frames;
    bool good = true;
    for (size_t position = 0; good && position < bytes.size(); position += step) {
      good = parser.Feed(bytes.data() + position, std::min(step, bytes.size() - position), &frames);
    }
    CHECK(!good);
    CHECK_EQ(frames.size(), 1u);
    CHECK(TextOf(frames[0]) == "good");
  }
}

// --- descriptors ---

TEST(descriptors_belong_to_the_message_that_follows_them) {
  FrameParser parser;
  Frames frames;
  parser.AddDescriptors(Nulls(253));
  CHECK(Feed(parser, DescriptorsFrame(253), &frames));
  CHECK(frames.empty());
  CHECK(parser.IsInside());
  parser.AddDescriptors(Nulls(2));
  CHECK(Feed(parser, MetaFrame(ByteVector(5, 'm'), 2), &frames));
  CHECK(Feed(parser, PlainFrame("next"), &frames));
  CHECK_EQ(frames.size(), 2u);
  CHECK_EQ(frames[0].descriptors.size(), 255u);
  CHECK(frames[1].descriptors.empty());
}

struct Found {
  bool any = false;
  size_t before = 999'999;
  size_t count = 999'999;
};
Found Find(const FrameParser& parser, const ByteVector& bytes, size_t nbytes = SIZE_MAX) {
  Found found;
  found.any = parser.FindDescriptors(bytes.data(), std::min(nbytes, bytes.size()), &found.before,
                                     &found.count);
  return found;
}

TEST(the_first_header_with_descriptors_is_found_wherever_reading_has_come_to) {
  ByteVector bytes = PlainFrame("12345");
  Append(&bytes, MetaFrame(ByteVector(11, 'm'), 0, "payload"));
  const size_t at = bytes.size();
  Append(&bytes, MetaFrame(ByteVector(3, 'm'), 7, "x"));
  Append(&bytes, PlainFrame("after"));
  for (size_t fed = 0; fed < at; ++fed) {
    FrameParser parser;
    Frames frames;
    CHECK(parser.Feed(bytes.data(), fed, &frames));
    const ByteVector rest(bytes.begin() + static_cast<ssize_t>(fed), bytes.end());
    const Found found = Find(parser, rest);
    CHECK(found.any);
    CHECK_EQ(found.before, at - fed);
    CHECK_EQ(found.count, 7u);
  }
}

TEST(a_look_that_ends_inside_a_header_knows_where_it_begins) {
  ByteVector bytes = PlainFrame("12345");
  const size_t at = bytes.size();
  Append(&bytes, MetaFrame(ByteVector(3, 'm'), 7));
  FrameParser parser;
  for (size_t nbytes = at + 1; nbytes < at + sizeof(FrameHeader); ++nbytes) {
    const Found found = Find(parser, bytes, nbytes);
    CHECK(found.any);
    CHECK_EQ(found.before, at);
    CHECK_EQ(found.count, 0u);
  }
}

TEST(nothing_is_found_where_there_is_nothing) {
  FrameParser parser;
  CHECK(!Find(parser, PlainFrame("x")).any);
  CHECK(!Find(parser, ByteVector(100, 'x')).any);
  CHECK(!Find(parser, {}).any);
  ByteVector bytes = PlainFrame("x");
  Append(&bytes, ByteVector(100, 'x'));  // garbage behind
  CHECK(!Find(parser, bytes).any);
  const ByteVector half = FrameOf(MakeHeader(0, 1'000), "only the beginning");
  CHECK(!Find(parser, half).any);
}

// --- going on elsewhere ---

TEST(a_frame_that_has_begun_can_be_finished_by_another_parser_at_every_byte) {
  ByteVector bytes = PlainFrame("before");
  const size_t begin = bytes.size();
  Append(&bytes, MetaFrame(ByteVector(40, 'm'), 0, Pattern(60, 1)));
  for (size_t cut = 0; cut <= bytes.size(); ++cut) {
    FrameParser first;
    Frames frames;
    CHECK(first.Feed(bytes.data(), cut, &frames));
    ByteVector taken;
    std::vector<ScopedFd> descriptors;
    first.TakeBegun(&taken, &descriptors);
    CHECK(!first.IsInside());
    CHECK_EQ(taken.size(), cut < begin ? cut : cut == bytes.size() ? 0 : cut - begin);
    CHECK(std::equal(taken.begin(), taken.end(), bytes.begin() + (cut < begin ? 0 : begin)));
    FrameParser second;
    CHECK(second.GiveBegun(taken, std::move(descriptors)));
    CHECK(second.Feed(bytes.data() + cut, bytes.size() - cut, &frames));
    CHECK_EQ(frames.size(), 2u);
    CHECK(TextOf(frames[0]) == "before");
    CHECK(TextOf(frames[1]) == Pattern(60, 1));
    CHECK(MetaOf(frames[1]) == ByteVector(40, 'm'));
  }
}

TEST(descriptors_that_came_in_advance_go_along) {
  FrameParser first;
  Frames frames;
  first.AddDescriptors(Nulls(3));
  CHECK(Feed(first, DescriptorsFrame(3), &frames));
  ByteVector taken;
  std::vector<ScopedFd> descriptors;
  first.TakeBegun(&taken, &descriptors);
  CHECK(taken.empty());
  CHECK_EQ(descriptors.size(), 3u);
  CHECK(!first.IsInside());
  CHECK(Feed(first, PlainFrame("again"), &frames));  // as good as new
  CHECK(frames[0].descriptors.empty());
  FrameParser second;
  CHECK(second.GiveBegun(taken, std::move(descriptors)));
  second.AddDescriptors(Nulls(2));
  CHECK(Feed(second, MetaFrame(ByteVector(1, 'm'), 2), &frames));
  CHECK_EQ(frames[1].descriptors.size(), 5u);
}

TEST(a_message_that_has_begun_keeps_its_descriptors_at_every_byte) {
  const ByteVector bytes = MetaFrame(ByteVector(9, 'm'), 2, "payload");
  for (size_t cut = sizeof(FrameHeader); cut < bytes.size(); ++cut) {
    FrameParser first;
    Frames frames;
    first.AddDescriptors(Nulls(3));
    CHECK(Feed(first, DescriptorsFrame(3), &frames));
    first.AddDescriptors(Nulls(2));
    CHECK(first.Feed(bytes.data(), cut, &frames));
    ByteVector taken;
    std::vector<ScopedFd> descriptors;
    first.TakeBegun(&taken, &descriptors);
    CHECK_EQ(descriptors.size(), 5u);
    FrameParser second;
    CHECK(second.GiveBegun(taken, std::move(descriptors)));
    CHECK(second.Feed(bytes.data() + cut, bytes.size() - cut, &frames));
    CHECK_EQ(frames.size(), 1u);
    CHECK_EQ(frames[0].descriptors.size(), 5u);
  }
}

TEST(what_is_no_beginning_is_refused) {
  const ByteVector whole = PlainFrame("whole");
  CHECK(!FrameParser().GiveBegun(whole, {}));
  CHECK(!FrameParser().GiveBegun(ByteVector(40, 'x'), {}));
  CHECK(!FrameParser().GiveBegun(MetaFrame(ByteVector(5, 'm'), 1), {}));
  ByteVector begun = MetaFrame(ByteVector(5, 'm'), 2);
  begun.pop_back();
  CHECK(!FrameParser().GiveBegun(begun, Nulls(1)));
  CHECK(FrameParser().GiveBegun(begun, Nulls(2)));
  ByteVector two = DescriptorsFrame(1);
  Append(&two, PlainFrame("x"));
  CHECK(!FrameParser().GiveBegun(two, Nulls(1)));
}

TEST(as_many_descriptors_as_were_announced) {
  for (size_t announced = 0; announced < 4; ++announced) {
    for (size_t added = 0; added < 4; ++added) {
      FrameParser parser;
      Frames frames;
      parser.AddDescriptors(Nulls(added));
      CHECK_EQ(Feed(parser, MetaFrame(ByteVector(1, 'm'), announced), &frames), announced == added);
    }
  }
}

}  // namespace mojo_seq::testing::frame_test
