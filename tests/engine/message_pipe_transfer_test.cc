// Message pipes that travel in message pipes. System rules §4.5.

#include <optional>

#include "check.h"
#include "message_pipes.h"
#include "platform_handle.h"
#include "threads.h"
#include "wait.h"
#include "watchers.h"

namespace mojo_seq::testing::message_pipe_transfer_test {

TEST(a_pipe_arrives_with_its_queue_and_a_new_value) {
  Pipe carrier, pipe;
  CHECK_OK(Write(pipe.a, "before"));
  CHECK_OK(Write(carrier.a, "", {pipe.b}));
  CHECK(!pipe.b.is_open());
  CHECK_EQ(pipe.b.Close(), Result::kInvalidArgument);
  CHECK_OK(Write(pipe.a, "under way"));
  PipeEnd received = ReadHandle<MessagePipeEndpoint>(carrier.b);
  CHECK(received.value() != pipe.b.value());
  CHECK_OK(Write(pipe.a, "after"));
  for (const char* text : {"before", "under way", "after"}) CHECK_EQ(ReadText(received), text);
  CHECK_OK(Write(received, "back"));
  CHECK_EQ(ReadText(pipe.a), "back");
}

TEST(closing_the_peer_under_way_is_seen_after_the_queue) {
  Pipe carrier, pipe;
  CHECK_OK(Write(pipe.a, "x"));
  CHECK_OK(Write(carrier.a, "", {pipe.b}));
  CHECK_OK(pipe.a.Close());
  PipeEnd received = ReadHandle<MessagePipeEndpoint>(carrier.b);
  CHECK_STATE(received, kSignalReadable | kSignalPeerClosed, kSignalReadable | kSignalPeerClosed);
  CHECK_EQ(ReadText(received), "x");
  CHECK_STATE(received, kSignalPeerClosed, kSignalPeerClosed);
}

TEST(an_end_whose_peer_was_closed_before_can_be_sent) {
  Pipe carrier, pipe;
  CHECK_OK(Write(pipe.a, "x"));
  CHECK_OK(pipe.a.Close());
  CHECK_OK(Write(carrier.a, "", {pipe.b}));
  PipeEnd received = ReadHandle<MessagePipeEndpoint>(carrier.b);
  CHECK_EQ(ReadText(received), "x");
  OwnedMessage message;
  CHECK_EQ(Read(received, &message), Result::kFailedPrecondition);
}

TEST(both_ends_may_travel_at_the_same_time) {
  Pipe first, second, pipe;
  CHECK_OK(Write(pipe.a, "x"));
  CHECK_OK(Write(first.a, "", {pipe.a}));
  CHECK_OK(Write(second.a, "", {pipe.b}));
  PipeEnd a = ReadHandle<MessagePipeEndpoint>(first.b);
  PipeEnd b = ReadHandle<MessagePipeEndpoint>(second.b);
  CHECK_OK(Write(a, "y"));
  CHECK_EQ(ReadText(b), "x");
  CHECK_EQ(ReadText(b), "y");
}

TEST(both_ends_may_travel_in_one_message) {
  Pipe carrier, pipe;
  CHECK_OK(Write(carrier.a, "", {pipe.a, pipe.b}));
  OwnedMessage message;
  CHECK_OK(Read(carrier.b, &message));
  const auto taken = TakeDispatchers(*message);
  PipeEnd a = Receive<MessagePipeEndpoint>(taken[0]), b = Receive<MessagePipeEndpoint>(taken[1]);
  CHECK_OK(Write(a, "x"));
  CHECK_EQ(ReadText(b), "x");
}

TEST(a_pipe_over_itself_is_busy) {
  Pipe pipe, other;
  size_t blamed;
  CHECK_EQ(Write(pipe.a, "x", {other.a, pipe.a}, &blamed), Result::kBusy);
  CHECK_EQ(blamed, 1u);
  CHECK(pipe.a.is_open());
  CHECK(other.a.is_open());
}

TEST(a_pipes_own_peer_is_invalid) {
  Pipe pipe, other;
  size_t blamed;
  CHECK_EQ(Write(pipe.a, "x", {other.a, pipe.b}, &blamed), Result::kInvalidArgument);
  CHECK_EQ(blamed, 1u);
  CHECK(pipe.b.is_open());
  CHECK(other.a.is_open());
  CHECK_OK(Write(pipe.a, "x"));
  CHECK_EQ(ReadText(pipe.b), "x");
}

TEST(what_is_invalid_goes_before_the_pipe_itself) {
  Pipe pipe, dead;
  CHECK_OK(dead.a.Close());
  size_t blamed;
  CHECK_EQ(Write(pipe.a, "x", {pipe.a, dead.a}, &blamed), Result::kInvalidArgument);
  CHECK_EQ(blamed, 1u);
}

TEST(a_pipe_cannot_carry_its_peer_inside_another) {
  Pipe pipe, other;
  CHECK_OK(Write(other.a, "", {pipe.b}));  // b is in the queue of other.b
  CHECK_EQ(Write(pipe.a, "x", {other.b}), Result::kInvalidArgument);
  CHECK(other.b.is_open());
  PipeEnd b = ReadHandle<MessagePipeEndpoint>(other.b);
  CHECK_OK(Write(pipe.a, "x", {other.b}));
  PipeEnd received = ReadHandle<MessagePipeEndpoint>(b);
  CHECK(received.get() == other.b.get());
}

TEST(a_pipe_cannot_carry_its_peer_at_any_depth) {
  Pipe pipe;
  std::vector<PipeEnd> writers;
  Pipe first;
  CHECK_OK(Write(first.a, "", {pipe.b}));
  PipeEnd outer = std::move(first.b);
  for (int i = 0; i < 50; ++i) {
    Pipe next;
    CHECK_OK(Write(next.a, "", {outer}));
    outer = std::move(next.b);
    writers.push_back(std::move(next.a));
  }
  CHECK_EQ(Write(pipe.a, "x", {outer}), Result::kInvalidArgument);
  CHECK(outer.is_open());
}

TEST(a_message_built_beforehand_is_looked_into_too) {
  // The peer is put into a message that is not yet written; the carrier is written first.
  Pipe pipe, other;
  OwnedMessage held = MakeMessage("");
  {
    ApiCall call;
    Attachment attachment;
    attachment.Add(pipe.b.get(), pipe.b.value());
    size_t blamed;
    CHECK_OK(attachment.Begin(&blamed));
    attachment.MoveInto(held.get());
    attachment.Commit();
  }
  CHECK_OK(Write(pipe.a, "", {other.b}));  // into the queue of b, which `held` carries
  CHECK_EQ(WriteMessage(other.a, held), Result::kInvalidArgument);
  CHECK(held);
  CHECK_EQ(held->dispatchers.size(), 1u);
}

TEST(sending_cancels_watches_and_receiving_starts_anew) {
  Pipe carrier, pipe;
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(pipe.b, kSignalReadable, 1));
  CHECK_OK(watcher.Arm());
  CHECK_OK(Write(carrier.a, "", {pipe.b}));
  CHECK_EQ(watcher.recorder().count(), 1u);
  CHECK_EQ(watcher.recorder().last().result, Result::kCancelled);
  CHECK_OK(Write(pipe.a, "x"));
  CHECK_EQ(watcher.recorder().count(), 1u);
  PipeEnd received = ReadHandle<MessagePipeEndpoint>(carrier.b);
  CHECK_OK(watcher.Watch(received, kSignalReadable, 1));
  CHECK_EQ(watcher.Arm(), Result::kFailedPrecondition);
}

