// Waits, wait sets and watchers on handles whose peer is in another process, or goes there while
// somebody sleeps. System rules §9, §11, §13.11.

#include <thread>

#include "check.h"
#include "data_pipes.h"
#include "frames.h"
#include "io_thread.h"
#include "message_pipe.h"
#include "rings.h"
#include "socket.h"
#include "sockets.h"
#include "spinning.h"
#include "threads.h"
#include "wait_sets.h"
#include "watchers.h"

namespace mojo_seq::testing::remote_wait_test {

TEST(a_sleeping_thread_hears_of_a_message) {
  RemotePipe pipe;
  for (int i = 0; i < 50; ++i) {
    Blocker blocker([&] { CHECK(Await(pipe.b, kSignalReadable)); });
    if (i % 2 == 0) blocker.WaitUntilAsleep();
    CHECK_OK(Write(pipe.a, "x"));
    blocker.Join();
    CHECK_EQ(ReadText(pipe.b), "x");
  }
}

TEST(a_wait_ends_when_the_peer_closes) {
  for (Signals signals : {kSignalReadable, kSignalPeerClosed}) {
    RemotePipe pipe;
    Blocker blocker([&] { CHECK_EQ(Await(pipe.b, signals), signals == kSignalPeerClosed); });
    blocker.WaitUntilAsleep();
    CHECK_OK(pipe.a.Close());
  }
}

TEST(a_wait_ends_when_the_handle_is_closed_or_sent) {
  for (const bool closed : {true, false}) {
    RemotePipe pipe, carrier;
    Blocker blocker([&] {
      Waiter waiter;
      CHECK_OK(waiter.Add(pipe.b.get(), pipe.b.value(), kSignalReadable));
      ApiCall call;
      while (waiter.Wait(Now() + kSoon) == Result::kShouldWait) continue;
      CHECK_EQ(waiter.result(), Result::kCancelled);
    });
    blocker.WaitUntilAsleep();
    if (closed) {
      CHECK_OK(pipe.b.Close());
    } else {
      CHECK_OK(Write(carrier.a, "", {pipe.b}));
    }
    blocker.Join();
  }
}

TEST(a_wait_for_what_does_not_come_ends_in_time) {
  RemotePipe pipe;
  Waiter waiter;
  CHECK_OK(waiter.Add(pipe.b.get(), pipe.b.value(), kSignalReadable));
  const Time deadline = Now() + 20'000'000;
  CHECK_EQ(waiter.Wait(deadline), Result::kDeadlineExceeded);
  CHECK(Now() >= deadline);
  CHECK_EQ(waiter.Wait(0), Result::kDeadlineExceeded);
}

TEST(who_only_looks_is_not_taken_for_asleep) {
  const WithRings with(RingMode::kAtOnce);
  RemotePipe pipe;
  for (int i = 0; i < 3; ++i) {
    CHECK_OK(Write(pipe.a, "x"));
    CHECK_EQ(AwaitText(pipe.b), "x");
  }
  short events;
  const Ref<SharedFd> socket = pipe.b->WaitDescriptor(pipe.b.value(), &events);
  for (int i = 0; i < 10; ++i) {
    Waiter waiter;
    CHECK_OK(waiter.Add(pipe.b.get(), pipe.b.value(), kSignalReadable));
    CHECK_EQ(waiter.Wait(0), Result::kDeadlineExceeded);
    CHECK_EQ(waiter.Look(), Result::kDeadlineExceeded);
    CHECK_OK(Write(pipe.a, "y"));
    CHECK_EQ(PollSocket(socket->fd.get(), POLLIN), 0);  // it went by memory
    CHECK_EQ(i % 2 == 0 ? waiter.Look() : waiter.Wait(0), Result::kOk);
    CHECK_EQ(ReadText(pipe.b), "y");
  }
}

TEST(a_wait_without_time_does_not_spin) {
  const AsManyAsLike spinning;
  Pipe pipe;
  RemotePipe remote;
  for (const PipeEnd* end : {&pipe.a, &remote.a}) {
    Waiter waiter;
    CHECK_OK(waiter.Add(end->get(), end->value(), kSignalReadable));
    for (int i = 0; i < 10; ++i) CHECK_EQ(waiter.Wait(0), Result::kDeadlineExceeded);
    CHECK((*end)->spinner().WantsToSpin());  // no spin was in vain
  }
}

TEST(part_of_a_message_ends_no_wait) {
  HalfPipe pipe;
  SendAllRaw(pipe.peer.get(), ByteVector{'M', 'O', 'J'});
  Waiter waiter;
  CHECK_OK(waiter.Add(pipe.end.get(), pipe.end.value(), kSignalReadable));
  CHECK_EQ(waiter.Wait(Now() + 20'000'000), Result::kDeadlineExceeded);
}

// --- the peer leaves, and comes home, while somebody sleeps ---

TEST(the_peer_leaves_under_a_sleeping_thread) {
  for (int i = 0; i < 100; ++i) {
    Pipe pipe;
    RemotePipe carrier;
    Blocker blocker([&] { CHECK(Await(pipe.a, kSignalReadable)); });
    if (i % 2 == 0) blocker.WaitUntilAsleep();
    CHECK_OK(Write(carrier.a, "", {pipe.b}));
    CHECK(!blocker.done());
    const PipeEnd moved = AwaitHandle<MessagePipeEndpoint>(carrier.b);
    if (i % 3 == 0) blocker.WaitUntilAsleep();
    CHECK_OK(Write(moved, "x"));
    blocker.Join();
    CHECK_EQ(ReadText(pipe.a), "x");
  }
}

TEST(the_peer_leaves_and_is_closed_under_a_sleeping_thread) {
  for (int i = 0; i < 50; ++i) {
    Pipe pipe;
    RemotePipe carrier;
    Blocker blocker([&] { CHECK(!Await(pipe.a, kSignalReadable)); });
    if (i % 2 == 0) blocker.WaitUntilAsleep();
    CHECK_OK(Write(carrier.a, "", {pipe.b}));
    CHECK_OK(carrier.b.Close());  // never read
    blocker.Join();
  }
}

TEST(a_data_pipe_end_leaves_under_a_sleeping_thread) {
  for (int i = 0; i < 50; ++i) {
    DataPipePair pipe(64);
    RemotePipe carrier;
    Blocker blocker([&] { CHECK(Await(pipe.consumer, kSignalReadable)); });
    if (i % 2 == 0) blocker.WaitUntilAsleep();
    CHECK_OK(Write(carrier.a, "", {pipe.producer}));
    const Producer moved = AwaitHandle<DataPipeProducer>(carrier.b);
    if (i % 3 == 0) blocker.WaitUntilAsleep();
    CHECK_OK(Write(moved, "bytes"));
    blocker.Join();
    CHECK_EQ(ReadExactly(pipe.consumer, 5), "bytes");
  }
}

TEST(a_thread_sleeps_while_the_peer_goes_to_and_fro) {
  Pipe pipe;
  RemotePipe carrier;
  PipeEnd end = std::move(pipe.b);
  constexpr int kMessages = 300;
  std::thread reader([&] {
    for (int i = 0; i < kMessages; ++i) CHECK_EQ(AwaitText(pipe.a), std::to_string(i));
  });
  for (int i = 0; i < kMessages; ++i) {
    CHECK_OK(Write(carrier.a, "", {end}));
    if (i % 2 == 0) CHECK_OK(Write(pipe.a, "wakes nobody"));
    end = AwaitHandle<MessagePipeEndpoint>(carrier.b);
    CHECK_OK(Write(end, std::to_string(i)));
  }
  reader.join();
}

// --- several at once ---

TEST(a_wait_for_local_and_remote_handles) {
  RemotePipe remote;
  Pipe local;
  DataPipePair data;
  for (int which = 0; which < 3; ++which) {
    Blocker blocker([&] {
      Waiter waiter;
      CHECK_OK(waiter.Add(remote.b.get(), remote.b.value(), kSignalReadable));
      CHECK_OK(waiter.Add(local.b.get(), local.b.value(), kSignalReadable));
      CHECK_OK(waiter.Add(data.consumer.get(), data.consumer.value(), kSignalReadable));
      ApiCall call;
      while (waiter.Wait(Now() + kSoon) == Result::kShouldWait) continue;
      CHECK_EQ(waiter.index(), static_cast<size_t>(which));
    });
    blocker.WaitUntilAsleep();
    if (which == 0) CHECK_OK(Write(remote.a, "x"));
    if (which == 1) CHECK_OK(Write(local.a, "x"));
    if (which == 2) CHECK_OK(Write(data.producer, "x"));
    blocker.Join();
    if (which == 0) ReadText(remote.b);
    if (which == 1) ReadText(local.b);
  }
}

TEST(a_wait_set_with_remote_handles) {
  RemotePipe first, second;
  TestWaitSet set;
  CHECK_OK(set.Add(first.b, kSignalReadable));
  CHECK_OK(set.Add(second.b, kSignalReadable));
  CHECK_EQ(set.Wait().ready.size(), 0u);
  for (int i = 0; i < 30; ++i) {
    const RemotePipe& pipe = i % 2 == 0 ? first : second;
    CHECK_OK(Write(pipe.a, "x"));
    const TestWaitSet::Outcome outcome = set.Wait(16, Now() + kSoon);
    CHECK_EQ(outcome.ready.size(), 1u);
    CHECK_EQ(outcome.ready[0].result, Result::kOk);
    CHECK_EQ(ReadText(pipe.b), "x");
  }
}

// --- watchers ---

TEST(a_watcher_hears_from_the_system) {
  RemotePipe pipe;
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(pipe.b, kSignalReadable, 1));
  for (size_t i = 1; i <= 30; ++i) {
    CHECK_OK(watcher.Arm());
    CHECK_OK(Write(pipe.a, "x"));
    Until([&] { return watcher.recorder().count() == i; });
    CHECK_EQ(watcher.recorder().last().result, Result::kOk);
    CHECK_EQ(watcher.recorder().last().flags, kNotificationFromSystem);
    CHECK_EQ(ReadText(pipe.b), "x");
  }
}

