// Ends whose pipes have rings move: what is in the memory goes along, read or not, and the rings go on
// being used. System rules §4.5, §13.1 to §13.3, §13.11.

#include <sys/resource.h>

#include <algorithm>
#include <thread>

#include "check.h"
#include "children.h"
#include "descriptors.h"
#include "frames.h"
#include "odd_descriptors.h"
#include "peer_report.h"
#include "quick.h"
#include "random.h"
#include "sockets.h"
#include "threads.h"

namespace mojo_seq::testing::ring_transfer_test {

std::string Numbered(uint64_t i) { return Pattern(i % 41 == 40 ? 6'000 : i * 7 % 300, i); }

void Move(const RemotePipe& carrier, PipeEnd* end) {
  CHECK_OK(Write(carrier.a, "", {*end}));
  *end = AwaitHandle<MessagePipeEndpoint>(carrier.b);
}

// --- half read ---

TEST(half_read_rings_travel_with_either_end) {
  const WithRings with(RingMode::kAtOnce);
  HotPipe pipe;
  RemotePipe carrier;
  uint64_t written = 0;
  uint64_t read = 0;
  std::string text;
  // Long enough for the records to be cut by the memory's end at many places.
  for (int round = 0; round < 300; ++round) {
    for (int i = 0; i < 50; ++i, ++written) {
      CHECK_OK(Write(pipe.a, Pattern(written % 200, written)));
    }
    for (int i = 0; i < 50; ++i, ++read) {
      if (i == 20 && round % 3 != 0) Move(carrier, &pipe.b);
      if (i == 30 && round % 3 != 1) Move(carrier, &pipe.a);
      CHECK(ReadQuickly(pipe.b, &text));  // straight from the ring, now as before
      CHECK(text == Pattern(read % 200, read));
    }
    CHECK(!ReadQuickly(pipe.b, &text));
  }
}

TEST(what_is_in_the_ring_the_socket_and_the_queue_travels_together) {
  const WithRings with(RingMode::kAtOnce);
  for (const int buffer : {0, kTinyBuffer}) {
    HotPipe pipe(buffer);
    RemotePipe carrier;
    uint64_t written = 0;
    uint64_t read = 0;
    std::string text;
    for (int round = 0; round < 60; ++round) {
      for (int i = 0; i < 90; ++i) CHECK_OK(WriteEither(pipe.a, Numbered(written++)));
      Move(carrier, round % 2 ? &pipe.a : &pipe.b);
      for (int i = 0; i < 30; ++i) CHECK(AwaitText(pipe.b) == Numbered(read++));
      Move(carrier, round % 2 ? &pipe.b : &pipe.a);
      while (read < written) {
        if (ReadEither(pipe.b, &text) == Result::kOk) CHECK(text == Numbered(read++));
      }
    }
  }
}

// --- while both sides write ---

void MoveAndUse(PipeEnd* end, uint64_t count, Random* random) {
  RemotePipe carrier;
  uint64_t written = 0;
  uint64_t read = 0;
  std::string text;
  while (written < count || read < count) {
    for (size_t i = random->Below(30); i > 0 && written < count; --i) {
      CHECK_OK(random->OneIn(3) ? Write(*end, Numbered(written)) : WriteEither(*end, Numbered(written)));
      ++written;
    }
    for (size_t i = random->Below(60); i > 0 && ReadEither(*end, &text) == Result::kOk; --i) {
      CHECK(text == Numbered(read++));
    }
    if (random->OneIn(4)) Move(carrier, end);
    if (written == count && read < count && random->OneIn(2)) Await(*end, kSignalReadable);
  }
}

TEST(both_ends_move_while_both_are_written_and_read) {
  const WithRings with(RingMode::kAtOnce);
  for (uint64_t round = 0; round < 6; ++round) {
    // Rings also come and go meanwhile, in the first ones: it takes the usual time to look again.
    const WithIdleTime soon(round < 3 ? 50'000 : kUsualIdleTime);
    HotPipe pipe(round % 3 == 2 ? kTinyBuffer : 0);
    RunTogether(2, [&](size_t thread) {
      Random random(2 * round + thread);
      MoveAndUse(thread ? &pipe.a : &pipe.b, 3'000, &random);
    });
  }
}

TEST(one_end_moves_while_threads_write_and_read_at_the_other) {
  const WithRings with(RingMode::kAtOnce);
  constexpr uint64_t kCount = 6'000;
  HotPipe pipe;
  RunTogether(3, [&](size_t thread) {
    Random random(thread);
    if (thread == 0) return MoveAndUse(&pipe.b, kCount, &random);
    std::string text;
    for (uint64_t i = 0; i < kCount; ++i) {
      if (thread == 1) {
        CHECK_OK(WriteEither(pipe.a, Numbered(i)));
      } else {
        while (ReadEither(pipe.a, &text) != Result::kOk) Await(pipe.a, kSignalReadable);
        CHECK(text == Numbered(i));
      }
    }
  });
}

TEST(an_end_goes_to_another_process_and_home_while_its_peer_is_used) {
  const WithRings with(RingMode::kAtOnce);
  constexpr uint64_t kCount = 4'000;
  constexpr uint64_t kAtOnce = 37;
  // Sends back so many messages before it sends the end itself back.
  const auto echo_some = [](const PipeEnd& end, uint64_t* next) {
    for (uint64_t i = 0; i < kAtOnce && *next < kCount; ++i, ++*next) {
      const std::string text = AwaitText(end);
      CHECK(text == Numbered(*next));
      CHECK_OK(WriteEither(end, text));
    }
  };
  Child child([&](ScopedFd socket) {
    const PipeEnd carrier(MessagePipeEndpoint::FromSocket(std::move(socket)));
    uint64_t next = kAtOnce;
    OwnedMessage message;
    while (AwaitRead(carrier, &message) == Result::kOk) {
      const PipeEnd end = Receive<MessagePipeEndpoint>(TakeDispatchers(*message)[0]);
      echo_some(end, &next);
      CHECK_OK(Write(carrier, "", {end}));
      next += kAtOnce;
    }
  });
  const PipeEnd carrier = child.TakePipe();
  Pipe pipe;  // so it comes home to its peer each time
  RunTogether(3, [&](size_t thread) {
    std::string text;
    if (thread == 0) {
      uint64_t next = 0;
      PipeEnd end = std::move(pipe.b);
      while (next < kCount) {
        echo_some(end, &next);
        CHECK_OK(Write(carrier, "", {end}));
        end = AwaitHandle<MessagePipeEndpoint>(carrier);
        next += kAtOnce;
      }
      pipe.b = std::move(end);
      return;
    }
    for (uint64_t i = 0; i < kCount; ++i) {
      if (thread == 1) {
        CHECK_OK(WriteEither(pipe.a, Numbered(i)));
      } else {
        while (ReadEither(pipe.a, &text) != Result::kOk) Await(pipe.a, kSignalReadable);
        CHECK(text == Numbered(i));
      }
    }
  });
  CHECK(!(pipe.a.State().satisfied & kSignalPeerRemote));
  CHECK_OK(carrier.Close());
  CHECK_EQ(child.Wait(), 0);
}

// --- without room for the rings ---

bool IsRing(const ScopedFd& fd) {
  return OpenDescriptors()[fd.get()].find("mojo_seq ring") != std::string::npos;
}

// A carrier which this test can look into. Of the end that it carries the ring to write to, if there is
// one, comes before the one to read from.
struct OpenCarrier {
  void Send(const PipeEnd& end, const std::function<void(std::vector<ScopedFd*>)>& change) {
    const WithRings without(RingMode::kNever);  // of its own
    CHECK_OK(Write(from.end, "", {end}));
    for (Chunk& chunk : ReceiveAllRaw(from.peer.get())) {
      std::vector<ScopedFd*> rings;
      for (ScopedFd& fd : chunk.descriptors) {
        if (IsRing(fd)) rings.push_back(&fd);
      }
      change(rings);
      std::vector<int> fds;
      for (const ScopedFd& fd : chunk.descriptors) fds.push_back(fd.get());
      SendAllRaw(to.peer.get(), chunk.bytes, fds);
    }
  }
  PipeEnd Take() { return AwaitHandle<MessagePipeEndpoint>(to.end); }
  void CheckWorks() {
    CHECK_EQ(TakeBadPeers().size(), 0u);
    SendAllRaw(to.peer.get(), PlainFrame("untouched"));
    CHECK_EQ(AwaitText(to.end), "untouched");
  }

  HalfPipe from, to;
};

TEST(an_end_that_cannot_go_on_reading_is_lost_and_not_its_carrier) {
  const WithRings with(RingMode::kAtOnce);
  for (const int buffer : {0, kTinyBuffer}) {
    HotPipe pipe(buffer);
    OpenCarrier carrier;
    uint64_t written = 0;
    for (; written < 10; ++written) CHECK_OK(WriteEither(pipe.a, Numbered(written)));
    pipe.b.State();  // takes them in
    for (; written < 20; ++written) CHECK_OK(WriteEither(pipe.a, Numbered(written)));
    for (uint64_t i = 0; i < 100; ++i) CHECK_OK(WriteEither(pipe.b, Numbered(i)));
    CHECK(buffer == 0 || pipe.b->Unsent() > 0);
    carrier.Send(pipe.b, [](const std::vector<ScopedFd*>& rings) {
      CHECK_EQ(rings.size(), 2u);
      *rings[1] = ReadOnly(*rings[1]);  // it can be mapped no more than without memory
    });
    const PipeEnd end = carrier.Take();
    for (uint64_t i = 0; i < 10; ++i) CHECK(AwaitText(end) == Numbered(i));  // in the queue
    OwnedMessage message;
    CHECK_EQ(AwaitRead(end, &message), Result::kFailedPrecondition);
    CHECK_STATE(end, kSignalPeerClosed, kSignalPeerClosed);
    CHECK_EQ(Write(end, "x"), Result::kFailedPrecondition);
    // What it had said is heard, and that it is gone.
    for (uint64_t i = 0; i < 100; ++i) CHECK(AwaitText(pipe.a) == Numbered(i));
    CHECK_EQ(AwaitRead(pipe.a, &message), Result::kFailedPrecondition);
    carrier.CheckWorks();
  }
}

TEST(an_end_that_cannot_go_on_writing_to_its_ring_goes_on_by_the_socket) {
  const WithRings with(RingMode::kAtOnce);
  for (const int buffer : {0, kTinyBuffer}) {
    HotPipe pipe(buffer);
    OpenCarrier carrier;
    uint64_t written = 0;
    uint64_t read = 0;
    for (; written < 100; ++written) CHECK_OK(WriteEither(pipe.b, Numbered(written)));
    CHECK(buffer == 0 || pipe.b->Unsent() > 0);
    for (; read < 5; ++read) CHECK(AwaitText(pipe.a) == Numbered(read));
    CHECK_OK(WriteEither(pipe.a, "to be read"));
    carrier.Send(pipe.b, [](const std::vector<ScopedFd*>& rings) {
      CHECK_EQ(rings.size(), 2u);
      *rings[0] = ReadOnly(*rings[0]);
    });
    const PipeEnd end = carrier.Take();
    CHECK_EQ(AwaitText(end), "to be read");
    for (; written < 200; ++written) CHECK_OK(WriteEither(end, Numbered(written)));
    for (; read < 200; ++read) CHECK(AwaitText(pipe.a) == Numbered(read));
    // And has a new one.
    for (int i = 0; i < 5; ++i) {
      CHECK_OK(Write(end, "x"));
      CHECK_EQ(AwaitText(pipe.a), "x");
    }
    CHECK_EQ(LiveCount(Kind::kRing), 4);
    carrier.CheckWorks();
  }
}

TEST(a_lie_about_rings_costs_the_carrier) {
  const WithRings with(RingMode::kAtOnce);
  for (const size_t which : {size_t{0}, size_t{1}}) {
    for (const bool memory : {false, true}) {
      HotPipe pipe;
      OpenCarrier carrier;
      TakeBadPeers();
      carrier.Send(pipe.b, [&](const std::vector<ScopedFd*>& rings) {
        *rings[which] = memory ? MakeMemory(4'096 + kRingBytes, 0) : DevNull();
      });
      OwnedMessage message;
      CHECK_EQ(AwaitRead(carrier.to.end, &message), Result::kFailedPrecondition);
      CHECK_EQ(TakeBadPeers().size(), 1u);
    }
  }
}

TEST(without_address_space_an_end_is_lost_and_not_its_carrier) {
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  constexpr bool kHasSpace = true;  // they need it themselves: here it arrives
#else
  constexpr bool kHasSpace = false;
#endif
  Child child([](ScopedFd) {
    const WithRings with(RingMode::kAtOnce);
    HotPipe pipe, carrier;
    CHECK_OK(Write(carrier.a, "", {pipe.b}));
    rlimit limit;
    CHECK_EQ(getrlimit(RLIMIT_AS, &limit), 0);
    if (!kHasSpace) limit.rlim_cur = 0;
    CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
    const PipeEnd end = AwaitHandle<MessagePipeEndpoint>(carrier.b);
    CHECK_EQ(Write(end, "x"), kHasSpace ? Result::kOk : Result::kFailedPrecondition);
    CHECK_OK(Write(carrier.a, "untouched"));
    CHECK_EQ(AwaitText(carrier.b), "untouched");
    limit.rlim_cur = limit.rlim_max;
    CHECK_EQ(setrlimit(RLIMIT_AS, &limit), 0);
    OwnedMessage message;
    const Result result = AwaitRead(pipe.a, &message);
    CHECK_EQ(result, kHasSpace ? Result::kOk : Result::kFailedPrecondition);
  });
  CHECK_EQ(child.Wait(), 0);
}

}  // namespace mojo_seq::testing::ring_transfer_test
