// Ends of pipes between processes that move on: everything that is on its way goes along, in order,
// wherever a message happens to be cut. System rules §4.5, §13.1 to §13.3, §13.11.

#include "check.h"
#include "children.h"
#include "frames.h"
#include "message_pipe.h"
#include "platform_handles.h"
#include "random.h"
#include "rings.h"
#include "sockets.h"
#include "spinner.h"
#include "threads.h"

namespace mojo_seq::testing::message_pipe_remote_transfer_test {

// Sends the end through the pipe and takes it out at the other side.
PipeEnd Move(const PipeEnd& end, const RemotePipe& carrier) {
  CHECK_OK(Write(carrier.a, "carrier", {end}));
  return AwaitHandle<MessagePipeEndpoint>(carrier.b);
}

// --- what has been received, and what has not ---

TEST(unread_messages_travel_with_the_end) {
  RemotePipe pipe, carrier;
  for (int i = 0; i < 1'001; ++i) CHECK_OK(Write(pipe.a, Pattern(i % 200, i)));
  pipe.b.State();  // some of them are in this process now, the rest in the kernel or at the sender
  const PipeEnd moved = Move(pipe.b, carrier);
  for (int i = 1'001; i < 1'011; ++i) CHECK_OK(Write(pipe.a, Pattern(i % 200, i)));
  for (int i = 0; i < 1'011; ++i) CHECK(AwaitText(moved) == Pattern(i % 200, i));
}

TEST(an_end_moves_in_the_middle_of_a_message_that_arrives) {
  const std::string text = Pattern(300, 1);
  const ByteVector frame = PlainFrame(text);
  for (size_t cut = 0; cut <= frame.size(); ++cut) {
    HalfPipe pipe;
    RemotePipe carrier;
    SendAllRaw(pipe.peer.get(), PlainFrame("before"));
    SendAllRaw(pipe.peer.get(), ByteVector(frame.begin(), frame.begin() + static_cast<ssize_t>(cut)));
    CHECK_EQ(ReadText(pipe.end), "before");
    OwnedMessage message;
    if (cut < frame.size()) CHECK_EQ(Read(pipe.end, &message), Result::kShouldWait);
    const PipeEnd moved = Move(pipe.end, carrier);
    SendAllRaw(pipe.peer.get(), ByteVector(frame.begin() + static_cast<ssize_t>(cut), frame.end()));
    SendAllRaw(pipe.peer.get(), PlainFrame("after"));
    CHECK(AwaitText(moved) == text);
    CHECK_EQ(AwaitText(moved), "after");
  }
}

TEST(an_end_moves_again_and_again_while_one_message_arrives) {
  const std::string text = Pattern(200, 2);
  const ByteVector frame = PlainFrame(text);
  HalfPipe pipe;
  RemotePipe carrier;
  PipeEnd end = std::move(pipe.end);
  for (uint8_t byte : frame) {
    CHECK_EQ(SendRaw(pipe.peer.get(), &byte, 1), 1);
    end.State();
    end = Move(end, carrier);
  }
  CHECK(AwaitText(end) == text);
}

TEST(descriptors_of_a_message_that_has_begun_travel_with_the_end) {
  // As the engine sends it: 600 handles are three frames.
  HalfPipe sender;
  CHECK_OK(Write(sender.end, Pattern(500, 3), AttachAll(NumberedFiles(600, 40))));
  std::vector<Chunk> chunks = ReceiveAllRaw(sender.peer.get());
  CHECK_EQ(chunks.size(), 3u);
  for (size_t cut_chunk = 0; cut_chunk < chunks.size(); ++cut_chunk) {
    for (size_t cut : {sizeof(FrameHeader), chunks[cut_chunk].bytes.size() / 2 + 16}) {
      HalfPipe pipe;
      RemotePipe carrier;
      PipeEnd end = std::move(pipe.end);
      for (size_t i = 0; i < chunks.size(); ++i) {
        std::vector<int> fds;
        for (const ScopedFd& fd : chunks[i].descriptors) fds.push_back(fd.get());
        const ByteVector& bytes = chunks[i].bytes;
        const size_t first = i == cut_chunk ? std::min(cut, bytes.size()) : bytes.size();
        const auto middle = bytes.begin() + static_cast<ssize_t>(first);
        SendAllRaw(pipe.peer.get(), ByteVector(bytes.begin(), middle), fds);
        end.State();
        if (i == cut_chunk) end = Move(end, carrier);
        if (middle != bytes.end()) SendAllRaw(pipe.peer.get(), ByteVector(middle, bytes.end()));
      }
      OwnedMessage message;
      CHECK_OK(AwaitRead(end, &message));
      CHECK(TextOf(*message) == Pattern(500, 3));
      CHECK_EQ(message->dispatchers.size(), 600u);
      CHECK_EQ(NumberOf(TakeDispatchers(*message)[599]), 639u);
    }
  }
}

// --- what has been sent, and what has not ---

TEST(unsent_messages_travel_with_the_end) {
  RemotePipe pipe(kTinyBuffer), carrier;
  std::vector<FileHandle> files = NumberedFiles(20);
  for (int i = 0; i < 200; ++i) {
    std::vector<Attached> handles;
    if (i % 10 == 5) handles.emplace_back(files[i / 10]);
    CHECK_OK(Write(pipe.a, Pattern(i * 7 % 5'000, i), handles));
  }
  CHECK(pipe.a->Unsent() > 100);
  const PipeEnd moved = Move(pipe.a, carrier);
  for (int i = 200; i < 210; ++i) CHECK_OK(Write(moved, Pattern(i, i)));
  for (int i = 0; i < 210; ++i) {
    OwnedMessage message;
    CHECK_OK(AwaitRead(pipe.b, &message));
    CHECK(TextOf(*message) == Pattern(i < 200 ? i * 7 % 5'000 : i, i));
    if (i < 200 && i % 10 == 5) CHECK_EQ(NumberOf(TakeDispatchers(*message)[0]), uint64_t(i / 10));
  }
}

TEST(an_end_moves_while_a_message_is_half_sent) {
  const WithRings with(RingMode::kNever);  // frames are read raw, and none but these are expected
  // The reader takes it away in small pieces, so the cut is at ever other places.
  const std::string text = Pattern(150'000 / 3, 4);
  const ByteVector frame = PlainFrame(text);
  HalfPipe pipe(kTinyBuffer);
  RemotePipe carrier;
  PipeEnd end = std::move(pipe.end);
  CHECK_OK(Write(end, text));
  CHECK_OK(Write(end, "next"));
  ByteVector received;
  for (size_t most = 1; received.size() < frame.size() + 36; most += 997) {
    Chunk chunk;
    if (ReceiveRaw(pipe.peer.get(), &chunk, most)) Append(&received, chunk.bytes);
    end = Move(end, carrier);
  }
  ByteVector expected = frame;
  Append(&expected, PlainFrame("next"));
  // The processor that a header names may be another one.
  CHECK_EQ(received.size(), expected.size());
  CHECK(std::equal(expected.begin() + sizeof(FrameHeader), expected.begin() + frame.size(),
                   received.begin() + sizeof(FrameHeader)));
  CHECK(std::equal(expected.end() - 4, expected.end(), received.end() - 4));
}

TEST(large_messages_that_are_unsent_travel_too) {
  RemotePipe pipe(kTinyBuffer), carrier(kTinyBuffer);
  for (int i = 0; i < 30; ++i) CHECK_OK(Write(pipe.a, Pattern(60'000 + 1'000 * i, i)));
  const PipeEnd moved = Move(Move(pipe.a, carrier), carrier);
  for (int i = 0; i < 30; ++i) CHECK(AwaitText(pipe.b) == Pattern(60'000 + 1'000 * i, i));
}

// --- hops ---

TEST(twenty_hops_with_something_on_its_way_in_both_directions) {
  Random random(1);
  RemotePipe pipe(kTinyBuffer);
  RemotePipe carriers[3] = {RemotePipe(kTinyBuffer), RemotePipe(), RemotePipe(kTinyBuffer)};
  PipeEnd a = std::move(pipe.a);
  PipeEnd b = std::move(pipe.b);
  uint64_t written[2] = {}, read[2] = {};
  const auto write = [&](const PipeEnd& end, int direction) {
    for (size_t i = random.Below(6); i > 0; --i) {
      const uint64_t number = written[direction]++;
      CHECK_OK(Write(end, Pattern(number * 131 % 4'000, number)));
    }
  };
  const auto read_some = [&](const PipeEnd& end, int direction, bool all) {
    while (all ? read[direction] < written[direction] : !random.OneIn(4)) {
      OwnedMessage message;
      const Result result = all ? AwaitRead(end, &message) : Read(end, &message);
      if (result != Result::kOk) break;
      const uint64_t number = read[direction]++;
      CHECK(TextOf(*message) == Pattern(number * 131 % 4'000, number));
    }
  };
  for (int hop = 0; hop < 60; ++hop) {
    write(a, 0);
    write(b, 1);
    read_some(b, 0, false);
    read_some(a, 1, false);
    PipeEnd& moving = random.OneIn(2) ? a : b;
    moving = Move(moving, carriers[random.Below(3)]);
  }
  read_some(b, 0, true);
  read_some(a, 1, true);
  CHECK_EQ(read[0], written[0]);
  CHECK_EQ(read[1], written[1]);
}

TEST(both_ends_move_at_once_through_different_carriers) {
  for (int buffer : {0, kTinyBuffer}) {
    RemotePipe pipe(buffer), one, other;
    for (int i = 0; i < 50; ++i) {
      CHECK_OK(Write(pipe.a, Pattern(300, 2 * i)));
      CHECK_OK(Write(pipe.b, Pattern(300, 2 * i + 1)));
    }
    CHECK_OK(Write(one.a, "", {pipe.a}));
    CHECK_OK(Write(other.a, "", {pipe.b}));
    const PipeEnd b = AwaitHandle<MessagePipeEndpoint>(other.b);
    CHECK_OK(Write(b, Pattern(300, 101)));
    const PipeEnd a = AwaitHandle<MessagePipeEndpoint>(one.b);
    CHECK_OK(Write(a, Pattern(300, 100)));
    for (int i = 0; i <= 50; ++i) {
      CHECK(AwaitText(b) == Pattern(300, 2 * i));
      CHECK(AwaitText(a) == Pattern(300, 2 * i + 1));
    }
  }
}

TEST(both_ends_in_one_message) {
  RemotePipe pipe(kTinyBuffer), carrier;
  for (int i = 0; i < 50; ++i) {
    CHECK_OK(Write(pipe.a, Pattern(300, 2 * i)));
    CHECK_OK(Write(pipe.b, Pattern(300, 2 * i + 1)));
  }
  CHECK_OK(Write(carrier.a, "", {pipe.a, pipe.b}));
  OwnedMessage message;
  CHECK_OK(AwaitRead(carrier.b, &message));
  const std::vector<Ref<Dispatcher>> ends = TakeDispatchers(*message);
  const PipeEnd a = Receive<MessagePipeEndpoint>(ends[0]);
  const PipeEnd b = Receive<MessagePipeEndpoint>(ends[1]);
  for (int i = 0; i < 50; ++i) {
    CHECK(AwaitText(b) == Pattern(300, 2 * i));
    CHECK(AwaitText(a) == Pattern(300, 2 * i + 1));
  }
}

// --- closure ---

TEST(an_end_whose_peer_is_gone_arrives_with_what_it_said) {
  for (const bool known : {false, true}) {
    RemotePipe pipe, carrier;
    for (int i = 0; i < 10; ++i) CHECK_OK(Write(pipe.a, std::to_string(i)));
    CHECK_OK(pipe.a.Close());
    if (known) CHECK(pipe.b.State().satisfied & kSignalPeerClosed);
    const PipeEnd moved = Move(pipe.b, carrier);
    for (int i = 0; i < 10; ++i) CHECK_EQ(AwaitText(moved), std::to_string(i));
    CHECK(!Await(moved, kSignalReadable));
    CHECK_STATE(moved, kSignalPeerClosed, kSignalPeerClosed);
  }
}

TEST(a_peer_that_closes_while_the_end_moves_is_noticed_in_every_way) {
  enum { kWait, kRead, kWrite, kState, kWays };
  for (int way = 0; way < kWays; ++way) {
    RemotePipe pipe, carrier;
    CHECK_OK(Write(carrier.a, "", {pipe.b}));
    CHECK_OK(pipe.a.Close());
    const PipeEnd moved = AwaitHandle<MessagePipeEndpoint>(carrier.b);
    switch (way) {
      case kWait: CHECK(Await(moved, kSignalPeerClosed)); break;
      case kRead: {
        OwnedMessage message;
        Until([&] { return Read(moved, &message) == Result::kFailedPrecondition; });
        break;
      }
      case kWrite: Until([&] { return Write(moved, "x") == Result::kFailedPrecondition; }); break;
      case kState: Until([&] { return moved.State().satisfied == kSignalPeerClosed; }); break;
    }
    CHECK_STATE(moved, kSignalPeerClosed, kSignalPeerClosed);
  }
}

TEST(an_end_leaves_just_when_its_peer_is_found_gone) {
  for (int round = 0; round < 1'500; ++round) {
    RemotePipe pipe, carrier;
    CHECK_OK(pipe.a.Close());
    const HandleValue value = pipe.b.value();
    RunTogether(2, [&](size_t thread) {
      if (thread == 0) {
        for (int i = round % 150; i > 0; --i) Spinner::Relax();
        SignalsState state;
        pipe.b->QueryState(value, &state);  // finds it out, if the end is still here
      } else {
        CHECK_OK(Write(carrier.a, "", {pipe.b}));
      }
    });
    const PipeEnd end = AwaitHandle<MessagePipeEndpoint>(carrier.b);
    CHECK(Await(end, kSignalPeerClosed));
  }
}

TEST(the_message_that_was_never_read_closes_what_it_carries) {
  RemotePipe pipe, carrier;
  Pipe local;
  CHECK_OK(Write(carrier.a, "", {pipe.b, local.b, NumberedFile(1)}));
  CHECK_OK(carrier.b.Close());
  CHECK(Await(pipe.a, kSignalPeerClosed));
  CHECK(Await(local.a, kSignalPeerClosed));
}

TEST(the_message_that_was_never_sent_closes_what_it_carries) {
  RemotePipe pipe, carrier(kTinyBuffer);
  Pipe local;
  for (int i = 0; i < 100; ++i) CHECK_OK(Write(carrier.a, Pattern(1'000, i)));
  CHECK_OK(Write(carrier.a, "", {pipe.b, local.b}));
  CHECK_OK(carrier.b.Close());
  CHECK(Await(pipe.a, kSignalPeerClosed));
  CHECK(Await(local.a, kSignalPeerClosed));
}

TEST(closing_an_end_that_was_sent_does_not_touch_what_was_sent) {
  RemotePipe pipe, carrier;
  CHECK_OK(Write(carrier.a, "", {pipe.b}));
  CHECK_EQ(pipe.b.Close(), Result::kInvalidArgument);
  CHECK_EQ(Write(pipe.b, "x"), Result::kInvalidArgument);
  const PipeEnd moved = AwaitHandle<MessagePipeEndpoint>(carrier.b);
  CHECK_OK(Write(moved, "alive"));
  CHECK_EQ(AwaitText(pipe.a), "alive");
}

}  // namespace mojo_seq::testing::message_pipe_remote_transfer_test
