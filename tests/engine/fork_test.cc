// fork(): the child's inherited handles are dead, its own work, and the parent notices nothing.
// Architecture §3; public contract §10.

#include "fork.h"

#include "check.h"
#include "children.h"
#include "data_pipes.h"
#include "descriptors.h"
#include "io_thread.h"
#include "message_pipe.h"
#include "platform_handles.h"
#include "segment.h"
#include "sockets.h"
#include "threads.h"
#include "watchers.h"

namespace mojo_seq::testing::fork_test {

TEST(an_object_of_which_each_process_has_its_own) {
  struct Number {
    int value = 1;
  };
  static ForkLocal<Number> number;
  number.Get().value = 7;
  Child child([](ScopedFd) {
    CHECK_EQ(number.Get().value, 1);
    number.Get().value = 8;
    CHECK_EQ(number.Get().value, 8);
  });
  CHECK_EQ(child.Wait(), 0);
  CHECK_EQ(number.Get().value, 7);
}

TEST(inherited_handles_are_dead) {
  Pipe local;
  RemotePipe remote;
  DataPipePair data;
  const FileHandle file = NumberedFile(1);
  CHECK_OK(Write(local.a, "for the parent"));
  Child child([&](ScopedFd) {
    CHECK(!local.a.is_open() && !remote.a.is_open() && !data.producer.is_open());
    CHECK_EQ(Write(local.a, "x"), Result::kInvalidArgument);
    CHECK_EQ(Write(remote.a, "x"), Result::kInvalidArgument);
    CHECK_EQ(Write(data.producer, "x"), Result::kInvalidArgument);
    CHECK_EQ(local.a.Close(), Result::kInvalidArgument);
    CHECK_EQ(remote.a.Close(), Result::kInvalidArgument);
    OwnedMessage message;
    CHECK_EQ(Read(local.b, &message), Result::kInvalidArgument);
    SignalsState state;
    CHECK_EQ(remote.b->QueryState(remote.b.value(), &state), Result::kInvalidArgument);
    CHECK(local.a->WasOpenAtFork(local.a.value()));
    Pipe own;
    CHECK_EQ(Write(own.a, "", {local.b}), Result::kInvalidArgument);
    CHECK_EQ(Write(own.a, "", {file}), Result::kInvalidArgument);
  });
  CHECK_EQ(child.Wait(), 0);
  CHECK_EQ(ReadText(local.b), "for the parent");
  CHECK_OK(Write(remote.a, "x"));
  CHECK_EQ(AwaitText(remote.b), "x");
  CHECK_OK(Write(data.producer, "x"));
  CHECK_EQ(ReadExactly(data.consumer, 1), "x");
}

TEST(a_child_closes_its_copies) {
  RemotePipe pipe;
  const FileHandle file = NumberedFile(1);
  const size_t before = OpenDescriptors().size();
  Child child([&](ScopedFd socket) {
    CHECK(OpenDescriptors().size() <= before - 2);
    char byte;
    CHECK_EQ(recv(socket.get(), &byte, 1, 0), 0);  // lives on
  });
  CHECK_OK(pipe.a.Close());
  CHECK(Await(pipe.b, kSignalPeerClosed));  // although the child had a copy
  child.TakeSocket();
  CHECK_EQ(child.Wait(), 0);
}

TEST(a_child_has_pipes_threads_and_segments_of_its_own) {
  RemotePipe used;
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(used.b, kSignalReadable, 1));
  CHECK_OK(watcher.Arm());
  CHECK_OK(Write(used.a, Pattern(100'000, 1)));
  Until([&] { return watcher.recorder().count() == 1; });  // there is an I/O thread
  Child child([](ScopedFd socket) {
    const PipeEnd end(MessagePipeEndpoint::FromSocket(std::move(socket)));
    TestWatcher own;
    CHECK_OK(own.Watch(end, kSignalReadable, 1));
    if (own.Arm() == Result::kOk) Until([&] { return own.recorder().count() == 1; });
    CHECK_EQ(AwaitText(end), "go");
    for (int i = 0; i < 50; ++i) CHECK_OK(Write(end, Pattern(70'000, i)));
    IoThread::Get().Flush(Now() + kSoon);
  });
  const PipeEnd end = child.TakePipe();
  CHECK_OK(Write(end, "go"));
  for (int i = 0; i < 50; ++i) {
    OwnedMessage message;
    CHECK_OK(AwaitRead(end, &message));
    CHECK(TextOf(*message) == Pattern(70'000, i));
    CHECK_EQ(message->sender, static_cast<uint32_t>(child.pid()));
  }
  CHECK_EQ(child.Wait(), 0);
  CHECK(AwaitText(used.b) == Pattern(100'000, 1));
}

// The sanitizers' allocators have locks of their own, which such a fork may copy while they are taken.
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr bool kOthersAtWork = false;
#else
constexpr bool kOthersAtWork = true;
#endif

TEST(a_fork_in_the_middle_of_everything) {
  // Other threads hold locks at that moment; the child must not wait for them.
  Pipe local;
  RemotePipe remote(kTinyBuffer);
  std::atomic<bool> stop{false};
  RunTogether(3, [&](size_t thread) {
    if (thread == 0) {
      for (int i = 0; i < 15; ++i) {
        Child child([&](ScopedFd) {
          CHECK_EQ(Write(local.a, "x"), Result::kInvalidArgument);
          CHECK_EQ(Write(remote.a, "x"), Result::kInvalidArgument);
          local.a.Close();
          remote.a.Close();
          RemotePipe own(kTinyBuffer);
          for (int j = 0; j < 20; ++j) CHECK_OK(Write(own.a, Pattern(500, j)));
          CHECK_OK(own.a.Close());
          for (int j = 0; j < 20; ++j) CHECK(AwaitText(own.b) == Pattern(500, j));
        });
        CHECK_EQ(child.Wait(), 0);
      }
      stop = true;
      return;
    }
    OwnedMessage message;
    while (kOthersAtWork && !stop) {
      if (thread == 1) {
        CHECK_OK(Write(local.a, Pattern(100, 1)));
        CHECK_OK(Write(remote.a, Pattern(1'000, 2)));
      }
      Read(local.b, &message);
      Read(remote.b, &message);
    }
  });
}

}  // namespace mojo_seq::testing::fork_test
