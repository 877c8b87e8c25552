// Data pipes with an end in another process: bytes in the ring travel, closure is noticed, and an end
// that lies about how far it has come is as good as closed. System rules §5.5, §5.6, §8.2, §8.3.

#include <sys/mman.h>

#include <thread>

#include "check.h"
#include "children.h"
#include "data_pipe_core.h"
#include "data_pipes.h"
#include "frames.h"
#include "odd_descriptors.h"
#include "rings.h"
#include "sockets.h"
#include "watchers.h"

namespace mojo_seq::testing::data_pipe_remote_test {

template <typename T>
Handle<T> Move(const Handle<T>& end, const RemotePipe& carrier) {
  CHECK_OK(Write(carrier.a, "", {end}));
  return AwaitHandle<T>(carrier.b);
}

// The other end of a pipe whose one end is in this process: a ring, cursors and a doorbell.
struct Impostor {
  // Takes the end away from this process, and keeps what was sent.
  template <typename T>
  explicit Impostor(const Handle<T>& leaving, size_t capacity) {
    const WithRings with(RingMode::kNever);  // nothing but the message is to be in the socket
    HalfPipe carrier;
    CHECK_OK(Write(carrier.end, "", {leaving}));
    std::vector<Chunk> chunks = ReceiveAllRaw(carrier.peer.get());
    CHECK_EQ(chunks.size(), 1u);
    CHECK_EQ(chunks[0].descriptors.size(), 2u);
    memory = std::move(chunks[0].descriptors[0]);
    bell = std::move(chunks[0].descriptors[1]);
    CHECK_OK(Mapping::Map(memory.get(), DataPipe::RingBytes(capacity), PageSize(), false, &page));
  }
  DataPipeCursors& cursors() { return *reinterpret_cast<DataPipeCursors*>(page->data()); }
  void Ring() { CHECK_EQ(SendRaw(bell.get(), "", 1), 1); }

  ScopedFd memory, bell;
  Ref<Mapping> page;
};

// --- honest ends ---

TEST(an_end_that_left_is_remote_and_the_bytes_go_on) {
  DataPipePair pipe(64);
  Impostor far(pipe.consumer, 64);
  CHECK_STATE(pipe.producer, kSignalWritable | kSignalPeerRemote,
              kSignalWritable | kSignalPeerClosed | kSignalPeerRemote);
  CHECK_OK(Write(pipe.producer, "hello"));
  CHECK_EQ(far.cursors().written.load(), 5u);
  char bytes[5];
  CHECK_EQ(pread(far.memory.get(), bytes, 5, 0), 5);
  CHECK_EQ(std::string(bytes, 5), "hello");
  far.cursors().consumed = 5;
  size_t written;
  CHECK_OK(Write(pipe.producer, std::string(100, 'x'), &written));
  CHECK_EQ(written, 64u);
  CHECK_EQ(Write(pipe.producer, "x"), Result::kShouldWait);
  far.cursors().consumed = 6;
  CHECK_OK(Write(pipe.producer, "x"));
}

TEST(bytes_in_the_ring_travel_with_a_consumer) {
  for (int hops : {1, 2, 5}) {
    RemotePipe carrier;
    DataPipePair pipe(37);
    CHECK_OK(Write(pipe.producer, std::string(30, 'a')));
    CHECK_EQ(ReadExactly(pipe.consumer, 20), std::string(20, 'a'));
    CHECK_OK(Write(pipe.producer, std::string(25, 'b')));
    Consumer consumer = std::move(pipe.consumer);
    for (int i = 0; i < hops; ++i) consumer = Move(consumer, carrier);
    CHECK(consumer.State().satisfied & kSignalNewDataReadable);
    CHECK_EQ(ReadExactly(consumer, 35), std::string(10, 'a') + std::string(25, 'b'));
    CHECK_OK(Write(pipe.producer, "more"));
    CHECK(Await(consumer, kSignalReadable));
    CHECK_EQ(ReadExactly(consumer, 4), "more");
  }
}

TEST(a_producer_goes_on_where_it_was) {
  RemotePipe carrier;
  DataPipePair pipe(16, 4);
  CHECK_OK(Write(pipe.producer, "aaaabbbb"));
  Producer producer = Move(pipe.producer, carrier);
  CHECK_EQ(producer->capacity(), 16u);
  CHECK_EQ(producer->element_size(), 4u);
  size_t written;
  CHECK_OK(Write(producer, "ccccddddeeee", &written));
  CHECK_EQ(written, 8u);
  CHECK_EQ(ReadExactly(pipe.consumer, 16), "aaaabbbbccccdddd");
  CHECK_OK(Write(producer, "ffff"));
  CHECK_EQ(ReadExactly(pipe.consumer, 4), "ffff");
}

TEST(both_ends_leave) {
  RemotePipe one, other;
  DataPipePair pipe(64);
  CHECK_OK(Write(pipe.producer, "before"));
  const Producer producer = Move(pipe.producer, one);
  const Consumer consumer = Move(pipe.consumer, other);
  CHECK_OK(Write(producer, " after"));
  CHECK(Await(consumer, kSignalReadable));
  CHECK_EQ(ReadExactly(consumer, 12), "before after");
}

TEST(a_consumer_whose_producer_is_closed_arrives_with_the_rest) {
  RemotePipe carrier;
  DataPipePair pipe(64);
  CHECK_OK(Write(pipe.producer, "the rest"));
  CHECK_OK(pipe.producer.Close());
  const Consumer consumer = Move(pipe.consumer, carrier);
  constexpr Signals kData = kSignalReadable | kSignalNewDataReadable | kSignalPeerClosed;
  CHECK_STATE(consumer, kData, kData);
  CHECK_EQ(ReadExactly(consumer, 8), "the rest");
  CHECK_STATE(consumer, kSignalPeerClosed, kSignalPeerClosed);
}

TEST(closing_is_noticed_on_the_other_side_after_the_last_bytes) {
  DataPipePair pipe(64);
  {
    Impostor far(pipe.producer, 64);
    far.cursors().written = 7;
  }
  CHECK(Await(pipe.consumer, kSignalPeerClosed));
  CHECK_EQ(ReadExactly(pipe.consumer, 7), std::string(7, '\0'));
  std::string data;
  CHECK_EQ(Read(pipe.consumer, &data, 1), Result::kFailedPrecondition);
}

TEST(a_watcher_hears_the_doorbell) {
  DataPipePair pipe(64);
  Impostor far(pipe.producer, 64);
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(pipe.consumer, kSignalReadable, 1));
  CHECK_OK(watcher.Arm());
  CHECK_EQ(far.cursors().consumer_waits.load(), 1u);
  far.cursors().written = 3;
  far.Ring();
  Until([&] { return watcher.recorder().count() == 1; });
  CHECK_EQ(watcher.recorder().last().result, Result::kOk);
}

