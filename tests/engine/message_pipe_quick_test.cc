// Messages straight through a ring, as bytes: they keep their place among those that go another way,
// and whoever uses, moves or closes the end at the same moment.

#include "message_pipe.h"

#include <thread>

#include "quick.h"
#include "random.h"
#include "sockets.h"
#include "threads.h"

namespace mojo_seq::testing::message_pipe_quick_test {

TEST(what_is_written_quickly_can_be_read_quickly) {
  WithRings with(RingMode::kAtOnce);
  HotPipe pipe;
  CHECK(pipe.a->MayBeQuick() && pipe.b->MayBeQuick());
  std::string text;
  CHECK(!ReadQuickly(pipe.b, &text));
  for (int i = 0; i < 5'000; ++i) {
    CHECK_OK(WriteEither(pipe.a, Pattern(i % 300, i)));
    CHECK_OK(ReadEither(pipe.b, &text));
    CHECK(text == Pattern(i % 300, i));
  }
  // After a while somebody has to ask whether the reader lives.
  while (WriteQuickly(pipe.a, {"one", "", "three"}) != Result::kOk) {
    CHECK_OK(Write(pipe.a, "x"));
    CHECK_EQ(ReadText(pipe.b), "x");
  }
  for (const char* each : {"one", "", "three"}) {
    CHECK(ReadQuickly(pipe.b, &text));
    CHECK_EQ(text, each);
  }
}

TEST(quick_messages_keep_their_place_among_others) {
  WithRings with(RingMode::kAtOnce);
  HotPipe pipe;
  Random random(1);
  constexpr int kCount = 3'000;
  int read = 0;
  std::string text;
  for (int written = 0; written < kCount; ++written) {
    const std::string next = std::to_string(written) + "," + std::string(random.Below(9) * 700, 'x');
    if (random.Below(5) == 0) {
      Pipe carried;
      CHECK_OK(Write(pipe.a, next, {carried.b}));
    } else {
      CHECK_OK(random.Below(3) == 0 ? Write(pipe.a, next) : WriteEither(pipe.a, next));
    }
    if (random.Below(40) != 0) continue;
    while (ReadEither(pipe.b, &text) == Result::kOk) {
      CHECK_EQ(text.substr(0, text.find(',')), std::to_string(read++));
    }
  }
  while (read < kCount) {
    if (ReadEither(pipe.b, &text) != Result::kOk) continue;  // the I/O thread sends the rest
    CHECK_EQ(text.substr(0, text.find(',')), std::to_string(read++));
  }
}

TEST(a_batch_is_written_quickly_as_a_whole_or_not_at_all) {
  WithRings with(RingMode::kAtOnce);
  HotPipe pipe;
  // When there is no room for it there still is for some empty ones.
  const std::vector<std::string> batch(10, std::string(1'016, 'x'));
  size_t batches = 0;
  Result result;
  while ((result = WriteQuickly(pipe.a, batch)) != Result::kBusy) {
    if (result == Result::kOk) {
      ++batches;
    } else {
      CHECK_OK(Write(pipe.a, ""));  // asks whether the reader lives
    }
  }
  CHECK(batches >= kRingBytes / 11'000);
  std::string text;
  size_t messages = 0;
  while (ReadEither(pipe.b, &text) == Result::kOk) messages += !text.empty();
  CHECK_EQ(messages, batches * batch.size());
}

TEST(what_cannot_be_done_quickly_changes_nothing) {
  WithRings with(RingMode::kAtOnce);
  Pipe local;
  CHECK(!local.a->MayBeQuick());
  CHECK_EQ(WriteQuickly(local.a, {"x"}), Result::kUnavailable);
  HotPipe pipe;
  SignalsState state;
  CHECK(!pipe.b->LookInRing(pipe.b.value(), &state));
  pipe.b->ArmDoorbell();  // its reader sleeps
  CHECK_EQ(WriteQuickly(pipe.a, {"x"}), Result::kUnavailable);
  std::string text;
  CHECK(!ReadQuickly(pipe.b, &text));
  CHECK_OK(pipe.a.Close());
  CHECK_EQ(WriteQuickly(pipe.a, {"x"}), Result::kUnavailable);
  CHECK(!ReadQuickly(pipe.a, &text));
}

TEST(a_writer_waits_for_room_only_while_somebody_reads) {
  WithRings with(RingMode::kAtOnce);
  HotPipe pipe;
  // When there is no room for it there still is for some empty ones.
  const std::vector<std::string> batch(10, std::string(1'016, 'x'));
  const auto fill = [&] {
    for (;;) {
      const Result result = WriteQuickly(pipe.a, batch);
      if (result == Result::kBusy) return;
      if (result != Result::kOk) CHECK_OK(Write(pipe.a, ""));
    }
  };
  fill();
  CHECK(!pipe.a->AwaitRoom(pipe.a.value(), 10'200));
  CHECK(!pipe.a->AwaitRoom(pipe.a.value(), 10'200));
  std::string text;
  while (ReadEither(pipe.b, &text) == Result::kOk) continue;
  CHECK(pipe.a->AwaitRoom(pipe.a.value(), 10'200));
}

TEST(who_waits_for_a_ring_sees_what_comes) {
  WithRings with(RingMode::kAtOnce);
  HotPipe pipe;
  SignalsState state;
  while (WriteQuickly(pipe.a, {"x"}) != Result::kOk) {
    CHECK_OK(Write(pipe.a, ""));
    CHECK_EQ(ReadText(pipe.b), "");
  }
  CHECK(pipe.b->LookInRing(pipe.b.value(), &state));
  CHECK_EQ(state.satisfied, kSignalReadable | kSignalWritable | kSignalPeerRemote);
  CHECK_STATE(pipe.b, state.satisfied, state.satisfiable);
  CHECK_EQ(ReadText(pipe.b), "x");
  RunTogether(2, [&](size_t thread) {
    const PipeEnd& end = thread == 0 ? pipe.a : pipe.b;
    std::string text;
    for (int i = 0; i < 3'000; ++i) {
      if (thread == 0) CHECK_OK(WriteEither(end, std::to_string(i)));
      SignalsState seen;
      if (!end->AwaitInRing(end.value(), &seen)) CHECK(Await(end, kSignalReadable));
      CHECK_OK(ReadEither(end, &text));
      CHECK_EQ(text, std::to_string(i));
      if (thread == 1) CHECK_OK(WriteEither(end, text));
    }
  });
}

// --- threads ---

void WriteBatch(const PipeEnd& end, const std::vector<std::string>& texts) {
  MessageList batch;
  for (const std::string& text : texts) batch.Push(MakeMessage(text).release());
  ApiCall call;
  CHECK_OK(end->WriteBatch(end.value(), &batch));
}

TEST(a_sleeper_is_woken_though_another_takes_the_bell_that_was_rung_for_him) {
  const WithRings with(RingMode::kAtOnce);
  HotPipe pipe;
  std::string text;
  for (int i = 0; i < 100; ++i) {
    Blocker sleeper([&] { CHECK(Await(pipe.b, kSignalReadable)); });
    if (i % 2) sleeper.WaitUntilAsleep();
    WriteBatch(pipe.a, {"x", "y"});  // into the ring, and the bell into the socket
    // Both are gone before he has come to look.
    for (size_t read = 0; read < 2;) read += ReadEither(pipe.b, &text) == Result::kOk;
    CHECK_EQ(ReadEither(pipe.b, &text), Result::kShouldWait);
    CHECK_OK(Write(pipe.a, "z"));
    sleeper.Join();
    CHECK_OK(ReadEither(pipe.b, &text));
    CHECK_EQ(text, "z");
  }
}

TEST(many_threads_use_both_ends_quickly) {
  WithRings with(RingMode::kAtOnce);
  HotPipe pipe;
  constexpr int kEach = 4'000;
  std::atomic<int> read{0};
  std::vector<std::atomic<int>> seen(2 * kEach);
  RunTogether(4, [&](size_t thread) {
    if (thread < 2) {
      for (int i = 0; i < kEach; ++i) {
        CHECK_OK(WriteEither(pipe.a, std::to_string(static_cast<int>(thread) * kEach + i)));
      }
      return;
    }
    std::string text;
    while (read.load() < 2 * kEach) {
      if (ReadEither(pipe.b, &text) != Result::kOk) continue;
      ++seen[static_cast<size_t>(std::stoi(text))];
      ++read;
    }
  });
  for (const std::atomic<int>& each : seen) CHECK_EQ(each.load(), 1);
}

TEST(an_end_moves_while_it_is_written_to_and_read_quickly) {
  WithRings with(RingMode::kAtOnce);
  HotPipe pipe;
  RemotePipe carrier;
  constexpr int kCount = 6'000;
  std::thread writer([&] {
    for (int i = 0; i < kCount; ++i) CHECK_OK(WriteEither(pipe.a, std::to_string(i)));
  });
  PipeEnd end = std::move(pipe.b);
  std::string text;
  for (int i = 0; i < kCount;) {
    if (ReadEither(end, &text) != Result::kOk) continue;
    CHECK_EQ(text, std::to_string(i++));
    if (i % 97 != 0) continue;
    CHECK_OK(Write(carrier.a, "", {end}));
    end = ReadHandle<MessagePipeEndpoint>(carrier.b);
  }
  writer.join();
}

TEST(an_end_closes_under_those_who_use_it_quickly) {
  WithRings with(RingMode::kAtOnce);
  for (int round = 0; round < 30; ++round) {
    HotPipe pipe;
    RunTogether(3, [&](size_t thread) {
      std::string text;
      SignalsState state;
      if (thread == 0) {
        while (WriteEither(pipe.a, "some text") == Result::kOk) continue;
      } else if (thread == 1) {
        for (;;) {
          pipe.b->AwaitInRing(pipe.b.value(), &state);
          const Result result = ReadEither(pipe.b, &text);
          if (result != Result::kOk && result != Result::kShouldWait) return;
        }
      } else {
        const Time end = Now() + 1'000'000;
        while (Now() < end) continue;
        CHECK_OK((round % 2 ? pipe.a : pipe.b).Close());
      }
    });
  }
}

}  // namespace mojo_seq::testing::message_pipe_quick_test
