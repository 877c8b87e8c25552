// Message pipes whose peer is in another process: the same rules as in one. System rules §4, §8.1,
// §13; both ends are in this process, and neither knows.

#include <sys/resource.h>

#include "check.h"
#include "children.h"
#include "descriptors.h"
#include "message_pipe.h"
#include "platform_handles.h"
#include "segment.h"
#include "shared_buffer.h"
#include "sockets.h"

namespace mojo_seq::testing::message_pipe_remote_test {

constexpr Signals kAll =
    kSignalReadable | kSignalWritable | kSignalPeerClosed | kSignalPeerRemote;

// --- signals ---

TEST(signals_of_an_open_pipe) {
  RemotePipe pipe;
  CHECK(pipe.a->IsRemote());
  CHECK_STATE(pipe.a, kSignalWritable | kSignalPeerRemote, kAll);
  CHECK_OK(Write(pipe.b, "x"));
  CHECK_STATE(pipe.a, kSignalReadable | kSignalWritable | kSignalPeerRemote, kAll);
  CHECK_EQ(ReadText(pipe.a), "x");
  CHECK_STATE(pipe.a, kSignalWritable | kSignalPeerRemote, kAll);
}

TEST(signals_when_the_peer_is_closed) {
  RemotePipe pipe;
  CHECK_OK(Write(pipe.b, "one"));
  CHECK_OK(Write(pipe.b, "two"));
  CHECK_OK(pipe.b.Close());
  CHECK_STATE(pipe.a, kSignalReadable | kSignalPeerClosed, kSignalReadable | kSignalPeerClosed);
  CHECK_EQ(ReadText(pipe.a), "one");
  CHECK_STATE(pipe.a, kSignalReadable | kSignalPeerClosed, kSignalReadable | kSignalPeerClosed);
  CHECK_EQ(ReadText(pipe.a), "two");
  CHECK_STATE(pipe.a, kSignalPeerClosed, kSignalPeerClosed);
  OwnedMessage message;
  CHECK_EQ(Read(pipe.a, &message), Result::kFailedPrecondition);
  CHECK_EQ(Write(pipe.a, "x"), Result::kFailedPrecondition);
}

TEST(a_peer_that_is_closed_with_unread_messages_is_closed) {
  RemotePipe pipe;
  CHECK_OK(Write(pipe.b, "for you"));
  CHECK_OK(Write(pipe.a, "never read"));
  CHECK_OK(pipe.b.Close());
  CHECK(Await(pipe.a, kSignalPeerClosed));
  CHECK_EQ(ReadText(pipe.a), "for you");
  CHECK_STATE(pipe.a, kSignalPeerClosed, kSignalPeerClosed);
}

TEST(a_write_that_finds_the_peer_gone_changes_the_signals_too) {
  RemotePipe pipe;
  CHECK_OK(Write(pipe.b, "left behind"));
  CHECK_OK(pipe.b.Close());
  CHECK_EQ(Write(pipe.a, "x"), Result::kFailedPrecondition);
  CHECK_STATE(pipe.a, kSignalReadable | kSignalPeerClosed, kSignalReadable | kSignalPeerClosed);
  CHECK_EQ(ReadText(pipe.a), "left behind");
}

// --- order, boundaries, contents ---

TEST(messages_of_all_sizes_with_any_number_of_handles) {
  const std::vector<size_t> sizes = {0,      1,      4'064,  4'095,  4'096,   4'097,    32'767, 32'768,
                                     32'769, 65'504, 65'535, 65'536, 65'537,  1 << 20};
  const std::vector<size_t> counts = {0, 1, 3, 0, 253, 0, 254, 0, 600};
  for (int buffer : {0, kTinyBuffer}) {
    RemotePipe pipe(buffer);
    uint64_t number = 0;
    for (size_t i = 0; i < 2 * sizes.size(); ++i) {
      const size_t count = counts[i % counts.size()];
      const std::vector<FileHandle> files = NumberedFiles(count, number);
      CHECK_OK(Write(pipe.a, Pattern(sizes[i % sizes.size()], i), AttachAll(files)));
      number += count;
    }
    number = 0;
    for (size_t i = 0; i < 2 * sizes.size(); ++i) {
      OwnedMessage message;
      CHECK_OK(AwaitRead(pipe.b, &message));
      CHECK(TextOf(*message) == Pattern(sizes[i % sizes.size()], i));
      CHECK_EQ(message->dispatchers.size(), counts[i % counts.size()]);
      for (const Ref<Dispatcher>& each : TakeDispatchers(*message)) {
        CHECK_EQ(NumberOf(each), number++);
      }
    }
  }
}

TEST(batches_and_single_messages_are_in_one_order) {
  RemotePipe pipe(kTinyBuffer);
  int written = 0;
  for (int round = 0; round < 60; ++round) {
    MessageList batch;
    for (int i = 0; i < round % 7; ++i) {
      batch.Push(MakeMessage(Pattern(written % 3'000, written)).release());
      ++written;
    }
    if (round == 40) {
      batch.Push(MakeMessage(Pattern(100'000, written)).release());
      ++written;
    }
    CHECK_OK(pipe.a->WriteBatch(pipe.a.value(), &batch));
    CHECK(batch.empty());
    CHECK_OK(Write(pipe.a, Pattern(written == 77 ? 100'000 : 10, written)));
    ++written;
  }
  for (int next = 0; next < written;) {
    MessageList messages;
    Await(pipe.b, kSignalReadable);
    CHECK_OK(pipe.b->ReadBatch(pipe.b.value(), 5, &messages));
    CHECK(messages.size() <= 5);
    while (Message* const message = messages.Pop()) {
      const OwnedMessage owned(message);
      CHECK(TextOf(*owned) == Pattern(owned->size, next));
      ++next;
    }
  }
}

TEST(an_empty_batch_is_no_message) {
  RemotePipe pipe;
  MessageList batch;
  CHECK_OK(pipe.a->WriteBatch(pipe.a.value(), &batch));
  OwnedMessage message;
  CHECK_EQ(Read(pipe.b, &message), Result::kShouldWait);
}

TEST(a_thousand_and_one_growing_messages_before_the_first_is_read) {
  RemotePipe pipe;
  for (size_t i = 0; i < 1'001; ++i) CHECK_OK(Write(pipe.a, Pattern(i * 10, i)));
  for (size_t i = 0; i < 1'001; ++i) CHECK(AwaitText(pipe.b) == Pattern(i * 10, i));
}

TEST(a_message_knows_the_process_that_wrote_it) {
  RemotePipe pipe;
  Child child([](ScopedFd socket) {
    const PipeEnd end(MessagePipeEndpoint::FromSocket(std::move(socket)));
    CHECK_OK(Write(end, "plain"));
    CHECK_OK(Write(end, Pattern(100'000, 1)));
    CHECK_OK(Write(end, "with a file", {NumberedFile(1)}));
    OwnedMessage message;
    AwaitRead(end, &message);
  });
  const PipeEnd end = child.TakePipe();
  for (int i = 0; i < 3; ++i) {
    OwnedMessage message;
    CHECK_OK(AwaitRead(end, &message));
    CHECK_EQ(message->sender, static_cast<uint32_t>(child.pid()));
  }
}

// --- large payloads ---

TEST(a_large_payload_is_not_copied_by_the_receiver) {
  RemotePipe pipe;
  for (size_t nbytes : {Segment::kThreshold - 1, Segment::kThreshold, Segment::kThreshold + 1}) {
    CHECK_OK(Write(pipe.a, Pattern(nbytes, 1)));
    OwnedMessage message;
    CHECK_OK(AwaitRead(pipe.b, &message));
    CHECK_EQ(Segment::Of(*message) != nullptr, nbytes >= Segment::kThreshold);
    CHECK(TextOf(*message) == Pattern(nbytes, 1));
  }
}

TEST(what_was_written_in_place_is_what_arrives) {
  RemotePipe pipe;
  OwnedMessage message(new Message);
  message->payload = Segment::Allocate(200'000, true);
  message->size = 200'000;
  const uint8_t* const written = message->payload->data();
  for (size_t i = 0; i < 200'000; ++i) CHECK_EQ(written[i], 0);
  memcpy(message->payload->data(), "in place", 8);
  CHECK_OK(WriteMessage(pipe.a, message));
  OwnedMessage received;
  CHECK_OK(AwaitRead(pipe.b, &received));
  CHECK_EQ(TextOf(*received).substr(0, 8), "in place");
  CHECK_EQ(received->size, 200'000u);
}

TEST(a_large_payload_can_be_passed_on_as_it_is) {
  RemotePipe first, second;
  CHECK_OK(Write(first.a, Pattern(300'000, 1), {NumberedFile(5)}));
  OwnedMessage message;
  CHECK_OK(AwaitRead(first.b, &message));
  CHECK_OK(WriteMessage(second.a, message));
  CHECK_OK(AwaitRead(second.b, &message));
  CHECK(TextOf(*message) == Pattern(300'000, 1));
  CHECK_EQ(NumberOf(TakeDispatchers(*message)[0]), 5u);
}

// --- what is refused stays with the caller ---

Result WriteSerializing(const PipeEnd& end, OwnedMessage& message, Serialization* serialization,
                        const std::vector<Attached>& handles = {}) {
  ApiCall call;
  Attachment attachment;
  for (const Attached& each : handles) attachment.Add(each.dispatcher, each.value);
  size_t blamed;
  const Result result = end->Write(end.value(), message.get(),
                                   handles.empty() ? nullptr : &attachment, &blamed, serialization);
  if (result == Result::kOk) message.release();
  return result;
}

TEST(what_is_not_serialized_is_named_and_kept) {
  RemotePipe pipe;
  int object = 0;
  OwnedMessage message(new Message);
  message->context = &object;
  message->release = [](void* context) { ++*static_cast<int*>(context); };
  Serialization serialization;
  CHECK_EQ(WriteSerializing(pipe.a, message, &serialization), Result::kUnimplemented);
  CHECK(message->context == &object);
  CHECK_EQ(serialization.unserialized.size(), 1u);
  CHECK(serialization.unserialized[0] == &object);
  const OwnedMessage stand_in = MakeMessage("serialized");
  serialization.messages[&object] = stand_in.get();
  CHECK_OK(WriteSerializing(pipe.a, message, &serialization));
  CHECK_EQ(object, 1);
  CHECK_EQ(AwaitText(pipe.b), "serialized");
}

TEST(what_is_not_serialized_may_be_anywhere_in_unread_messages) {
  RemotePipe pipe;
  Pipe outer, inner;
  int objects[3] = {};
  const auto write = [&](const PipeEnd& end, int* object) {
    OwnedMessage message(new Message);
    message->context = object;
    message->release = [](void* context) { ++*static_cast<int*>(context); };
    CHECK_OK(WriteMessage(end, message));
  };
  write(inner.a, &objects[0]);
  write(outer.a, &objects[1]);
  write(outer.a, &objects[2]);
  OwnedMessage carrier = MakeMessage("carrier");
  Serialization serialization;
  std::vector<OwnedMessage> stand_ins;
  const auto add_stand_ins = [&](size_t count) {
    CHECK_EQ(serialization.unserialized.size(), count);
    for (void* object : serialization.unserialized) {
      const auto number = static_cast<int*>(object) - objects;
      stand_ins.push_back(MakeMessage("object " + std::to_string(number)));
      // The form of the second one is a message that has the other pipe with it.
      if (number == 1) AttachTo(*stand_ins.back(), {inner.b});
      serialization.messages[object] = stand_ins.back().get();
    }
  };
  CHECK_EQ(WriteSerializing(pipe.a, carrier, &serialization, {outer.b}), Result::kUnimplemented);
  add_stand_ins(2);
  CHECK_EQ(WriteSerializing(pipe.a, carrier, &serialization, {outer.b}), Result::kUnimplemented);
  add_stand_ins(1);
  CHECK(outer.b.is_open() && !outer.b->IsRemote());
  CHECK_EQ(objects[0] + objects[1] + objects[2], 0);
  CHECK_OK(WriteSerializing(pipe.a, carrier, &serialization, {outer.b}));
  CHECK_EQ(objects[0] + objects[1] + objects[2], 3);
  const PipeEnd received = AwaitHandle<MessagePipeEndpoint>(pipe.b);
  OwnedMessage message;
  CHECK_OK(AwaitRead(received, &message));
  CHECK_EQ(TextOf(*message), "object 1");
  const PipeEnd received_inner = Receive<MessagePipeEndpoint>(TakeDispatchers(*message)[0]);
  CHECK_EQ(AwaitText(received), "object 2");
  CHECK_EQ(AwaitText(received_inner), "object 0");
}

TEST(handles_that_cannot_be_sent_are_kept) {
  RemotePipe pipe;
  Pipe other, dead;
  dead.a.Close();
  const FileHandle file = NumberedFile(1);
  size_t blamed;
  CHECK_EQ(Write(pipe.a, "x", {other.a, pipe.a}, &blamed), Result::kBusy);
  CHECK_EQ(blamed, 1u);
  CHECK_EQ(Write(pipe.a, "x", {other.a, other.a}, &blamed), Result::kBusy);
  CHECK_EQ(blamed, 1u);
  CHECK_EQ(Write(pipe.a, "x", {file, other.a, dead.a}, &blamed), Result::kInvalidArgument);
  CHECK_EQ(blamed, 2u);
  CHECK(other.a.is_open() && pipe.a.is_open() && file.is_open());
  CHECK(!other.a->IsRemote());
  CHECK_OK(Write(other.a, "still here"));
  CHECK_EQ(ReadText(other.b), "still here");
  OwnedMessage message;
  CHECK_EQ(Read(pipe.b, &message), Result::kShouldWait);
}

TEST(a_write_to_nobody_keeps_message_and_handles) {
  RemotePipe pipe;
  Pipe other;
  CHECK_OK(Write(other.a, "unread"));
  CHECK_OK(pipe.b.Close());
  OwnedMessage message = MakeMessage("kept");
  CHECK_EQ(WriteMessage(pipe.a, message, {other.b}), Result::kFailedPrecondition);
  CHECK_EQ(TextOf(*message), "kept");
  CHECK(message->dispatchers.empty());
  CHECK(other.b.is_open() && !other.b->IsRemote());
  CHECK_EQ(ReadText(other.b), "unread");
  MessageList batch;
  batch.Push(MakeMessage("one").release());
  batch.Push(MakeMessage("two").release());
  CHECK_EQ(pipe.a->WriteBatch(pipe.a.value(), &batch), Result::kFailedPrecondition);
  CHECK_EQ(batch.size(), 2u);
}

TEST(a_file_that_was_closed_behind_its_back_is_refused) {
  RemotePipe pipe;
  const ScopedFd original = DevNull();
  const int number = fcntl(original.get(), F_DUPFD_CLOEXEC, 0);
  {
    Ref<PlatformHandle> wrapped;
    CHECK_OK(PlatformHandle::Wrap(number, &wrapped));
    const FileHandle handle(std::move(wrapped));
    close(number);
    CHECK(Write(pipe.a, "x", {handle}) != Result::kOk);
    CHECK(handle.is_open());
  }
  CHECK_OK(Write(pipe.a, "after"));
  CHECK_EQ(AwaitText(pipe.b), "after");
}

TEST(without_descriptors_for_what_leaves_everything_stays) {
  Child child([](ScopedFd) {
    RemotePipe pipe;
    std::vector<Pipe> pipes(30);
    std::vector<Attached> ends;
    for (size_t i = 0; i < pipes.size(); ++i) {
      ends.emplace_back(pipes[i].b);
      CHECK_OK(Write(pipes[i].a, "unread " + std::to_string(i)));
    }
    const std::map<int, std::string> before = OpenDescriptors();
    const rlimit few{40, 4'096};
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    CHECK_EQ(Write(pipe.a, "x", ends), Result::kResourceExhausted);
    const rlimit enough{4'096, 4'096};
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &enough), 0);
    CHECK(OpenDescriptors() == before);
    for (const Pipe& each : pipes) CHECK(each.b.is_open() && !each.b->IsRemote());
    CHECK_OK(Write(pipes[7].a, "more"));
    CHECK_OK(Write(pipe.a, "x", ends));
    OwnedMessage message;
    CHECK_OK(AwaitRead(pipe.b, &message));
    const std::vector<Ref<Dispatcher>> moved = TakeDispatchers(*message);
    for (size_t i = 0; i < pipes.size(); ++i) {
      const PipeEnd end = Receive<MessagePipeEndpoint>(moved[i]);
      CHECK_EQ(AwaitText(end), "unread " + std::to_string(i));
      if (i == 7) CHECK_EQ(AwaitText(end), "more");
    }
  });
  CHECK_EQ(child.Wait(), 0);
}

TEST(without_descriptors_for_what_arrives_it_waits) {
  Child child([](ScopedFd) {
    RemotePipe pipe;
    CHECK_OK(Write(pipe.a, "before"));
    CHECK_OK(Write(pipe.a, "files", AttachAll(NumberedFiles(300, 7))));
    CHECK_OK(Write(pipe.a, "after"));
    const rlimit few{50, 4'096};
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &few), 0);
    CHECK_EQ(AwaitText(pipe.b), "before");
    OwnedMessage message;
    for (int i = 0; i < 5; ++i) {
      CHECK_EQ(Read(pipe.b, &message), Result::kResourceExhausted);
      CHECK(Await(pipe.b, kSignalReadable));  // so that it is found out, and nobody waits for ever
    }
    const rlimit enough{4'096, 4'096};
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &enough), 0);
    CHECK_OK(AwaitRead(pipe.b, &message));
    CHECK_EQ(TextOf(*message), "files");
    uint64_t number = 7;
    for (const Ref<Dispatcher>& each : TakeDispatchers(*message)) CHECK_EQ(NumberOf(each), number++);
    CHECK_EQ(number, 307u);
    CHECK_EQ(AwaitText(pipe.b), "after");
  });
  CHECK_EQ(child.Wait(), 0);
}

}  // namespace mojo_seq::testing::message_pipe_remote_test