TEST(a_watch_on_the_peer_goes_on) {
  Pipe carrier, pipe;
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(pipe.a, kSignalReadable, 1));
  CHECK_OK(watcher.Arm());
  CHECK_OK(Write(carrier.a, "", {pipe.b}));
  CHECK_EQ(watcher.recorder().count(), 0u);
  PipeEnd received = ReadHandle<MessagePipeEndpoint>(carrier.b);
  CHECK_OK(Write(received, "x"));
  CHECK_OK(watcher.recorder().last().result);
}

TEST(a_failed_write_keeps_watches) {
  Pipe carrier, pipe;
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(pipe.b, kSignalReadable, 1));
  CHECK_OK(watcher.Arm());
  CHECK_OK(carrier.b.Close());
  CHECK_EQ(Write(carrier.a, "", {pipe.b}), Result::kFailedPrecondition);
  CHECK_EQ(watcher.recorder().count(), 0u);
  CHECK_OK(Write(pipe.a, "x"));
  CHECK_OK(watcher.recorder().last().result);
}

TEST(a_descriptor_that_nobody_reads_is_closed) {
  int ends[2];
  CHECK_EQ(::pipe(ends), 0);
  Ref<PlatformHandle> wrapped;
  CHECK_OK(PlatformHandle::Wrap(ends[1], &wrapped));
  Handle<PlatformHandle> handle(std::move(wrapped));
  Pipe carrier;
  CHECK_OK(Write(carrier.a, "", {handle}));
  CHECK_OK(carrier.b.Close());
  char byte;
  CHECK_EQ(read(ends[0], &byte, 1), 0);  // no writer is left
  close(ends[0]);
}

