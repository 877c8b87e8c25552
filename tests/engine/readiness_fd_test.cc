// A descriptor for foreign event loops: readable while the socket of a pipe has something unread.

#include "readiness_fd.h"

#include <poll.h>

#include <thread>

#include "check.h"
#include "descriptors.h"
#include "message_pipes.h"
#include "sockets.h"

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

TEST(a_pipe_within_the_process_has_none) {
  Pipe pipe;
  Ref<ReadinessFd> made;
  CHECK_EQ(ReadinessFd::Create(pipe.a.get(), pipe.a.value(), &made), Result::kFailedPrecondition);
}

TEST(a_spin_finds_what_comes_meanwhile) {
  RemotePipe pipe;
  const Ref<ReadinessFd> readiness = Watch(pipe.b);
  std::thread writer([&] { CHECK_OK(Write(pipe.a, "x")); });
  // It gives up now and then, and tries again ever later.
  while (!readiness->Spin(pipe.b.get(), pipe.b.value())) continue;
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
    if (!readiness->WantsToSpin(pipe.b.get())) continue;
    ++wanted;
    CHECK(!readiness->Spin(pipe.b.get(), pipe.b.value()));
  }
  CHECK(wanted < 12);
}

}  // namespace mojo_seq::testing::readiness_fd_test
