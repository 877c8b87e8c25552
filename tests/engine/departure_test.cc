// Departure: ends of pipes of this process leave it, with all that is unread at them and with the
// pipes in there, to any depth. System rules §3.2, §4.5, §13.

#include "departure.h"

#include "check.h"
#include "children.h"
#include "data_pipes.h"
#include "message_pipe.h"
#include "platform_handles.h"
#include "shared_buffer.h"
#include "sockets.h"
#include "watchers.h"

namespace mojo_seq::testing::departure_test {

// --- one pipe ---

TEST(the_peer_of_an_end_that_left_is_remote) {
  RemotePipe carrier;
  Pipe pipe;
  CHECK_OK(Write(carrier.a, "", {pipe.b}));
  CHECK(pipe.a->IsRemote());
  CHECK(pipe.a.State().satisfied & kSignalPeerRemote);
  CHECK(!pipe.b.is_open());
  CHECK_EQ(pipe.b.Close(), Result::kInvalidArgument);
}

TEST(messages_of_before_and_after_arrive_in_order) {
  RemotePipe carrier;
  Pipe pipe;
  for (int i = 0; i < 1'001; ++i) CHECK_OK(Write(pipe.a, Pattern(i, i)));
  CHECK_OK(Write(carrier.a, "", {pipe.b}));
  for (int i = 1'001; i < 1'100; ++i) CHECK_OK(Write(pipe.a, Pattern(i, i)));
  const PipeEnd moved = AwaitHandle<MessagePipeEndpoint>(carrier.b);
  for (int i = 1'100; i < 1'110; ++i) CHECK_OK(Write(pipe.a, Pattern(i, i)));
  for (int i = 0; i < 1'110; ++i) CHECK(AwaitText(moved) == Pattern(i, i));
}

TEST(what_is_unread_at_the_end_that_stays_is_read_first) {
  RemotePipe carrier;
  Pipe pipe;
  CHECK_OK(Write(pipe.b, "before"));
  CHECK_OK(Write(carrier.a, "", {pipe.b}));
  CHECK_EQ(ReadText(pipe.a), "before");
  const PipeEnd moved = AwaitHandle<MessagePipeEndpoint>(carrier.b);
  CHECK_OK(Write(moved, "after"));
  CHECK_EQ(AwaitText(pipe.a), "after");
}

TEST(an_end_whose_peer_is_closed_takes_its_messages_along) {
  RemotePipe carrier;
  Pipe pipe;
  for (int i = 0; i < 300; ++i) CHECK_OK(Write(pipe.a, Pattern(500, i), {NumberedFile(i)}));
  CHECK_OK(pipe.a.Close());
  CHECK_OK(Write(carrier.a, "", {pipe.b}));
  const PipeEnd moved = AwaitHandle<MessagePipeEndpoint>(carrier.b);
  CHECK_STATE(moved, kSignalReadable | kSignalPeerClosed, kSignalReadable | kSignalPeerClosed);
  for (int i = 0; i < 300; ++i) {
    OwnedMessage message;
    CHECK_OK(Read(moved, &message));
    CHECK(TextOf(*message) == Pattern(500, i));
    CHECK_EQ(NumberOf(TakeDispatchers(*message)[0]), uint64_t(i));
  }
  CHECK_STATE(moved, kSignalPeerClosed, kSignalPeerClosed);
}

TEST(a_peer_that_closes_after_the_end_left_sends_what_it_wrote) {
  RemotePipe carrier;
  Pipe pipe;
  for (int i = 0; i < 2'000; ++i) CHECK_OK(Write(pipe.a, Pattern(1'000, i)));
  CHECK_OK(Write(carrier.a, "", {pipe.b}));
  for (int i = 2'000; i < 2'010; ++i) CHECK_OK(Write(pipe.a, Pattern(1'000, i)));
  CHECK_OK(pipe.a.Close());
  const PipeEnd moved = AwaitHandle<MessagePipeEndpoint>(carrier.b);
  for (int i = 0; i < 2'010; ++i) CHECK(AwaitText(moved) == Pattern(1'000, i));
  CHECK(!Await(moved, kSignalReadable));
}

TEST(both_ends_of_a_pipe_leave_in_one_message) {
  RemotePipe carrier;
  Pipe pipe;
  for (int i = 0; i < 500; ++i) {
    CHECK_OK(Write(pipe.a, Pattern(900, 2 * i)));
    CHECK_OK(Write(pipe.b, Pattern(900, 2 * i + 1)));
  }
  CHECK_OK(Write(carrier.a, "", {pipe.a, pipe.b}));
  OwnedMessage message;
  CHECK_OK(AwaitRead(carrier.b, &message));
  const std::vector<Ref<Dispatcher>> ends = TakeDispatchers(*message);
  const PipeEnd a = Receive<MessagePipeEndpoint>(ends[0]);
  const PipeEnd b = Receive<MessagePipeEndpoint>(ends[1]);
  for (int i = 0; i < 500; ++i) {
    CHECK(AwaitText(b) == Pattern(900, 2 * i));
    CHECK(AwaitText(a) == Pattern(900, 2 * i + 1));
  }
}

TEST(both_ends_of_a_pipe_leave_one_after_the_other) {
  RemotePipe one, other;
  Pipe pipe;
  for (int i = 0; i < 500; ++i) {
    CHECK_OK(Write(pipe.a, Pattern(900, 2 * i)));
    CHECK_OK(Write(pipe.b, Pattern(900, 2 * i + 1)));
  }
  CHECK_OK(Write(one.a, "", {pipe.a}));
  CHECK_OK(Write(other.a, "", {pipe.b}));
  const PipeEnd b = AwaitHandle<MessagePipeEndpoint>(other.b);
  const PipeEnd a = AwaitHandle<MessagePipeEndpoint>(one.b);
  for (int i = 0; i < 500; ++i) {
    CHECK(AwaitText(b) == Pattern(900, 2 * i));
    CHECK(AwaitText(a) == Pattern(900, 2 * i + 1));
  }
}

TEST(watches_on_what_leaves_are_cancelled_and_those_on_its_peer_go_on) {
  RemotePipe carrier;
  Pipe pipe;
  TestWatcher leaving, staying;
  CHECK_OK(leaving.Watch(pipe.b, kSignalReadable, 1));
  CHECK_OK(staying.Watch(pipe.a, kSignalReadable, 2));
  CHECK_OK(staying.Arm());
  CHECK_OK(Write(carrier.a, "", {pipe.b}));
  CHECK_EQ(leaving.recorder().count(Result::kCancelled), 1u);
  CHECK_EQ(staying.recorder().count(), 0u);
  const PipeEnd moved = AwaitHandle<MessagePipeEndpoint>(carrier.b);
  CHECK_OK(Write(moved, "x"));
  Until([&] { return staying.recorder().count() == 1; });
  CHECK_EQ(staying.recorder().last().result, Result::kOk);
}

// --- pipes in messages in pipes ---

TEST(pipes_in_unread_messages_of_pipes_in_unread_messages) {
  RemotePipe carrier;
  Pipe outer, middle, inner;
  CHECK_OK(Write(inner.a, "innermost"));
  CHECK_OK(Write(middle.a, "middle", {inner.b}));
  CHECK_OK(Write(outer.a, "outer", {middle.b}));
  CHECK_OK(Write(carrier.a, "carrier", {outer.b}));
  CHECK(outer.a->IsRemote() && middle.a->IsRemote() && inner.a->IsRemote());
  const PipeEnd outer_b = AwaitHandle<MessagePipeEndpoint>(carrier.b);
  const PipeEnd middle_b = AwaitHandle<MessagePipeEndpoint>(outer_b);
  const PipeEnd inner_b = AwaitHandle<MessagePipeEndpoint>(middle_b);
  CHECK_EQ(AwaitText(inner_b), "innermost");
  CHECK_OK(Write(inner.a, "through all"));
  CHECK_EQ(AwaitText(inner_b), "through all");
  CHECK_OK(Write(outer_b, "back"));
  CHECK_EQ(AwaitText(outer.a), "back");
}

TEST(everything_may_be_in_unread_messages) {
  RemotePipe carrier;
  Pipe pipe;
  DataPipePair data;
  Ref<SharedBuffer> buffer;
  CHECK_OK(SharedBuffer::Create(5'000, Guid{1, 2, 3}, &buffer));
  const Handle<SharedBuffer> shared(std::move(buffer));
  CHECK_OK(Write(data.producer, "in the ring"));
  CHECK_OK(Write(pipe.a, "all", {data.consumer, shared, NumberedFile(9)}));
  CHECK_OK(Write(carrier.a, "", {pipe.b}));
  const PipeEnd moved = AwaitHandle<MessagePipeEndpoint>(carrier.b);
  OwnedMessage message;
  CHECK_OK(AwaitRead(moved, &message));
  const std::vector<Ref<Dispatcher>> received = TakeDispatchers(*message);
  const Consumer consumer = Receive<DataPipeConsumer>(received[0]);
  CHECK_EQ(ReadExactly(consumer, 11), "in the ring");
  CHECK_EQ(Receive<SharedBuffer>(received[1])->nbytes(), 5'000u);
  CHECK_EQ(NumberOf(received[2]), 9u);
}

#ifdef __SANITIZE_THREAD__
constexpr size_t kDepth = 30;  // ThreadSanitizer cannot follow a thread with more than 64 locks
#else
constexpr size_t kDepth = 1'500;
#endif

TEST(a_chain_of_pipes_one_inside_the_other) {
  RemotePipe carrier;
  std::vector<Pipe> pipes(kDepth);
  for (size_t i = kDepth; i-- > 0;) {
    std::vector<Attached> inner;
    if (i + 1 < kDepth) inner.emplace_back(pipes[i + 1].b);
    CHECK_OK(Write(pipes[i].a, std::to_string(i), inner));
  }
  CHECK_OK(Write(carrier.a, "", {pipes[0].b}));
  PipeEnd end = AwaitHandle<MessagePipeEndpoint>(carrier.b);
  for (size_t i = 0; i < kDepth; ++i) {
    OwnedMessage message;
    CHECK_OK(AwaitRead(end, &message));
    CHECK_EQ(TextOf(*message), std::to_string(i));
    if (i + 1 < kDepth) end = Receive<MessagePipeEndpoint>(TakeDispatchers(*message)[0]);
  }
}

TEST(a_chain_of_pipes_that_nobody_reads) {
  RemotePipe carrier;
  std::vector<Pipe> pipes(kDepth);
  for (size_t i = kDepth; i-- > 1;) CHECK_OK(Write(pipes[i - 1].a, "", {pipes[i].b}));
  CHECK_OK(Write(carrier.a, "", {pipes[0].b}));
  CHECK_OK(carrier.b.Close());
  for (const Pipe& pipe : pipes) CHECK(Await(pipe.a, kSignalPeerClosed));
}

TEST(a_pipe_may_leave_inside_its_own_peer) {
  // y is in an unread message of p1, and p1 in one of x, which is y's peer: reading x leads to y.
  RemotePipe carrier;
  Pipe xy, p;
  CHECK_OK(Write(xy.b, "x gets p1", {p.b}));
  CHECK_OK(Write(p.a, "p1 gets y", {xy.b}));
  CHECK_OK(Write(carrier.a, "", {xy.a}));
  const PipeEnd x = AwaitHandle<MessagePipeEndpoint>(carrier.b);
  const PipeEnd p1 = AwaitHandle<MessagePipeEndpoint>(x);
  const PipeEnd y = AwaitHandle<MessagePipeEndpoint>(p1);
  CHECK_OK(Write(y, "hello"));
  CHECK_EQ(AwaitText(x), "hello");
}

TEST(a_pipe_may_leave_inside_its_own_peer_behind_many_messages) {
  // The same, with more before it than a socket takes at once.
  RemotePipe carrier;
  Pipe xy, p;
  for (int i = 0; i < 2'000; ++i) CHECK_OK(Write(xy.b, Pattern(1'000, i)));
  CHECK_OK(Write(xy.b, "x gets p1", {p.b}));
  CHECK_OK(Write(p.a, "p1 gets y", {xy.b}));
  const Result result = Write(carrier.a, "", {xy.a});
  if (result != Result::kOk) {
    // Refused is as good, if nothing has changed.
    CHECK_EQ(result, Result::kInvalidArgument);
    CHECK(xy.a.is_open() && !xy.a->IsRemote());
    return;
  }
  const PipeEnd x = AwaitHandle<MessagePipeEndpoint>(carrier.b);
  for (int i = 0; i < 2'000; ++i) CHECK(AwaitText(x) == Pattern(1'000, i));
  const PipeEnd p1 = AwaitHandle<MessagePipeEndpoint>(x);
  const PipeEnd y = AwaitHandle<MessagePipeEndpoint>(p1);
  CHECK_OK(Write(y, "hello"));
  CHECK_EQ(AwaitText(x), "hello");
}

TEST(ends_that_would_have_to_leave_before_one_another_are_refused) {
  // x1 carries y2 and x2 carries y1: what y1 has yet to send to x1 cannot be complete before y2 is
  // packed, nor the other way round.
  RemotePipe carrier;
  Pipe one, two;
  CHECK_OK(Write(one.b, "", {two.b}));
  // From here on two.a's peer is inside one.a.
  const Result inside = Write(two.a, "", {one.b});
  CHECK_OK(inside);
  const Result result = Write(carrier.a, "", {one.a});
  if (result == Result::kOk) {
    const PipeEnd x1 = AwaitHandle<MessagePipeEndpoint>(carrier.b);
    const PipeEnd y2 = AwaitHandle<MessagePipeEndpoint>(x1);
    const PipeEnd y1 = AwaitHandle<MessagePipeEndpoint>(y2);
    CHECK_OK(Write(y1, "round"));
    CHECK_EQ(AwaitText(x1), "round");
    return;
  }
  CHECK_EQ(result, Result::kInvalidArgument);
  CHECK(one.a.is_open() && !one.a->IsRemote() && !two.a->IsRemote());
  const PipeEnd y2 = ReadHandle<MessagePipeEndpoint>(one.a);
  const PipeEnd y1 = ReadHandle<MessagePipeEndpoint>(y2);
  CHECK_OK(Write(y1, "still works"));
  CHECK_EQ(ReadText(one.a), "still works");
}

TEST(an_end_of_a_remote_pipe_in_an_unread_message) {
  RemotePipe carrier, pipe(kTinyBuffer);
  Pipe local;
  for (int i = 0; i < 100; ++i) {
    CHECK_OK(Write(pipe.a, Pattern(1'000, i)));
    CHECK_OK(Write(pipe.b, Pattern(1'000, 1'000 + i)));
  }
  CHECK_OK(Write(local.a, "", {pipe.a}));
  CHECK_OK(Write(carrier.a, "", {local.b}));
  const PipeEnd received = AwaitHandle<MessagePipeEndpoint>(carrier.b);
  const PipeEnd a = AwaitHandle<MessagePipeEndpoint>(received);
  for (int i = 0; i < 100; ++i) {
    CHECK(AwaitText(pipe.b) == Pattern(1'000, i));
    CHECK(AwaitText(a) == Pattern(1'000, 1'000 + i));
  }
}

// --- refused, and nothing has changed ---

TEST(memory_that_can_shrink_stays_here) {
  RemotePipe carrier;
  Pipe pipe;
  const ScopedFd file = MakeFile(8'192);
  const SharedBufferInfo info{fcntl(file.get(), F_DUPFD_CLOEXEC, 0), 8'192, Guid{}, false};
  Ref<SharedBuffer> buffer;
  CHECK_OK(SharedBuffer::Wrap(info, &buffer));
  const Handle<SharedBuffer> shared(std::move(buffer));
  CHECK_EQ(Write(carrier.a, "", {pipe.b, shared}), Result::kPermissionDenied);
  CHECK(shared.is_open() && pipe.b.is_open() && !pipe.b->IsRemote());
  CHECK_OK(Write(pipe.a, "", {shared}));
  CHECK_EQ(Write(carrier.a, "", {pipe.b}), Result::kPermissionDenied);
  CHECK(pipe.b.is_open() && !pipe.b->IsRemote());
  OwnedMessage message;
  CHECK_OK(Read(pipe.b, &message));  // as it was
  CHECK_EQ(message->dispatchers.size(), 1u);
}

TEST(an_end_in_two_phase_io_stays_here) {
  RemotePipe carrier;
  Pipe pipe;
  DataPipePair data;
  DataPipeWindow window;
  CHECK_OK(BeginWrite(data.producer, &window));
  CHECK_EQ(Write(carrier.a, "", {pipe.b, data.consumer, data.producer}), Result::kBusy);
  CHECK(pipe.b.is_open() && data.consumer.is_open() && data.producer.is_open());
  CHECK_OK(EndWrite(data.producer, 0));
}

// --- what comes while it leaves ---

TEST(a_message_for_an_end_that_leaves_has_to_be_serialized) {
  Pipe pipe;
  pipe.b->MarkLeaving(true);
  int object = 0;
  OwnedMessage message(new Message);
  message->context = &object;
  CHECK_EQ(WriteMessage(pipe.a, message), Result::kUnimplemented);
  CHECK(message->context == &object);
  CHECK_OK(Write(pipe.a, "serialized"));
  pipe.b->MarkLeaving(false);
  CHECK_OK(WriteMessage(pipe.a, message));
  CHECK_EQ(ReadText(pipe.b), "serialized");
}

}  // namespace mojo_seq::testing::departure_test
