// Data pipes: signals of every state, watches, ends that travel. System rules §5.6, §8.2, §8.3.

#include "check.h"
#include "data_pipes.h"
#include "message_pipes.h"
#include "wait.h"
#include "watchers.h"

namespace mojo_seq::testing::data_pipe_signals_test {

constexpr Signals R = kSignalReadable, W = kSignalWritable, PC = kSignalPeerClosed,
                  ND = kSignalNewDataReadable, PR = kSignalPeerRemote;

TEST(signals_of_the_producer) {
  DataPipePair pipe(4);
  CHECK_STATE(pipe.producer, W, W | PC | PR);
  CHECK_OK(Write(pipe.producer, "abcd"));
  CHECK_STATE(pipe.producer, 0, W | PC | PR);
  CHECK_EQ(ReadExactly(pipe.consumer, 1), "a");
  CHECK_STATE(pipe.producer, W, W | PC | PR);
  DataPipeWindow window;
  CHECK_OK(BeginWrite(pipe.producer, &window));
  CHECK_STATE(pipe.producer, 0, W | PC | PR);
  CHECK_OK(EndWrite(pipe.producer, 0));
  CHECK_STATE(pipe.producer, W, W | PC | PR);
  CHECK_OK(BeginWrite(pipe.producer, &window));
  CHECK_OK(pipe.consumer.Close());
  CHECK_STATE(pipe.producer, PC, PC);
  CHECK_OK(EndWrite(pipe.producer, 1));
  CHECK_STATE(pipe.producer, PC, PC);
}

TEST(signals_of_the_consumer) {
  constexpr Signals kAll = R | ND | PC | PR;
  DataPipePair pipe;
  CHECK_STATE(pipe.consumer, 0, kAll);
  CHECK_OK(Write(pipe.producer, "ab"));
  CHECK_STATE(pipe.consumer, R | ND, kAll);
  size_t available;
  CHECK_OK(Query(pipe.consumer, &available));
  CHECK_STATE(pipe.consumer, R, kAll);
  CHECK_OK(Write(pipe.producer, "c"));
  CHECK_STATE(pipe.consumer, R | ND, kAll);
  DataPipeWindow window;
  CHECK_OK(BeginRead(pipe.consumer, &window));
  CHECK_STATE(pipe.consumer, 0, kAll);
  CHECK_OK(EndRead(pipe.consumer, 1));
  CHECK_STATE(pipe.consumer, R, kAll);
  CHECK_EQ(ReadExactly(pipe.consumer, 2), "bc");
  CHECK_STATE(pipe.consumer, 0, kAll);
}

TEST(signals_of_the_consumer_after_the_producer_closed) {
  DataPipePair pipe;
  CHECK_OK(Write(pipe.producer, "ab"));
  DataPipeWindow window;
  CHECK_OK(BeginRead(pipe.consumer, &window));
  CHECK_OK(Write(pipe.producer, "cd"));
  CHECK_OK(pipe.producer.Close());
  CHECK_STATE(pipe.consumer, PC, R | ND | PC);  // unseen data came during the read
  CHECK_OK(EndRead(pipe.consumer, 0));
  CHECK_STATE(pipe.consumer, R | ND | PC, R | ND | PC);
  std::string data;
  CHECK_OK(Read(pipe.consumer, &data, 1));
  CHECK_STATE(pipe.consumer, R | PC, R | PC);
  CHECK_OK(BeginRead(pipe.consumer, &window));
  CHECK_STATE(pipe.consumer, PC, R | PC);
  CHECK_OK(EndRead(pipe.consumer, 3));
  CHECK_STATE(pipe.consumer, PC, PC);
}

TEST(every_look_makes_data_old) {
  const auto is_new = [](const DataPipePair& pipe) {
    return (pipe.consumer.State().satisfied & ND) != 0;
  };
  DataPipePair pipe(16, 2);
  std::string data;
  size_t amount;
  DataPipeWindow window;
  const auto arrive = [&] {
    CHECK_OK(Write(pipe.producer, "ab"));
    CHECK(is_new(pipe));
  };
  arrive();
  CHECK_OK(Query(pipe.consumer, &amount));
  CHECK(!is_new(pipe));
  arrive();
  CHECK_OK(Read(pipe.consumer, &data, 2, false, DataPipeConsumer::Mode::kPeek));
  CHECK(!is_new(pipe));
  arrive();
  CHECK_EQ(Read(pipe.consumer, &data, 16, true), Result::kOutOfRange);
  CHECK(!is_new(pipe));
  arrive();
  CHECK_EQ(Read(pipe.consumer, &data, 3), Result::kInvalidArgument);
  CHECK(!is_new(pipe));
  arrive();
  amount = 2;
  CHECK_OK(Discard(pipe.consumer, &amount));
  CHECK(!is_new(pipe));
  arrive();
  CHECK_EQ(BeginRead(pipe.consumer, &window, 16), Result::kOutOfRange);
  CHECK(!is_new(pipe));
  CHECK_OK(BeginRead(pipe.consumer, &window));
  CHECK_OK(Write(pipe.producer, "ab"));
  CHECK_EQ(Query(pipe.consumer, &amount), Result::kBusy);  // not looked at
  CHECK_OK(EndRead(pipe.consumer, 0));
  CHECK(is_new(pipe));
}

TEST(a_watch_on_new_data_fires_for_each_arrival) {
  DataPipePair pipe;
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(pipe.consumer, ND, 1));
  for (size_t i = 1; i <= 3; ++i) {
    CHECK_OK(watcher.Arm());
    CHECK_OK(Write(pipe.producer, "x"));
    CHECK_EQ(watcher.recorder().count(), i);
    CHECK_EQ(watcher.Arm(), Result::kFailedPrecondition);
    size_t available;
    CHECK_OK(Query(pipe.consumer, &available));
  }
  CHECK_OK(watcher.Arm());
  CHECK_OK(pipe.producer.Close());  // nothing new can come, though bytes remain
  CHECK_EQ(watcher.recorder().last().result, Result::kFailedPrecondition);
}