TEST(the_bell_is_rung_for_those_who_said_that_they_sleep) {
  DataPipePair pipe(64);
  Impostor far(pipe.consumer, 64);
  CHECK_OK(Write(pipe.producer, "x"));
  CHECK_EQ(PollSocket(far.bell.get(), POLLIN), 0);
  far.cursors().consumer_waits = 1;
  CHECK_OK(Write(pipe.producer, "x"));
  CHECK_EQ(PollSocket(far.bell.get(), POLLIN), POLLIN);
  CHECK_EQ(far.cursors().consumer_waits.load(), 0u);
}

// --- ends that lie ---

TEST(a_producer_that_lies_is_closed) {
  for (uint64_t lie : {uint64_t{65}, uint64_t{3}, uint64_t{1} << 40, UINT64_MAX, UINT64_MAX - 3}) {
    DataPipePair pipe(64, 4);
    Impostor far(pipe.producer, 64);
    far.cursors().written = 8;
    size_t available = 0;
    CHECK_OK(Query(pipe.consumer, &available));
    CHECK_EQ(available, 8u);
    far.cursors().written = 8 + lie;
    CHECK_OK(Query(pipe.consumer, &available));
    CHECK_EQ(available, 8u);
    CHECK(pipe.consumer.State().satisfied & kSignalPeerClosed);
    far.cursors().written = 16;  // too late
    CHECK_EQ(ReadExactly(pipe.consumer, 8), std::string(8, '\0'));
    CHECK_STATE(pipe.consumer, kSignalPeerClosed, kSignalPeerClosed);
    CHECK(PollSocket(far.bell.get(), POLLRDHUP) & POLLRDHUP);
  }
}

TEST(a_consumer_that_lies_is_closed) {
  for (uint64_t lie : {uint64_t{4}, uint64_t{9}, uint64_t{1}, uint64_t{1} << 63, UINT64_MAX}) {
    DataPipePair pipe(64, 4);
    Impostor far(pipe.consumer, 64);
    CHECK_OK(Write(pipe.producer, "12345678"));
    far.cursors().consumed = 8;
    CHECK_OK(Write(pipe.producer, std::string(0, 'x')));
    far.cursors().consumed = 8 + lie;  // more than there was, or backwards
    CHECK_EQ(Write(pipe.producer, "1234"), Result::kFailedPrecondition);
    CHECK_STATE(pipe.producer, kSignalPeerClosed, kSignalPeerClosed);
  }
}

