// A descriptor for foreign event loops: readable while the socket of a pipe has something unread.

#include "readiness_fd.h"

#include <poll.h>

#include <thread>

#include "check.h"
#include "descriptors.h"
#include "io_thread.h"
#include "message_pipes.h"
#include "random.h"
#include "rings.h"
#include "sockets.h"
#include "threads.h"

namespace mojo_seq::testing::readiness_fd_test {

Ref<ReadinessFd> Watch(const PipeEnd& end) {
  Ref<ReadinessFd> made;
  CHECK_OK(ReadinessFd::Create(end.get(), end.value(), &made));
  return made;
}

bool IsReadable(const Ref<ReadinessFd>& readiness, int timeout = 0) {
  pollfd polled{readiness->fd(), POLLIN, 0};
  return poll(&polled, 1, timeout) == 1;
}

TEST(it_is_readable_while_something_is_unread) {
  RemotePipe pipe;
  const Ref<ReadinessFd> readiness = Watch(pipe.b);
  for (int i = 0; i < 3; ++i) {
    CHECK(!IsReadable(readiness));
    CHECK_OK(Write(pipe.a, "x"));
    CHECK(IsReadable(readiness, -1));
    CHECK_EQ(ReadText(pipe.b), "x");
  }
  CHECK(!IsReadable(readiness));
}

TEST(the_end_of_the_peer_is_something) {
  RemotePipe pipe;
  const Ref<ReadinessFd> readiness = Watch(pipe.b);
  CHECK_OK(pipe.a.Close());
  CHECK(IsReadable(readiness, -1));
}

TEST(nothing_is_heard_of_a_pipe_that_was_closed) {
  IoThread::Get();  // a pipe with a ring needs it, and then its descriptors stay
  const auto before = OpenDescriptors();
  {
    RemotePipe pipe;
    const Ref<ReadinessFd> readiness = Watch(pipe.b);
    CHECK_OK(Write(pipe.a, "x"));
    CHECK_OK(pipe.b.Close());
    CHECK(!IsReadable(readiness));
    bool came = false;
    for (int i = 0; i < 3 && !came; ++i) came = readiness->Spin(pipe.b.get(), pipe.b.value());
    CHECK(came);
  }
  CHECK_EQ(OpenDescriptors().size(), before.size());
}

// --- with rings: what comes into memory must be heard of, too ---

size_t ReadAll(const PipeEnd& end) {
  size_t count = 0;
  for (OwnedMessage message; Read(end, &message) == Result::kOk; ++count) continue;
  return count;
}

// So that there is a ring, and the loop sleeps.
void Use(const RemotePipe& pipe, const Ref<ReadinessFd>& readiness) {
  for (int i = 0; i < 3; ++i) {
    CHECK_OK(Write(pipe.a, "x"));
    CHECK(IsReadable(readiness, -1));
    CHECK_EQ(ReadAll(pipe.b), 1u);
  }
}

TEST(a_loop_hears_of_what_comes_by_memory) {
  const WithRings with(RingMode::kAtOnce);
  RemotePipe pipe;
  const Ref<ReadinessFd> readiness = Watch(pipe.b);
  for (int i = 0; i < 300; ++i) {
    CHECK_OK(Write(pipe.a, "x"));
    if (i % 3 == 1) CHECK_OK(Write(pipe.a, "y"));
    CHECK(IsReadable(readiness, -1));
    CHECK_EQ(ReadAll(pipe.b), i % 3 == 1 ? 2u : 1u);
    CHECK(!IsReadable(readiness));
  }
}

TEST(a_loop_hears_of_the_next_message_whoever_took_the_last) {
  const WithRings with(RingMode::kAtOnce);
  RemotePipe pipe;
  ReadAll(pipe.b);
  for (int i = 0; i < 3; ++i) {  // the reader is awake when the loop comes
    CHECK_OK(Write(pipe.a, "x"));
    CHECK_EQ(AwaitText(pipe.b), "x");
  }
  const Ref<ReadinessFd> readiness = Watch(pipe.b);
  for (int i = 0; i < 100; ++i) {
    CHECK_OK(Write(pipe.a, "x"));
    CHECK_OK(Write(pipe.a, "y"));
    CHECK(IsReadable(readiness, -1));
    CHECK_EQ(AwaitText(pipe.b), "x");  // a thread that waits, and reads no more than it needs
    CHECK_EQ(AwaitText(pipe.b), "y");
    if (i % 2) CHECK(!readiness->Spin(pipe.b.get(), pipe.b.value()));
    CHECK(!readiness->FallAsleep(pipe.b.get(), pipe.b.value()));
  }
}

TEST(a_pipe_is_left_alone_when_the_loop_has_gone) {
  const WithRings with(RingMode::kAtOnce);
  RemotePipe pipe;
  Ref<ReadinessFd> readiness = Watch(pipe.b);
  CHECK_OK(Write(pipe.a, "x"));
  CHECK_EQ(AwaitText(pipe.b), "x");
  readiness = nullptr;
  pipe.b->ArmDoorbell();  // somebody says that he sleeps, and is woken once
  CHECK_OK(Write(pipe.a, "x"));
  CHECK_OK(Write(pipe.a, "y"));
  CHECK_EQ(AwaitText(pipe.b), "x");
  CHECK_EQ(AwaitText(pipe.b), "y");
  short events;
  const Ref<SharedFd> socket = pipe.b->WaitDescriptor(pipe.b.value(), &events);
  CHECK_OK(Write(pipe.a, "z"));
  CHECK_EQ(PollSocket(socket->fd.get(), POLLIN), 0);  // it went by memory
  CHECK_EQ(ReadAll(pipe.b), 1u);
}

TEST(no_wake_up_of_a_loop_is_lost) {
  const WithRings with(RingMode::kAtOnce);
  RemotePipe pipe;
  const Ref<ReadinessFd> readiness = Watch(pipe.b);
  constexpr size_t kCount = 30'000;
  std::atomic<size_t> read{0};
  RunTogether(2, [&](size_t thread) {
    Random random(thread);
    if (thread == 0) {
      for (size_t i = 0; i < kCount; ++i) {
        CHECK_OK(Write(pipe.a, Pattern(random.Below(100), i)));
        // Now and then all has been read and the loop sleeps.
        if (random.OneIn(20)) Until([&] { return read == i + 1; });
      }
      return;
    }
    while (read < kCount) {
      if (random.OneIn(4)) readiness->StayAwake(pipe.b.get());
      if (random.OneIn(3) && readiness->Spin(pipe.b.get(), pipe.b.value(), random.OneIn(2))) {
        read += ReadAll(pipe.b);
      }
      if (readiness->FallAsleep(pipe.b.get(), pipe.b.value()) || IsReadable(readiness, 0)) {
        read += ReadAll(pipe.b);
        continue;
      }
      if (read < kCount) CHECK(IsReadable(readiness, 30'000));
      read += ReadAll(pipe.b);
    }
  });
}

TEST(a_loop_hears_of_what_is_in_memory_behind_a_message_in_the_socket) {
  const WithRings with(RingMode::kAtOnce);
  RemotePipe pipe;
  const Ref<ReadinessFd> readiness = Watch(pipe.b);
  Use(pipe, readiness);
  CHECK_OK(Write(pipe.a, "x"));  // the loop sleeps: through the socket
  readiness->StayAwake(pipe.b.get());
  CHECK_OK(Write(pipe.a, "y"));  // it does not: through memory, without a bell
  CHECK(readiness->Spin(pipe.b.get(), pipe.b.value()));
  CHECK_EQ(ReadText(pipe.b), "x");
  SignalsState state;
  CHECK_OK(pipe.b->QueryState(pipe.b.value(), &state, false));
  CHECK((state.satisfied & kSignalReadable) != 0);
  CHECK_EQ(ReadText(pipe.b), "y");
}

TEST(nobody_rings_for_a_loop_that_stays_awake) {
  const WithRings with(RingMode::kAtOnce);
  RemotePipe pipe;
  const Ref<ReadinessFd> readiness = Watch(pipe.b);
  Use(pipe, readiness);
  for (int i = 0; i < 100; ++i) {
    readiness->StayAwake(pipe.b.get());
    CHECK_OK(Write(pipe.a, "x"));
    CHECK(!IsReadable(readiness));
    CHECK(readiness->Spin(pipe.b.get(), pipe.b.value(), i % 2 == 0));
    CHECK_EQ(ReadAll(pipe.b), 1u);
    CHECK_OK(Write(pipe.a, "y"));  // before it says that it sleeps, and so it learns of it then
    CHECK(!IsReadable(readiness));
    CHECK(readiness->FallAsleep(pipe.b.get(), pipe.b.value()));
    CHECK_EQ(ReadAll(pipe.b), 1u);
    CHECK(!readiness->FallAsleep(pipe.b.get(), pipe.b.value()));
    CHECK_OK(Write(pipe.a, "z"));
    CHECK(IsReadable(readiness, -1));
    CHECK_EQ(ReadAll(pipe.b), 1u);
  }
}

TEST(a_loop_is_woken_after_what_another_thread_had_taken_in_before_it_fell_asleep) {
  const WithRings with(RingMode::kAtOnce);
  RemotePipe pipe;
  const Ref<ReadinessFd> readiness = Watch(pipe.b);
  Use(pipe, readiness);
  for (int i = 0; i < 10; ++i) {
    readiness->StayAwake(pipe.b.get());
    CHECK_OK(Write(pipe.a, "x"));
    pipe.b->LookForNews();
    CHECK(pipe.b->IsNews(pipe.b.value()));
    CHECK(readiness->FallAsleep(pipe.b.get(), pipe.b.value()));
    CHECK_EQ(ReadText(pipe.b), "x");  // and does not look for more
    CHECK_OK(Write(pipe.a, "y"));
    CHECK(IsReadable(readiness, 30'000));
    CHECK_EQ(ReadAll(pipe.b), 1u);
  }
}

TEST(a_loop_that_stays_awake_takes_the_bell_from_nobody_else) {
  const WithRings with(RingMode::kAtOnce);
  RemotePipe pipe;
  const Ref<ReadinessFd> readiness = Watch(pipe.b);
  const Ref<ReadinessFd> other = Watch(pipe.b);
  Use(pipe, readiness);
  for (int i = 0; i < 10; ++i) {
    readiness->StayAwake(pipe.b.get());
    CHECK_OK(Write(pipe.a, "x"));
    CHECK(IsReadable(other, 30'000));
    CHECK_EQ(ReadAll(pipe.b), 1u);
    CHECK(!readiness->FallAsleep(pipe.b.get(), pipe.b.value()));
  }
  for (int i = 0; i < 10; ++i) {
    Blocker sleeper([&] { CHECK(Await(pipe.b, kSignalReadable)); });
    sleeper.WaitUntilAsleep();
    readiness->StayAwake(pipe.b.get());
    CHECK_OK(Write(pipe.a, "x"));
    sleeper.Join();
    CHECK_EQ(ReadAll(pipe.b), 1u);
    CHECK(!readiness->FallAsleep(pipe.b.get(), pipe.b.value()));
  }
}

TEST(a_pipe_within_the_process_has_none) {
  Pipe pipe;
  Ref<ReadinessFd> made;
  CHECK_EQ(ReadinessFd::Create(pipe.a.get(), pipe.a.value(), &made), Result::kFailedPrecondition);
}

TEST(a_spin_finds_what_comes_meanwhile) {
  RemotePipe pipe;
  const Ref<ReadinessFd> readiness = Watch(pipe.b);
  std::thread writer([&] { CHECK_OK(Write(pipe.a, "x")); });
  // If it gives up first, whoever sleeps hears of it.
  if (!readiness->Spin(pipe.b.get(), pipe.b.value())) CHECK(IsReadable(readiness, -1));
  writer.join();
  CHECK_EQ(ReadText(pipe.b), "x");
}

TEST(spins_in_vain_become_rare) {
  RemotePipe pipe;
  // So that it is known where the other side is: here, and then it pays at no time.
  CHECK_OK(Write(pipe.a, "x"));
  CHECK_EQ(ReadText(pipe.b), "x");
  const Ref<ReadinessFd> readiness = Watch(pipe.b);
  int wanted = 0;
  for (int i = 0; i < 1000; ++i) {
    if (!pipe.b->WantsToSpin()) continue;
    ++wanted;
    CHECK(!readiness->Spin(pipe.b.get(), pipe.b.value()));
  }
  CHECK(wanted < 12);
}

}  // namespace mojo_seq::testing::readiness_fd_test