TEST(what_an_end_never_does_is_unsatisfiable) {
  DataPipePair pipe;
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(pipe.consumer, W, 1));
  CHECK_OK(watcher.Watch(pipe.producer, R, 2));
  std::vector<ReadyWatch> ready;
  CHECK_EQ(watcher.Arm(16, &ready), Result::kFailedPrecondition);
  CHECK_EQ(ready.size(), 2u);
  for (const ReadyWatch& each : ready) CHECK_EQ(each.result, Result::kFailedPrecondition);
}

TEST(the_producer_hears_of_space) {
  DataPipePair pipe(4);
  CHECK_OK(Write(pipe.producer, "abcd"));
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(pipe.producer, W, 1));
  const auto freed_by = [&](const std::function<void()>& free) {
    const size_t before = watcher.recorder().count();
    CHECK_OK(watcher.Arm());
    free();
    CHECK_EQ(watcher.recorder().count(), before + 1);
    CHECK_OK(Write(pipe.producer, "e", nullptr, true));
  };
  freed_by([&] { ReadExactly(pipe.consumer, 1); });
  freed_by([&] {
    size_t amount = 1;
    CHECK_OK(Discard(pipe.consumer, &amount));
  });
  freed_by([&] {
    DataPipeWindow window;
    CHECK_OK(BeginRead(pipe.consumer, &window));
    CHECK_OK(EndRead(pipe.consumer, 1));
  });
}

TEST(beginning_a_window_is_noticed) {
  DataPipePair pipe;
  CHECK_OK(Write(pipe.producer, "x"));
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(pipe.producer, W, 1));
  CHECK_OK(watcher.Watch(pipe.consumer, R, 2));
  DataPipeWindow window;
  CHECK_OK(BeginWrite(pipe.producer, &window));
  std::vector<ReadyWatch> ready;
  CHECK_EQ(watcher.Arm(16, &ready), Result::kFailedPrecondition);
  CHECK_EQ(ready.size(), 1u);
  CHECK_EQ(ready[0].context, 2u);
  CHECK_OK(BeginRead(pipe.consumer, &window));
  CHECK_OK(watcher.Arm());  // neither is satisfied any more
}