TEST(a_watcher_never_arms_while_there_is_something) {
  RemotePipe pipe;
  TestWatcher watcher;
  for (int i = 0; i < 150; ++i) CHECK_OK(Write(pipe.a, std::to_string(i)));
  CHECK(pipe.a->Unsent() == 0);  // the kernel has them all
  CHECK_OK(watcher.Watch(pipe.b, kSignalReadable, 1));
  for (int i = 0; i < 150; ++i) {
    CHECK_EQ(watcher.Arm(), Result::kFailedPrecondition);
    CHECK_EQ(ReadText(pipe.b), std::to_string(i));
  }
  CHECK_OK(watcher.Arm());
}

TEST(a_watcher_hears_of_the_end) {
  RemotePipe pipe;
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(pipe.b, kSignalReadable, 1));
  CHECK_OK(watcher.Arm());
  CHECK_OK(pipe.a.Close());
  Until([&] { return watcher.recorder().count() == 1; });
  CHECK_EQ(watcher.recorder().last().result, Result::kFailedPrecondition);
  CHECK_EQ(watcher.recorder().last().state.satisfied, kSignalPeerClosed);
}

TEST(writable_is_watched_like_anything_else) {
  RemotePipe pipe(kTinyBuffer);
  for (int i = 0; i < 50; ++i) CHECK_OK(Write(pipe.a, Pattern(1'000, i)));
  CHECK(Await(pipe.a, kSignalWritable));  // always, however much is unsent
  CHECK_OK(pipe.b.Close());
  CHECK(Await(pipe.a, kSignalPeerClosed));
  CHECK(!Await(pipe.a, kSignalWritable));
}

}  // namespace mojo_seq::testing::remote_wait_test