TEST(a_lie_during_two_phase_io_harms_nobody) {
  DataPipePair pipe(64);
  Impostor far(pipe.producer, 64);
  far.cursors().written = 20;
  DataPipeWindow window;
  CHECK_OK(BeginRead(pipe.consumer, &window));
  CHECK_EQ(window.nbytes, 20u);
  far.cursors().written = 1'000'000;
  CHECK_OK(EndRead(pipe.consumer, 5, window.number));
  CHECK(pipe.consumer.State().satisfied & kSignalPeerClosed);
  CHECK_EQ(ReadExactly(pipe.consumer, 15), std::string(15, '\0'));
}

TEST(a_flood_of_bells_and_descriptors_is_only_noise) {
  DataPipePair pipe(64);
  Impostor far(pipe.producer, 64);
  const ScopedFd null = DevNull();
  for (int i = 0; i < 200; ++i) SendRaw(far.bell.get(), "noise", 5, {null.get()});
  SendRaw(far.bell.get(), "x", 1, {}, MSG_OOB);
  std::string data;
  CHECK_EQ(Read(pipe.consumer, &data, 1), Result::kShouldWait);
  far.cursors().written = 2;
  CHECK(Await(pipe.consumer, kSignalReadable));
  CHECK_EQ(ReadExactly(pipe.consumer, 2), std::string(2, '\0'));
}

// --- two processes ---

TEST(a_stream_through_another_process_and_back) {
  Child child([](ScopedFd socket) {
    const PipeEnd end(MessagePipeEndpoint::FromSocket(std::move(socket)));
    OwnedMessage message;
    CHECK_OK(AwaitRead(end, &message));
    const std::vector<Ref<Dispatcher>> handles = TakeDispatchers(*message);
    const Consumer in = Receive<DataPipeConsumer>(handles[0]);
    const Producer out = Receive<DataPipeProducer>(handles[1]);
    for (;;) {
      std::string data;
      const Result result = Read(in, &data, 1'000);
      if (result == Result::kFailedPrecondition) return;
      if (result == Result::kShouldWait) Await(in, kSignalReadable);
      for (size_t done = 0; result == Result::kOk && done < data.size();) {
        size_t written = 0;
        if (Write(out, data.substr(done), &written) == Result::kOk) {
          done += written;
        } else {
          CHECK(Await(out, kSignalWritable));
        }
      }
    }
  });
  const PipeEnd end = child.TakePipe();
  DataPipePair there(300), back(77);
  CHECK_OK(Write(end, "", {there.consumer, back.producer}));
  const std::string text = Pattern(200'000, 1);
  std::thread writer([&] {
    for (size_t done = 0; done < text.size();) {
      size_t written = 0;
      if (Write(there.producer, text.substr(done, 500), &written) == Result::kOk) {
        done += written;
      } else {
        CHECK(Await(there.producer, kSignalWritable));
      }
    }
    CHECK_OK(there.producer.Close());
  });
  std::string received;
  for (;;) {
    std::string data;
    const Result result = Read(back.consumer, &data, 400);
    if (result == Result::kFailedPrecondition) break;
    if (result == Result::kOk) {
      received += data;
    } else {
      Await(back.consumer, kSignalReadable);
    }
  }
  writer.join();
  CHECK(received == text);
  CHECK_EQ(child.Wait(), 0);
}

TEST(the_death_of_the_other_process_is_noticed) {
  Child child([](ScopedFd socket) {
    const PipeEnd end(MessagePipeEndpoint::FromSocket(std::move(socket)));
    OwnedMessage message;
    CHECK_OK(AwaitRead(end, &message));
    CHECK_OK(Write(end, "have it"));
    AwaitRead(end, &message);
  });
  const PipeEnd end = child.TakePipe();
  DataPipePair given(64), taken(64);
  CHECK_OK(Write(taken.producer, "left"));
  CHECK_OK(Write(end, "", {given.consumer, taken.producer}));
  CHECK_EQ(AwaitText(end), "have it");
  child.Kill();
  CHECK(Await(given.producer, kSignalPeerClosed));
  CHECK(Await(taken.consumer, kSignalPeerClosed));
  CHECK_EQ(Write(given.producer, "x"), Result::kFailedPrecondition);
  CHECK_EQ(ReadExactly(taken.consumer, 4), "left");
  CHECK_EQ(child.Wait(), -SIGKILL);
}

}  // namespace mojo_seq::testing::data_pipe_remote_test