TEST(two_threads_cannot_make_a_pipe_carry_itself_by_halves) {
  // Each sends the end that the other one writes to: x.b into y, y.b into x. One must fail, or
  // nobody could ever read either again.
  std::optional<Pipe> x, y;
  Result into_y, into_x;
  int both = 0;
  Race(
      3'000,
      [&] {
        if (x) {
          const bool one = into_y == Result::kOk, other = into_x == Result::kOk;
          if (one && other) ++both;
          CHECK(one || other);
        }
        x.emplace();
        y.emplace();
        into_y = into_x = Result::kUnknown;
      },
      [&] { into_y = Write(y->a, "", {x->b}); }, [&] { into_x = Write(x->a, "", {y->b}); });
  CHECK_EQ(both, 0);
}

TEST(an_endpoint_bounces_between_threads) {
  Pipe carrier, pipe;
  constexpr int kBounces = 1'000;
  const auto receive = [](const PipeEnd& end) {
    Waiter waiter;
    CHECK_OK(waiter.Add(end.get(), end.value(), kSignalReadable));
    CHECK_OK(waiter.Wait(kNever));
    return ReadHandle<MessagePipeEndpoint>(end);
  };
  std::thread other([&] {
    for (int i = 0; i < kBounces; ++i) {
      PipeEnd end = receive(carrier.b);
      CHECK_OK(Write(end, std::to_string(2 * i + 1)));
      CHECK_OK(Write(carrier.b, "", {end}));
    }
  });
  PipeEnd end = std::move(pipe.b);
  for (int i = 0; i < kBounces; ++i) {
    CHECK_OK(Write(end, std::to_string(2 * i)));
    CHECK_OK(Write(carrier.a, "", {end}));
    end = receive(carrier.a);
  }
  other.join();
  for (int i = 0; i < 2 * kBounces; ++i) CHECK_EQ(ReadText(pipe.a), std::to_string(i));
}

TEST(messages_written_while_the_end_travels_keep_their_order) {
  Pipe carrier, pipe;
  constexpr int kMessages = 5'000;
  std::thread writer([&] {
    for (int i = 0; i < kMessages; ++i) CHECK_OK(Write(pipe.a, std::to_string(i)));
  });
  PipeEnd end = std::move(pipe.b);
  for (int next = 0; next < kMessages;) {
    OwnedMessage message;
    while (Read(end, &message) == Result::kOk) CHECK_EQ(TextOf(*message), std::to_string(next++));
    CHECK_OK(Write(carrier.a, "", {end}));
    end = ReadHandle<MessagePipeEndpoint>(carrier.b);
  }
  writer.join();
}

}  // namespace mojo_seq::testing::message_pipe_transfer_test
