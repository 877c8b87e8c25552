// Messages: what they own and how they end, and attaching handles. System rules §3, §4.5.

#include "message.h"

#include "check.h"
#include "data_pipe.h"
#include "message_pipes.h"
#include "watchers.h"

namespace mojo_seq::testing::message_test {

int released = 0;
void CountRelease(void* context) {
  CHECK(context == &released);
  ++released;
}

OwnedMessage MakeLazy() {
  OwnedMessage message(new Message);
  message->context = &released;
  message->release = CountRelease;
  return message;
}

TEST(a_zeroed_payload_is_zero) {
  Ref<Payload> payload = Payload::Allocate(100'000, true);
  CHECK(payload);
  CHECK_EQ(payload->capacity(), 100'000u);
  CHECK_EQ(reinterpret_cast<uintptr_t>(payload->data()) % 16, 0u);
  for (size_t i = 0; i < payload->capacity(); ++i) CHECK_EQ(payload->data()[i], 0);
}

TEST(a_payload_that_cannot_be_had_is_null) {
  CHECK(!Payload::Allocate(SIZE_MAX));
  CHECK(!Payload::Allocate(SIZE_MAX - 8));
}

TEST(a_payload_outlives_its_message_in_views_of_it) {
  OwnedMessage message = MakeMessage("hello");
  Ref<Payload> view = message->payload;
  message.reset();
  CHECK_EQ(LiveCount(Kind::kMessage), 0);
  CHECK_EQ(memcmp(view->data(), "hello", 5), 0);
}

TEST(an_object_left_in_a_message_is_released_once) {
  released = 0;
  OwnedMessage message = MakeLazy();
  CHECK(!message->IsSerialized());
  message.reset();
  CHECK_EQ(released, 1);
}

TEST(an_object_that_was_taken_is_not_released) {
  released = 0;
  OwnedMessage message = MakeLazy();
  message->context = nullptr;
  message.reset();
  CHECK_EQ(released, 0);
}

TEST(an_unread_object_is_released_with_its_pipe) {
  released = 0;
  {
    Pipe pipe;
    for (int i = 0; i < 3; ++i) {
      OwnedMessage message = MakeLazy();
      CHECK_OK(WriteMessage(pipe.a, message));
    }
    OwnedMessage read;
    CHECK_OK(Read(pipe.b, &read));
    CHECK(read->context == &released);  // the very object
    CHECK_EQ(released, 0);
    CHECK_OK(pipe.b.Close());
    CHECK_EQ(released, 2);
  }
  CHECK_EQ(released, 3);
}

TEST(destroying_null_is_nothing) { Message::Destroy(nullptr); }

TEST(handles_in_a_destroyed_message_are_closed) {
  Pipe pipe;
  OwnedMessage message = MakeMessage("x");
  Attachment attachment;
  attachment.Add(pipe.a.get(), pipe.a.value());
  size_t blamed;
  CHECK_OK(attachment.Begin(&blamed));
  attachment.MoveInto(message.get());
  attachment.Commit();
  CHECK_EQ(pipe.b.State().satisfied, kSignalWritable);
  message.reset();
  CHECK_STATE(pipe.b, kSignalPeerClosed, kSignalPeerClosed);
}

TEST(messages_nested_deeply_are_destroyed_without_recursion) {
  // Each pipe end lies in a message that lies in the queue of the one before.
  Pipe outer;
  PipeEnd inner = std::move(outer.b);
  for (int i = 0; i < 100'000; ++i) {
    Pipe next;
    CHECK_OK(Write(next.a, "", {inner}));
    inner = std::move(next.b);
    // `next.a` closes; what it wrote stays readable
  }
  CHECK_OK(inner.Close());
  CHECK_STATE(outer.a, kSignalPeerClosed, kSignalPeerClosed);
}

TEST(a_chain_that_closes_from_the_front_is_destroyed_without_recursion) {
  std::vector<PipeEnd> writers;
  Pipe first;
  PipeEnd inner = std::move(first.b);
  for (int i = 0; i < 20'000; ++i) {
    Pipe next;
    CHECK_OK(Write(next.a, "", {inner}));
    inner = std::move(next.b);
    writers.push_back(std::move(next.a));
  }
  CHECK_OK(inner.Close());
  for (const PipeEnd& each : writers) {
    CHECK_STATE(each, kSignalPeerClosed, kSignalPeerClosed);
  }
}

// --- lists ---

TEST(a_list_keeps_the_order_and_owns_what_is_left) {
  MessageList list, other;
  for (char c : {'a', 'b', 'c'}) list.Push(MakeMessage({c}).release());
  for (char c : {'d', 'e'}) other.Push(MakeMessage({c}).release());
  list.Splice(other);
  CHECK(other.empty());
  CHECK_EQ(other.size(), 0u);
  CHECK_EQ(list.size(), 5u);
  for (char c : {'a', 'b', 'c', 'd'}) {
    OwnedMessage message(list.Pop());
    CHECK_EQ(TextOf(*message), std::string(1, c));
  }
  list.Splice(other);  // of nothing
  CHECK_EQ(list.size(), 1u);
  other.Splice(list);  // into nothing
  CHECK_EQ(other.size(), 1u);
  other.Push(MakeMessage("f").release());
  CHECK_EQ(other.size(), 2u);
  CHECK(!list.Pop());
}

// --- attaching ---

struct Attaching {
  explicit Attaching(const std::vector<Attached>& handles) {
    for (const Attached& each : handles) attachment.Add(each.dispatcher, each.value);
  }
  Result Begin() { return attachment.Begin(&blamed); }
  Attachment attachment;
  size_t blamed = SIZE_MAX;
};

TEST(attaching_takes_all_or_none) {
  Pipe first, second, dead;
  CHECK_OK(dead.a.Close());
  Attaching attaching({first.a, second.a, dead.a, first.b});
  CHECK_EQ(attaching.Begin(), Result::kInvalidArgument);
  CHECK_EQ(attaching.blamed, 2u);
  for (const PipeEnd* end : {&first.a, &second.a, &first.b}) CHECK(end->is_open());
}

TEST(a_handle_listed_twice_is_busy) {
  Pipe pipe, other;
  Attaching attaching({other.a, pipe.a, pipe.a});
  CHECK_EQ(attaching.Begin(), Result::kBusy);
  CHECK_EQ(attaching.blamed, 2u);
  CHECK(pipe.a.is_open());
  CHECK(other.a.is_open());
}

TEST(a_handle_that_another_call_is_sending_is_busy) {
  Pipe pipe;
  Attaching first({pipe.a}), second({pipe.a});
  CHECK_OK(first.Begin());
  CHECK_EQ(second.Begin(), Result::kBusy);
  first.attachment.Abort();
  CHECK_OK(second.Begin());
}

TEST(a_watcher_cannot_be_attached) {
  TestWatcher watcher;
  Pipe pipe;
  Attaching attaching({pipe.a, watcher.handle()});
  CHECK_EQ(attaching.Begin(), Result::kInvalidArgument);
  CHECK_EQ(attaching.blamed, 1u);
  CHECK(pipe.a.is_open());
  CHECK(watcher.handle().is_open());
}

TEST(a_handle_in_two_phase_is_busy) {
  Ref<DataPipeProducer> producer;
  Ref<DataPipeConsumer> consumer;
  CHECK_OK(CreateDataPipe(16, 1, &producer, &consumer));
  Handle<DataPipeProducer> write_end(std::move(producer));
  Handle<DataPipeConsumer> read_end(std::move(consumer));
  DataPipeWindow window;
  CHECK_OK(write_end->BeginWrite(write_end.value(), 0, &window));
  Pipe pipe;
  Attaching attaching({pipe.a, write_end});
  CHECK_EQ(attaching.Begin(), Result::kBusy);
  CHECK_EQ(attaching.blamed, 1u);
  CHECK(pipe.a.is_open());
  CHECK(write_end.is_open());
  CHECK_OK(write_end->EndWrite(write_end.value(), 0, 0));
  CHECK_OK(attaching.Begin());
}

TEST(what_is_invalid_goes_before_what_is_busy) {
  Pipe pipe, dead;
  CHECK_OK(dead.a.Close());
  Attaching attaching({pipe.a, pipe.a, dead.a});
  CHECK_EQ(attaching.Begin(), Result::kInvalidArgument);
  CHECK_EQ(attaching.blamed, 2u);
}

TEST(an_attachment_that_is_given_up_puts_everything_back) {
  Pipe pipe;
  {
    Attaching attaching({pipe.a, pipe.b});
    CHECK_OK(attaching.Begin());
    CHECK(!pipe.a.is_open());
  }
  CHECK_OK(Write(pipe.a, "x"));
  CHECK_EQ(ReadText(pipe.b), "x");
}

TEST(attaching_ends_watches_only_when_it_is_certain) {
  Pipe pipe;
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(pipe.a, kSignalReadable, 1));
  {
    ApiCall call;
    Attaching attaching({pipe.a});
    CHECK_OK(attaching.Begin());
  }
  CHECK_EQ(watcher.recorder().count(), 0u);
  OwnedMessage message = MakeMessage("");
  {
    ApiCall call;
    Attaching attaching({pipe.a});
    CHECK_OK(attaching.Begin());
    attaching.attachment.MoveInto(message.get());
    attaching.attachment.Commit();
  }
  CHECK_EQ(watcher.recorder().count(), 1u);
  CHECK_EQ(watcher.recorder().last().result, Result::kCancelled);
}

}  // namespace mojo_seq::testing::message_test
