// Fusing pipes that have rings: what is unread in the memory goes on, and so does whoever writes there.
// System rules §4.4, §13.1.

#include <memory>
#include <thread>

#include "check.h"
#include "quick.h"
#include "random.h"
#include "sockets.h"
#include "threads.h"

namespace mojo_seq::testing::ring_fuse_test {

std::string Numbered(uint64_t side, uint64_t i) {
  return Pattern(i % 37 == 36 ? 6'000 : i * 7 % 300, 2 * i + side);
}

// Two pipes, each with a near end that was never written to, and of which at least the first has a ring,
// if rings last.
struct TwoPipes {
  explicit TwoPipes(bool local, int buffer = 0, bool rings_last = true) {
    RemotePipe left(buffer);
    far[0] = std::move(left.a);
    near[0] = std::move(left.b);
    if (local) {
      Pipe right;
      far[1] = std::move(right.a);
      near[1] = std::move(right.b);
    } else {
      RemotePipe right(buffer);
      far[1] = std::move(right.a);
      near[1] = std::move(right.b);
    }
    for (uint64_t side : {0, 1}) {
      for (int i = 0; i < 3; ++i) {
        CHECK_OK(Write(far[side], "x"));
        CHECK_EQ(ReadText(near[side]), "x");
      }
    }
    std::string text;
    for (uint64_t side : {0, 1}) {
      CHECK_OK(Write(far[side], "y"));
      if (rings_last && (!local || side == 0)) {
        CHECK(ReadQuickly(near[side], &text));  // from the ring
      } else {
        CHECK_EQ(ReadText(near[side]), "y");
      }
    }
  }
  PipeEnd far[2], near[2];
};

TEST(half_read_rings_are_fused) {
  const WithRings with(RingMode::kAtOnce);
  for (const bool local : {true, false}) {
    for (const bool swapped : {false, true}) {
      TwoPipes pipes(local);
      constexpr uint64_t kCount = 300;
      uint64_t read[2] = {0, 0};
      std::string text;
      for (uint64_t side : {0, 1}) {
        for (uint64_t i = 0; i < 100; ++i) {
          CHECK_OK(WriteEither(pipes.far[side], Numbered(side, i)));
        }
        for (; read[side] < 20; ++read[side]) {
          CHECK_OK(ReadEither(pipes.near[side], &text));
          CHECK(text == Numbered(side, read[side]));
        }
      }
      CHECK_OK(Fuse(pipes.near[swapped], pipes.near[!swapped]));
      for (uint64_t side : {0, 1}) {
        for (uint64_t i = 100; i < kCount; ++i) {
          CHECK_OK(WriteEither(pipes.far[side], Numbered(side, i)));
        }
      }
      for (uint64_t side : {0, 1}) {
        for (; read[side] < kCount; ++read[side]) {
          CHECK(AwaitText(pipes.far[1 - side]) == Numbered(side, read[side]));
        }
      }
    }
  }
}

TEST(a_fused_pipe_has_a_ring_where_it_is_one_pipe) {
  const WithRings with(RingMode::kAtOnce);
  TwoPipes pipes(true);
  CHECK_OK(Fuse(pipes.near[0], pipes.near[1]));
  std::string text;
  for (int i = 0; i < 3; ++i) {
    CHECK_OK(Write(pipes.far[1], "x"));
    CHECK_EQ(AwaitText(pipes.far[0]), "x");
    CHECK_OK(Write(pipes.far[0], "x"));
    CHECK_EQ(AwaitText(pipes.far[1]), "x");
  }
  for (uint64_t side : {0, 1}) {
    CHECK_OK(Write(pipes.far[side], "quickly"));
    CHECK(ReadQuickly(pipes.far[1 - side], &text));
    CHECK_EQ(text, "quickly");
  }
}

TEST(whoever_passes_messages_on_is_woken) {
  const WithRings with(RingMode::kAtOnce);
  TwoPipes pipes(false);
  CHECK_OK(Fuse(pipes.near[0], pipes.near[1]));
  for (int i = 0; i < 300; ++i) {
    const int from = i / 3 % 2;
    CHECK_OK(WriteEither(pipes.far[from], std::to_string(i)));
    CHECK_EQ(AwaitText(pipes.far[1 - from]), std::to_string(i));
    if (i % 10 == 0) usleep(300);  // it sleeps, as a rule
  }
}

TEST(all_that_was_written_before_the_end_comes_through) {
  const WithRings with(RingMode::kAtOnce);
  for (const bool local : {true, false}) {
    for (const uint64_t closed : {0, 1}) {
      for (const bool before : {true, false}) {
        TwoPipes pipes(local);
        PipeEnd& writer = pipes.far[closed];
        if (!before) CHECK_OK(Fuse(pipes.near[0], pipes.near[1]));
        for (uint64_t i = 0; i < 700; ++i) CHECK_OK(WriteEither(writer, Numbered(0, i)));
        CHECK_OK(writer.Close());
        if (before) CHECK_OK(Fuse(pipes.near[0], pipes.near[1]));
        const PipeEnd& reader = pipes.far[1 - closed];
        for (uint64_t i = 0; i < 700; ++i) CHECK(AwaitText(reader) == Numbered(0, i));
        OwnedMessage message;
        CHECK_EQ(AwaitRead(reader, &message), Result::kFailedPrecondition);
      }
    }
  }
}

TEST(pipes_are_fused_while_both_far_ends_are_written_and_read) {
  const WithRings with(RingMode::kAtOnce);
  constexpr uint64_t kCount = 2'500;
  for (uint64_t round = 0; round < 8; ++round) {
    // Rings also come and go meanwhile, in the first ones: it takes the usual time to look again.
    const bool rings_last = round >= 3;
    const WithIdleTime time(rings_last ? kUsualIdleTime : 50'000);
    TwoPipes pipes(round % 2, round % 3 == 2 ? kTinyBuffer : 0, rings_last);
    RunTogether(5, [&](size_t thread) {
      Random random(round * 5 + thread);
      const uint64_t side = thread % 2;
      std::string text;
      if (thread == 4) {
        usleep(static_cast<useconds_t>(random.Below(3'000)));
        return CHECK_OK(Fuse(pipes.near[0], pipes.near[1]));
      }
      for (uint64_t i = 0; i < kCount; ++i) {
        if (thread < 2) {
          CHECK_OK(random.OneIn(2) ? WriteEither(pipes.far[side], Numbered(side, i))
                                   : Write(pipes.far[side], Numbered(side, i)));
          if (random.OneIn(100)) usleep(static_cast<useconds_t>(random.Below(200)));
        } else {
          while (ReadEither(pipes.far[side], &text) != Result::kOk) {
            Await(pipes.far[side], kSignalReadable);
          }
          CHECK(text == Numbered(1 - side, i));
        }
      }
    });
  }
}

}  // namespace mojo_seq::testing::ring_fuse_test