TEST(ending_a_window_is_noticed) {
  DataPipePair pipe;
  DataPipeWindow window;
  CHECK_OK(BeginWrite(pipe.producer, &window));
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(pipe.producer, W, 1));
  CHECK_OK(watcher.Arm());
  CHECK_EQ(EndWrite(pipe.producer, SIZE_MAX), Result::kInvalidArgument);
  CHECK_EQ(watcher.recorder().count(), 1u);
  CHECK_OK(Write(pipe.producer, "x"));
  CHECK_OK(BeginRead(pipe.consumer, &window));
  TestWatcher other;
  CHECK_OK(other.Watch(pipe.consumer, R, 1));
  CHECK_OK(other.Arm());
  CHECK_OK(EndRead(pipe.consumer, 0));
  CHECK_EQ(other.recorder().count(), 1u);
}

// --- ends that travel ---

TEST(a_producer_goes_on_where_it_was) {
  DataPipePair pipe(37);
  Pipe carrier;
  CHECK_OK(Write(pipe.producer, "before"));
  CHECK_OK(Write(carrier.a, "", {pipe.producer}));
  CHECK_EQ(Write(pipe.producer, "x"), Result::kInvalidArgument);
  Producer received = ReadHandle<DataPipeProducer>(carrier.b);
  CHECK_OK(Write(received, " after"));
  CHECK_EQ(ReadExactly(pipe.consumer, 12), "before after");
}

TEST(a_consumer_arrives_with_its_bytes_and_they_are_new) {
  DataPipePair pipe;
  Pipe carrier;
  CHECK_OK(Write(pipe.producer, "abc"));
  size_t available;
  CHECK_OK(Query(pipe.consumer, &available));
  CHECK_STATE(pipe.consumer, R, R | ND | PC | PR);
  CHECK_OK(Write(carrier.a, "", {pipe.consumer}));
  Consumer received = ReadHandle<DataPipeConsumer>(carrier.b);
  CHECK_STATE(received, R | ND, R | ND | PC | PR);
  CHECK_EQ(ReadExactly(received, 3), "abc");
}

TEST(a_consumer_arrives_with_bytes_of_a_closed_producer) {
  DataPipePair pipe;
  Pipe carrier;
  CHECK_OK(Write(pipe.producer, "abc"));
  CHECK_OK(pipe.producer.Close());
  CHECK_OK(Write(carrier.a, "", {pipe.consumer}));
  Consumer received = ReadHandle<DataPipeConsumer>(carrier.b);
  CHECK_STATE(received, R | ND | PC, R | ND | PC);
  CHECK_EQ(ReadExactly(received, 3), "abc");
}

TEST(an_end_nobody_receives_is_closed) {
  for (bool producer : {true, false}) {
    DataPipePair pipe;
    Pipe carrier;
    if (producer) {
      CHECK_OK(Write(carrier.a, "", {pipe.producer}));
      CHECK_OK(carrier.b.Close());
      CHECK_STATE(pipe.consumer, PC, PC);
    } else {
      CHECK_OK(Write(carrier.a, "", {pipe.consumer}));
      CHECK_OK(carrier.b.Close());
      CHECK_STATE(pipe.producer, PC, PC);
    }
  }
}

TEST(the_other_end_is_used_while_one_travels) {
  DataPipePair pipe(8);
  Pipe carrier;
  CHECK_OK(Write(carrier.a, "", {pipe.consumer}));
  CHECK_OK(Write(pipe.producer, "abcdefgh"));
  CHECK_STATE(pipe.producer, 0, W | PC | PR);
  Consumer received = ReadHandle<DataPipeConsumer>(carrier.b);
  TestWatcher watcher;
  CHECK_OK(watcher.Watch(pipe.producer, W, 1));
  CHECK_OK(watcher.Arm());
  CHECK_EQ(ReadExactly(received, 2), "ab");
  CHECK_EQ(watcher.recorder().count(), 1u);
}

}  // namespace mojo_seq::testing::data_pipe_signals_test
