// Channels with rings: whatever way a message goes, the order is kept, nothing is lost, and a
// sleeper is woken.

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <iterator>
#include <thread>

#include "descriptors.h"
#include "hot_channels.h"
#include "message_pipes.h"
#include "random.h"
#include "sockets.h"
#include "threads.h"

namespace mojo_seq::testing::channel_ring_test {

TEST(small_messages_go_through_the_ring_and_others_keep_their_place) {
  WithRings with(RingMode::kAtOnce);
  HotPair pair;
  std::vector<std::string> sent;
  for (int i = 0; i < 50; ++i) {
    sent.push_back(Pattern(i, i));
    CHECK_OK(Send(pair.a.get(), sent.back()));
    if (i % 5 == 1) {
      sent.push_back(Pattern(5'000 + i, i));
      CHECK_OK(Send(pair.a.get(), sent.back()));
    }
    if (i % 5 == 2) {
      sent.push_back(Pattern(10 + i, i));
      CHECK_OK(SendFrames(pair.a.get(), MakeFrames(sent.back(), 1 + i * 6)));
    }
    if (i % 5 == 3) {
      const std::vector<std::string> batch = {Pattern(i, 1), Pattern(4'097, 2), Pattern(3, 3)};
      sent.insert(sent.end(), batch.begin(), batch.end());
      CHECK_OK(SendBatch(pair.a.get(), batch));
    }
  }
  std::vector<std::string> all;
  while (all.size() < sent.size()) {
    for (std::string& text : ReceiveTexts(pair.b.get())) all.push_back(std::move(text));
  }
  CHECK(all == sent);
}

TEST(nothing_is_in_the_socket_while_the_reader_is_awake) {
  WithRings with(RingMode::kAtOnce);
  HotPair pair;
  for (int i = 0; i < 100; ++i) CHECK_OK(Send(pair.a.get(), "x"));
  CHECK_EQ(PollSocket(pair.b->fd(), POLLIN), 0);
  CHECK_EQ(ReceiveTexts(pair.b.get()).size(), 100u);
}

TEST(a_reader_that_sleeps_is_woken_by_the_socket) {
  WithRings with(RingMode::kAtOnce);
  HotPair pair;
  for (int i = 0; i < 20; ++i) {
    CHECK(!pair.b->Arm());
    if (i % 2) {
      CHECK_OK(Send(pair.a.get(), "x"));
    } else {
      CHECK_OK(SendBatch(pair.a.get(), {"x", "y"}));
    }
    CHECK(PollSocket(pair.b->fd(), POLLIN) & POLLIN);
    CHECK_EQ(ReceiveTexts(pair.b.get()).size(), i % 2 ? 1u : 2u);
    CHECK(ReceiveTexts(pair.b.get()).empty());  // but the bell
    CHECK_EQ(PollSocket(pair.b->fd(), POLLIN), 0);
  }
  CHECK_OK(Send(pair.a.get(), "x"));
  CHECK(pair.b->Arm());  // there is something: nobody should sleep
  CHECK_EQ(ReceiveTexts(pair.b.get()).size(), 1u);
}

TEST(what_was_sent_before_the_end_is_received) {
  WithRings with(RingMode::kAtOnce);
  HotPair pair;
  for (int i = 0; i < 300; ++i) CHECK_OK(Send(pair.a.get(), Pattern(100, i)));
  pair.a->OnOwnerClosed();
  pair.a = nullptr;
  std::vector<std::string> all = ReceiveTexts(pair.b.get());
  CHECK_EQ(all.size(), 300u);
  std::vector<InFrame> frames;
  CHECK_EQ(Receive(pair.b.get(), &frames), Result::kFailedPrecondition);
}

TEST(a_writer_learns_of_the_end_at_once) {
  WithRings with(RingMode::kAtOnce);
  for (const bool orderly : {true, false}) {
    HotPair pair;
    CHECK_OK(Send(pair.a.get(), "x"));
    if (orderly) pair.b->OnOwnerClosed();
    pair.b = nullptr;
    const Time end = Now() + 60'000;  // as long as a sign of life counts
    while (!orderly && Now() < end) continue;
    CHECK_EQ(Send(pair.a.get(), "y"), Result::kFailedPrecondition);
    CHECK_EQ(SendBatch(pair.a.get(), {"y", "z"}), Result::kFailedPrecondition);
  }
}

TEST(what_is_in_the_ring_is_sent_though_nobody_hears_the_bell) {
  // As if the reader had found it by itself, answered and died, all before the writer rings.
  WithRings with(RingMode::kAtOnce);
  HotPair pair;
  CHECK(!pair.b->Arm());
  CHECK_EQ(shutdown(pair.b->fd(), SHUT_RD), 0);
  CHECK_OK(SendBatch(pair.a.get(), {"x", "y"}));
  CHECK((ReceiveTexts(pair.b.get()) == std::vector<std::string>{"x", "y"}));
  pair.b = nullptr;  // which it has no time to say
  CHECK_EQ(Send(pair.a.get(), "z"), Result::kFailedPrecondition);
}

TEST(a_ring_that_is_not_used_is_given_back_and_made_again) {
  WithRings with(RingMode::kAtOnce);
  HotPair pair;
  for (int round = 0; round < 3; ++round) {
    CHECK_OK(Send(pair.a.get(), "x"));
    CHECK(!pair.a->OnIdle());  // it was used since
    CHECK(!pair.a->OnIdle());  // not all was read
    CHECK_EQ(ReceiveTexts(pair.b.get()).size(), 1u);
    CHECK(pair.a->OnIdle());
    CHECK_EQ(LiveCount(Kind::kRing), 1);
    CHECK(ReceiveTexts(pair.b.get()).empty());
    CHECK_EQ(LiveCount(Kind::kRing), 0);
    HotPipes::Leave(pair.a.get());
    CHECK_OK(Send(pair.a.get(), "offer"));
    CHECK_EQ(ReceiveTexts(pair.b.get()).size(), 1u);
    CHECK_OK(Send(pair.a.get(), "wake"));
    CHECK_EQ(ReceiveTexts(pair.b.get()).size(), 1u);
    CHECK_EQ(LiveCount(Kind::kRing), 2);
  }
}

TEST(pipes_that_are_not_in_use_have_no_ring) {
  WithRings with(RingMode::kAuto);
  ChannelPair pair;
  for (int i = 0; i < 40; ++i) CHECK_OK(Send(pair.a.get(), "x"));
  CHECK_EQ(LiveCount(Kind::kRing), 0);
  for (int i = 0; i < 10'000 && LiveCount(Kind::kRing) == 0; ++i) {
    CHECK_OK(Send(pair.a.get(), "x"));
    ReceiveTexts(pair.b.get());
  }
  CHECK(LiveCount(Kind::kRing) > 0);
}

TEST(a_peer_that_lies_costs_its_pipe) {
  WithRings with(RingMode::kNever);
  FrameHeader offer = MakeHeader(0, 0);
  offer.type = FrameType::kRingOffer;
  offer.descriptors = 1;
  {
    HalfPipe victim;  // no ring at all
    const ScopedFd null = DevNull();
    SendAllRaw(victim.peer.get(), FrameOf(offer), {null.get()});
    OwnedMessage message;
    CHECK_EQ(AwaitRead(victim.end, &message), Result::kFailedPrecondition);
  }
  {
    HalfPipe victim;  // two of them
    RingPair ring;
    const int fd = ring.writer->shared_fd()->fd.get();
    SendAllRaw(victim.peer.get(), FrameOf(offer), {fd});
    SendAllRaw(victim.peer.get(), FrameOf(offer), {fd});
    OwnedMessage message;
    CHECK_EQ(AwaitRead(victim.end, &message), Result::kFailedPrecondition);
  }
  {
    HalfPipe victim;  // an end with messages that nobody has numbered so
    RingPair ring;
    const int fd = ring.writer->shared_fd()->fd.get();
    SendAllRaw(victim.peer.get(), FrameOf(offer), {fd});
    ring.writer->Skip(7);
    CHECK(Push(ring.writer.get(), "x"));
    ring.writer->Publish(0);
    FrameHeader header = MakeHeader(0, 0);
    header.type = FrameType::kRingEnd;
    SendAllRaw(victim.peer.get(), FrameOf(header), {});
    OwnedMessage message;
    CHECK_EQ(AwaitRead(victim.end, &message), Result::kFailedPrecondition);
  }
  {
    HalfPipe victim;  // a message that comes after one which nobody has sent
    RingPair ring;
    SendAllRaw(victim.peer.get(), FrameOf(offer), {ring.writer->shared_fd()->fd.get()});
    ring.writer->Skip(7);
    CHECK(Push(ring.writer.get(), "x"));
    ring.writer->Publish(0);
    OwnedMessage message;
    CHECK_EQ(AwaitRead(victim.end, &message), Result::kFailedPrecondition);
  }
  {
    HalfPipe victim;  // bells without end, and an end without a ring, mean nothing
    FrameHeader header = MakeHeader(0, 0);
    for (const FrameType type : {FrameType::kDoorbell, FrameType::kRingEnd}) {
      header.type = type;
      for (int i = 0; i < 50; ++i) SendAllRaw(victim.peer.get(), FrameOf(header), {});
    }
    SendAllRaw(victim.peer.get(), PlainFrame("alive"), {});
    CHECK_EQ(AwaitText(victim.end), "alive");
  }
}

// --- pipes ---

TEST(a_pipe_moves_with_its_rings) {
  WithRings with(RingMode::kAtOnce);
  RemotePipe pipe;
  RemotePipe carrier;
  int to_b = 0;
  int to_a = 0;
  int at_b = 0;
  int at_a = 0;
  for (int round = 0; round < 100; ++round) {
    for (int i = 0; i < 40; ++i) CHECK_OK(Write(pipe.a, Pattern(i * 7, to_b++)));
    for (int i = 0; i < 30; ++i) CHECK_OK(Write(pipe.b, Pattern(i * 9, to_a++)));
    for (int i = 0; i < 40; ++i) {
      if (i == 20 && round % 3 != 2) {
        PipeEnd& end = round % 3 ? pipe.a : pipe.b;
        CHECK_OK(Write(carrier.a, "", {end}));
        end = AwaitHandle<MessagePipeEndpoint>(carrier.b);
      }
      CHECK(AwaitText(pipe.b) == Pattern(i * 7, at_b++));
    }
    for (int i = 0; i < 30; ++i) CHECK(AwaitText(pipe.a) == Pattern(i * 9, at_a++));
  }
}

TEST(sleepers_are_woken_whoever_looks) {
  // Ping-pong between threads that wait, with all kinds of pauses between.
  WithRings with(RingMode::kAtOnce);
  RemotePipe pipe;
  constexpr int kRounds = 3'000;
  RunTogether(2, [&](size_t thread) {
    Random random(thread);
    const PipeEnd& end = thread == 0 ? pipe.a : pipe.b;
    for (int i = 0; i < kRounds; ++i) {
      if (thread == 0) CHECK_OK(Write(end, Pattern(i % 100, i)));
      CHECK(AwaitText(end) == Pattern(i % 100, i));
      if (random.OneIn(50)) usleep(static_cast<useconds_t>(random.Below(300)));
      if (thread == 1) CHECK_OK(Write(end, Pattern(i % 100, i)));
    }
  });
}

// From now on the kernel has no room for what this thread sends. False: it cannot be told so.
bool RefuseToSend() {
  sock_filter code[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_sendmsg, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOBUFS),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
  };
  const sock_fprog program{std::size(code), code};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 &&
         prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

TEST(a_sleeper_is_woken_by_what_the_kernel_had_no_room_for_at_first) {
  const WithRings with(RingMode::kAtOnce);
  RemotePipe pipe;
  for (int i = 0; i < 3; ++i) {
    CHECK_OK(Write(pipe.a, "x"));
    CHECK_EQ(ReadText(pipe.b), "x");
  }
  pipe.b->ArmDoorbell();
  std::thread writer([&] {
    RefuseToSend();  // where that does not work the message goes at once
    CHECK_OK(Write(pipe.a, "y"));
  });
  writer.join();
  short events;
  const Ref<SharedFd> socket = pipe.b->WaitDescriptor(pipe.b.value(), &events);
  pollfd polled{socket->fd.get(), POLLIN, 0};
  CHECK_EQ(poll(&polled, 1, 30'000), 1);  // the I/O thread has sent it
  CHECK_EQ(ReadText(pipe.b), "y");
}

TEST(a_sleeper_is_woken_though_another_reads_quickly) {
  const WithRings with(RingMode::kAtOnce);
  RemotePipe pipe;
  constexpr size_t kCount = 20'000;
  std::atomic<size_t> read{0};
  std::atomic<bool> only_sleeper{false};
  RunTogether(3, [&](size_t thread) {
    Random random(thread);
    if (thread == 0) {
      for (size_t i = 0; i < kCount; ++i) {
        while (i > read + 2) sched_yield();  // or all would be in the queue
        only_sleeper = random.OneIn(10);
        CHECK_OK(Write(pipe.a, "x"));
        if (only_sleeper) Until([&] { return read == i + 1; });
      }
      Until([&] { return read == kCount; });
      CHECK_OK(pipe.a.Close());
    } else if (thread == 1) {
      while (read < kCount) {
        if (only_sleeper) {
          sched_yield();
          continue;
        }
        MessagePipeEndpoint::QuickReader reader(pipe.b.get(), pipe.b.value());
        const uint8_t* data;
        size_t nbytes;
        if (!reader.Look(&data, &nbytes)) continue;
        reader.Pop();
        ++read;
      }
    } else {
      // What a waiter does, without its spins.
      short events;
      const Ref<SharedFd> socket = pipe.b->WaitDescriptor(pipe.b.value(), &events);
      for (Result result = Result::kOk; result != Result::kFailedPrecondition;) {
        {
          ApiCall call;
          pipe.b->ArmDoorbell();
        }
        SignalsState state;
        CHECK_OK(pipe.b->QueryState(pipe.b.value(), &state, false));
        if (!(state.satisfied & kSignalReadable)) {
          pollfd polled{socket->fd.get(), POLLIN | POLLRDHUP, 0};
          CHECK_EQ(poll(&polled, 1, 30'000), 1);
        }
        OwnedMessage message;
        result = Read(pipe.b, &message);
        if (result == Result::kOk) ++read;
      }
    }
  });
}

}  // namespace mojo_seq::testing::channel_ring_test
