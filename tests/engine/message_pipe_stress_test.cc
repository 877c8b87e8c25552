// Message pipes that are written, read, closed, sent and fused by many threads at once. That
// nothing is left alive in the end proves that no pipe was ever put inside itself.

#include <algorithm>

#include "check.h"
#include "data_pipes.h"
#include "message_pipes.h"
#include "random.h"
#include "slots.h"
#include "threads.h"

namespace mojo_seq::testing::message_pipe_stress_test {

constexpr size_t kEnds = 24, kThreads = 4;

struct Stress {
  Stress() : ends(kEnds) {
    for (size_t i = 0; i < kEnds; i += 2) NewPipe(i, i + 1);
  }
  void NewPipe(size_t first, size_t second) {
    Pipe pipe;
    ends.Put(first, std::make_shared<PipeEnd>(std::move(pipe.a)));
    ends.Put(second, std::make_shared<PipeEnd>(std::move(pipe.b)));
  }
  std::shared_ptr<PipeEnd> Any(Random& random) { return ends.Get(random.Below(kEnds)); }

  void ReadSome(Random& random) {
    OwnedMessage message;
    if (Read(*Any(random), &message) != Result::kOk) return;
    const std::string text = TextOf(*message);
    CHECK(std::all_of(text.begin(), text.end(), [&](char c) { return c == text[0]; }));
    if (random.OneIn(4)) {
      WriteMessage(*Any(random), message);  // as it is, handles and all
      return;
    }
    for (const Ref<Dispatcher>& each : TakeDispatchers(*message)) {
      if (random.OneIn(5)) {
        each->CloseInTransit();
        DispatchPending();
      } else {
        ends.Put(random.Below(kEnds),
                 std::make_shared<PipeEnd>(Receive<MessagePipeEndpoint>(each)));
      }
    }
  }

  void DoSomething(Random& random) {
    const std::shared_ptr<PipeEnd> end = Any(random), other = Any(random);
    const std::string text(random.Below(100), static_cast<char>('a' + random.Below(26)));
    switch (random.Below(12)) {
      case 0:
      case 1: Write(*end, text); break;
      case 2:
      case 3:
      case 4: Write(*end, text, {*other}); break;
      case 5: Write(*end, text, {*other, *Any(random)}); break;
      case 6:
      case 7:
      case 8: ReadSome(random); break;
      case 9: Fuse(*end, *other); break;
      case 10:
        if (random.OneIn(3)) end->Close();
        break;
      case 11: NewPipe(random.Below(kEnds), random.Below(kEnds)); break;
    }
  }

  Slots<PipeEnd> ends;
};

TEST(random_operations_never_make_a_loop) {
  for (uint64_t round = 0; round < 20; ++round) {
    {
      Stress stress;
      RunTogether(kThreads, [&](size_t thread) {
        Random random(1'000 * round + thread);
        for (int i = 0; i < 1'500; ++i) stress.DoSomething(random);
      });
    }
    CHECK_EQ(LiveCount(Kind::kMessage), 0);
    CHECK_EQ(LiveCount(Kind::kDispatcher), 0);
  }
}

TEST(everything_written_arrives_in_order_through_fusions_and_transfers) {
  // A writer, and a chain of pipes in front of the reader that grows, is fused and travels.
  constexpr int kMessages = 4'000;
  for (uint64_t round = 0; round < 3; ++round) {
    Pipe first, carrier;
    PipeEnd end = std::move(first.b);
    std::thread writer([&] {
      for (int i = 0; i < kMessages; ++i) CHECK_OK(Write(first.a, std::to_string(i)));
      CHECK_OK(first.a.Close());
    });
    Random random(round);
    int next = 0;
    for (;;) {
      OwnedMessage message;
      const Result result = Read(end, &message);
      if (result == Result::kFailedPrecondition) break;
      if (result == Result::kOk) CHECK_EQ(TextOf(*message), std::to_string(next++));
      if (random.OneIn(8)) {
        Pipe more;
        CHECK_OK(Fuse(end, more.a));
        end = std::move(more.b);
      } else if (random.OneIn(8)) {
        CHECK_OK(Write(carrier.a, "", {end}));
        end = ReadHandle<MessagePipeEndpoint>(carrier.b);
      }
    }
    CHECK_EQ(next, kMessages);
    writer.join();
  }
}

TEST(writers_of_one_end_keep_their_own_order) {
  constexpr size_t kWriters = 4, kEach = 3'000;
  Pipe pipe;
  RunTogether(kWriters + 1, [&](size_t thread) {
    if (thread < kWriters) {
      for (size_t i = 0; i < kEach; ++i) {
        CHECK_OK(Write(pipe.a, std::to_string(thread * kEach + i)));
      }
      return;
    }
    std::vector<size_t> next(kWriters);
    for (size_t read = 0; read < kWriters * kEach;) {
      OwnedMessage message;
      if (Read(pipe.b, &message) != Result::kOk) continue;
      ++read;
      const size_t number = std::stoul(TextOf(*message));
      CHECK_EQ(number % kEach, next[number / kEach]++);
    }
  });
}

TEST(the_garbage_collector_looks_while_everything_moves) {
  static int object;
  const auto visit = [](void* context, void*) {
    CHECK(context == &object);
    return 0;
  };
  Stress stress;
  std::atomic<bool> stop{false};
  RunTogether(3, [&](size_t thread) {
    Random random(thread);
    if (thread == 0) {
      while (!stop) {
        const std::shared_ptr<PipeEnd> end = stress.Any(random);
        CHECK_EQ(end->get()->VisitContexts(visit, nullptr), 0);
      }
      return;
    }
    for (int i = 0; i < 3'000; ++i) {
      stress.DoSomething(random);
      OwnedMessage message(new Message);
      message->context = &object;
      WriteMessage(*stress.Any(random), message);
    }
    stop = true;
  });
}

}  // namespace mojo_seq::testing::message_pipe_stress_test
