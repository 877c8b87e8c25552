// Message pipes: writing, reading, closing, signals. System rules §4, §8.1.

#include "message_pipe.h"

#include "check.h"
#include "message_pipes.h"
#include "watchers.h"

namespace mojo_seq::testing::message_pipe_test {

constexpr Signals kOpen = kSignalReadable | kSignalWritable | kSignalPeerClosed | kSignalPeerRemote;

TEST(messages_arrive_in_order_before_write_returns) {
  Pipe pipe;
  for (int i = 0; i < 1'000; ++i) CHECK_OK(Write(pipe.a, std::to_string(i)));
  CHECK_OK(Write(pipe.b, "other direction"));
  for (int i = 0; i < 1'000; ++i) CHECK_EQ(ReadText(pipe.b), std::to_string(i));
  CHECK_EQ(ReadText(pipe.a), "other direction");
  OwnedMessage message;
  CHECK_EQ(Read(pipe.b, &message), Result::kShouldWait);
}

TEST(an_empty_message_is_a_message) {
  Pipe pipe;
  CHECK_OK(Write(pipe.a, ""));
  CHECK_EQ(ReadText(pipe.b), "");
}

TEST(a_message_that_was_read_can_be_written_again) {
  Pipe first, second, carried;
  CHECK_OK(Write(first.a, "x", {carried.a}));
  OwnedMessage message;
  CHECK_OK(Read(first.b, &message));
  Payload* const payload = message->payload.get();
  CHECK_OK(WriteMessage(second.a, message));
  CHECK_OK(Read(second.b, &message));
  CHECK(message->payload.get() == payload);
  CHECK_EQ(message->dispatchers.size(), 1u);
}

TEST(a_dead_handle_cannot_be_used) {
  Pipe pipe;
  CHECK_OK(pipe.a.Close());
  OwnedMessage message = MakeMessage("x");
  size_t blamed = 5;
  CHECK_EQ(WriteMessage(pipe.a, message, {}, &blamed), Result::kInvalidArgument);
  CHECK_EQ(blamed, SIZE_MAX);
  CHECK(message);
  CHECK_EQ(Read(pipe.a, &message), Result::kInvalidArgument);
  MessageList list;
  CHECK_EQ(pipe.a->WriteBatch(pipe.a.value(), &list), Result::kInvalidArgument);
  CHECK_EQ(pipe.a->ReadBatch(pipe.a.value(), 1, &list), Result::kInvalidArgument);
}

TEST(writing_to_a_closed_peer_fails_and_keeps_everything) {
  Pipe pipe, carried;
  CHECK_OK(Write(pipe.b, "unread"));
  CHECK_OK(pipe.b.Close());
  OwnedMessage message = MakeMessage("x");
  CHECK_EQ(WriteMessage(pipe.a, message, {carried.a}), Result::kFailedPrecondition);
  CHECK(message->dispatchers.empty());
  CHECK_EQ(TextOf(*message), "x");
  CHECK(carried.a.is_open());
  CHECK_OK(Write(carried.a, "y"));
  CHECK_EQ(ReadText(pipe.a), "unread");  // closing does not take back what was sent
  CHECK_EQ(Read(pipe.a, &message), Result::kFailedPrecondition);
}

TEST(signals_of_every_state) {
  Pipe pipe;
  CHECK_STATE(pipe.b, kSignalWritable, kOpen);
  CHECK_OK(Write(pipe.a, "1"));
  CHECK_OK(Write(pipe.a, "2"));
  CHECK_STATE(pipe.b, kSignalReadable | kSignalWritable, kOpen);
  CHECK_STATE(pipe.a, kSignalWritable, kOpen);
  CHECK_OK(pipe.a.Close());
  CHECK_STATE(pipe.b, kSignalReadable | kSignalPeerClosed, kSignalReadable | kSignalPeerClosed);
  ReadText(pipe.b);
  CHECK_STATE(pipe.b, kSignalReadable | kSignalPeerClosed, kSignalReadable | kSignalPeerClosed);
  ReadText(pipe.b);
  CHECK_STATE(pipe.b, kSignalPeerClosed, kSignalPeerClosed);
}

TEST(closing_drops_what_is_unread_and_closes_what_it_carries) {
  Pipe pipe, carried;
  CHECK_OK(Write(pipe.a, "x", {carried.a}));
  CHECK_OK(pipe.b.Close());
  CHECK_EQ(LiveCount(Kind::kMessage), 0);
  CHECK_STATE(carried.b, kSignalPeerClosed, kSignalPeerClosed);
}

// --- batches ---

TEST(a_batch_is_written_as_a_whole) {
  Pipe pipe;
  CHECK_OK(Write(pipe.a, "0"));
  MessageList batch;
  for (char c : {'1', '2', '3'}) batch.Push(MakeMessage({c}).release());
  {
    ApiCall call;
    CHECK_OK(pipe.a->WriteBatch(pipe.a.value(), &batch));
  }
  CHECK(batch.empty());
  for (char c : {'0', '1', '2', '3'}) CHECK_EQ(ReadText(pipe.b), std::string(1, c));
}

TEST(a_batch_that_cannot_be_written_stays_with_the_caller) {
  Pipe pipe;
  CHECK_OK(pipe.b.Close());
  MessageList batch;
  batch.Push(MakeMessage("1").release());
  CHECK_EQ(pipe.a->WriteBatch(pipe.a.value(), &batch), Result::kFailedPrecondition);
  CHECK_EQ(batch.size(), 1u);
}

TEST(an_empty_batch_says_whether_the_peer_lives) {
  Pipe pipe;
  MessageList batch;
  CHECK_OK(pipe.a->WriteBatch(pipe.a.value(), &batch));
  CHECK_OK(pipe.b.Close());
  CHECK_EQ(pipe.a->WriteBatch(pipe.a.value(), &batch), Result::kFailedPrecondition);
}

TEST(a_batch_is_read_in_parts) {
  Pipe pipe;
  for (char c : {'1', '2', '3'}) CHECK_OK(Write(pipe.a, {c}));
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(pipe.b, kSignalReadable, 1));
  MessageList batch;
  CHECK_OK(pipe.b->ReadBatch(pipe.b.value(), 2, &batch));
  CHECK_EQ(batch.size(), 2u);
  CHECK_EQ(watcher.Arm(), Result::kFailedPrecondition);
  CHECK_OK(pipe.b->ReadBatch(pipe.b.value(), 2, &batch));
  CHECK_EQ(batch.size(), 3u);
  CHECK_OK(watcher.Arm());
  CHECK_EQ(pipe.b->ReadBatch(pipe.b.value(), 2, &batch), Result::kShouldWait);
  CHECK_OK(pipe.a.Close());
  CHECK_EQ(pipe.b->ReadBatch(pipe.b.value(), 2, &batch), Result::kFailedPrecondition);
  for (char c : {'1', '2', '3'}) {
    OwnedMessage message(batch.Pop());
    CHECK_EQ(TextOf(*message), std::string(1, c));
  }
}

TEST(reading_the_last_message_updates_watches) {
  Pipe pipe;
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(pipe.b, kSignalReadable, 1));
  CHECK_OK(Write(pipe.a, "x"));
  CHECK_EQ(watcher.Arm(), Result::kFailedPrecondition);
  ReadText(pipe.b);
  CHECK_OK(watcher.Arm());
  CHECK_OK(Write(pipe.a, "y"));
  CHECK_OK(pipe.a.Close());
  ReadText(pipe.b);  // now it can never be readable again
  std::vector<ReadyWatch> ready;
  CHECK_EQ(watcher.Arm(1, &ready), Result::kFailedPrecondition);
  CHECK_EQ(ready[0].result, Result::kFailedPrecondition);
}

// --- what the garbage collector sees ---

int CollectContexts(void* context, void* arg) {
  static_cast<std::vector<void*>*>(arg)->push_back(context);
  return 0;
}

OwnedMessage MakeLazy(void* context) {
  OwnedMessage message(new Message);
  message->context = context;
  return message;
}

TEST(unread_objects_can_be_visited_at_any_depth) {
  int objects[3];
  Pipe outer, inner;
  OwnedMessage message = MakeLazy(&objects[0]);
  CHECK_OK(WriteMessage(inner.a, message));
  CHECK_OK(Write(inner.a, "serialized"));
  message = MakeLazy(&objects[1]);
  CHECK_OK(WriteMessage(outer.a, message));
  CHECK_OK(Write(outer.a, "", {inner.b}));
  message = MakeLazy(&objects[2]);
  CHECK_OK(WriteMessage(inner.a, message));  // into a pipe that is on its way
  std::vector<void*> seen;
  CHECK_EQ(outer.b->VisitContexts(CollectContexts, &seen), 0);
  CHECK_EQ(seen.size(), 3u);
  CHECK_EQ(outer.a->VisitContexts(CollectContexts, &seen), 0);
  CHECK_EQ(seen.size(), 3u);
  // Stops when told to.
  const auto stop = [](void*, void*) { return 7; };
  CHECK_EQ(outer.b->VisitContexts(stop, nullptr), 7);
  CHECK_OK(Read(outer.b, &message));
  CHECK_OK(Read(outer.b, &message));
  seen.clear();
  CHECK_EQ(MessagePipeEndpoint::VisitCarriedContexts(message.get(), CollectContexts, &seen), 0);
  CHECK_EQ(seen.size(), 2u);
  CHECK_EQ(MessagePipeEndpoint::VisitCarriedContexts(message.get(), stop, nullptr), 7);
}

TEST(objects_are_not_visited_once_read_or_dropped) {
  int object;
  Pipe pipe;
  for (int i = 0; i < 2; ++i) {
    OwnedMessage message = MakeLazy(&object);
    CHECK_OK(WriteMessage(pipe.a, message));
  }
  MessageList batch;
  CHECK_OK(pipe.b->ReadBatch(pipe.b.value(), 1, &batch));
  std::vector<void*> seen;
  CHECK_EQ(pipe.b->VisitContexts(CollectContexts, &seen), 0);
  CHECK_EQ(seen.size(), 1u);
  OwnedMessage message;
  CHECK_OK(Read(pipe.b, &message));
  seen.clear();
  CHECK_EQ(pipe.b->VisitContexts(CollectContexts, &seen), 0);
  CHECK(seen.empty());
  message = MakeLazy(&object);
  CHECK_OK(WriteMessage(pipe.a, message));
  CHECK_OK(pipe.b.Close());
  CHECK_EQ(pipe.b->VisitContexts(CollectContexts, &seen), 0);
  CHECK(seen.empty());
}

}  // namespace mojo_seq::testing::message_pipe_test
