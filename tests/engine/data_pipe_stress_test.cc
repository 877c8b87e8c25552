// Data pipes: a producer and a consumer at full speed, in all ways of transfer, while their ends
// travel. Every byte must arrive once and in order.

#include <cstring>
#include <optional>

#include "check.h"
#include "data_pipes.h"
#include "message_pipes.h"
#include "random.h"
#include "threads.h"
#include "wait.h"

namespace mojo_seq::testing::data_pipe_stress_test {

// The byte at a position of the stream.
uint8_t ByteAt(uint64_t position) {
  return static_cast<uint8_t>((position * 0x9e3779b97f4a7c15) >> 56);
}

void Fill(uint8_t* data, size_t nbytes, uint64_t position) {
  for (size_t i = 0; i < nbytes; ++i) data[i] = ByteAt(position + i);
}

void CheckBytes(const uint8_t* data, size_t nbytes, uint64_t position) {
  for (size_t i = 0; i < nbytes; ++i) CHECK_EQ(data[i], ByteAt(position + i));
}

template <typename End>
void WaitFor(const End& end, Signals signals) {
  Waiter waiter;
  CHECK_OK(waiter.Add(end.get(), end.value(), signals));
  CHECK_OK(waiter.Wait(kNever));
}

// Sends the end through a pipe, sometimes together with others, and takes it out again.
template <typename Handle>
void Travel(Handle& end, const Pipe& carrier) {
  CHECK_OK(Write(carrier.a, "", {end}));
  end = ReadHandle<typename std::remove_pointer<decltype(end.get())>::type>(carrier.b);
}

struct Options {
  size_t capacity, element;
  bool two_phase, travels;
};

void Produce(Producer end, const Options& options, uint64_t total, Random random) {
  Pipe carrier;
  std::vector<uint8_t> buffer(options.capacity * 2);
  for (uint64_t position = 0; position < total;) {
    const size_t elements = 1 + random.Below(buffer.size() / options.element);
    size_t nbytes = std::min<uint64_t>(elements * options.element, total - position);
    Result result;
    if (options.two_phase && random.OneIn(2)) {
      DataPipeWindow window;
      result = BeginWrite(end, &window);
      if (result == Result::kOk) {
        nbytes = std::min(nbytes, window.nbytes);
        Fill(window.data, nbytes, position);
        CHECK_OK(EndWrite(end, nbytes, window.number));
      }
    } else {
      Fill(buffer.data(), nbytes, position);
      ApiCall call;
      IoLock lock(end.get());
      result = end->Write(end.value(), buffer.data(), &nbytes, random.OneIn(4));
    }
    if (result == Result::kOk) {
      position += nbytes;
    } else if (result == Result::kShouldWait) {
      WaitFor(end, kSignalWritable | kSignalPeerClosed);
    } else {
      CHECK_EQ(result, Result::kOutOfRange);
    }
    if (options.travels && random.OneIn(16)) Travel(end, carrier);
  }
}

void Consume(Consumer end, const Options& options, uint64_t total, Random random) {
  Pipe carrier;
  std::vector<uint8_t> buffer(options.capacity * 2);
  for (uint64_t position = 0;;) {
    const size_t elements = 1 + random.Below(buffer.size() / options.element);
    size_t nbytes = elements * options.element;
    Result result;
    if (options.two_phase && random.OneIn(2)) {
      DataPipeWindow window;
      result = BeginRead(end, &window);
      if (result == Result::kOk) {
        nbytes = std::min(nbytes, window.nbytes);
        CheckBytes(window.data, window.nbytes, position);
        CHECK_OK(EndRead(end, nbytes, window.number));
        position += nbytes;
      }
    } else {
      const bool peek = random.OneIn(8);
      ApiCall call;
      IoLock lock(end.get());
      result = end->Read(end.value(), buffer.data(), &nbytes, random.OneIn(4),
                         peek ? DataPipeConsumer::Mode::kPeek : DataPipeConsumer::Mode::kRead);
      if (result == Result::kOk) {
        CheckBytes(buffer.data(), nbytes, position);
        if (!peek) position += nbytes;
      }
    }
    if (result == Result::kShouldWait) {
      WaitFor(end, random.OneIn(2) ? kSignalReadable : kSignalNewDataReadable);
    } else if (result == Result::kFailedPrecondition) {
      size_t left;
      CHECK_OK(Query(end, &left));
      if (left > 0) continue;  // all-or-none of more than will ever come
      CHECK_EQ(position, total);
      return;
    } else if (result != Result::kOk) {
      CHECK_EQ(result, Result::kOutOfRange);
    }
    if (options.travels && random.OneIn(16)) Travel(end, carrier);
  }
}

void Stream(const Options& options, uint64_t total) {
  for (uint64_t round = 0; round < 3; ++round) {
    DataPipePair pipe(options.capacity, options.element);
    std::thread producer([&, end = std::move(pipe.producer)]() mutable {
      Produce(std::move(end), options, total, Random(2 * round));
    });
    Consume(std::move(pipe.consumer), options, total, Random(2 * round + 1));
    producer.join();
  }
}

TEST(a_stream_of_immediate_transfers) { Stream({4'096, 1, false, false}, 400'000); }
TEST(a_stream_of_both_kinds_of_transfers) { Stream({1'000, 8, true, false}, 200'000); }
TEST(a_stream_through_a_ring_of_few_elements) { Stream({37, 1, true, false}, 30'000); }
TEST(a_stream_of_transfers_larger_than_a_slice) { Stream({60'000, 12, true, false}, 1'200'000); }
TEST(a_stream_whose_ends_travel) { Stream({512, 4, true, true}, 100'000); }

TEST(several_writers_of_one_end_do_not_mix_their_elements) {
  constexpr size_t kElement = 64, kEach = 2'000, kWriters = 3;
  DataPipePair pipe(kElement * 5, kElement);
  RunTogether(kWriters + 1, [&](size_t thread) {
    if (thread < kWriters) {
      const std::string element(kElement, static_cast<char>('a' + thread));
      for (size_t i = 0; i < kEach;) {
        const Result result = Write(pipe.producer, element, nullptr, true);
        if (result == Result::kOk) ++i;
        if (result == Result::kOutOfRange) WaitFor(pipe.producer, kSignalWritable);
      }
      return;
    }
    size_t counts[kWriters] = {};
    for (size_t i = 0; i < kEach * kWriters;) {
      std::string element;
      const Result result = Read(pipe.consumer, &element, kElement, true);
      if (result == Result::kOutOfRange) {
        WaitFor(pipe.consumer, kSignalReadable);
        continue;
      }
      CHECK_OK(result);
      CHECK_EQ(element, std::string(kElement, element[0]));
      ++counts[element[0] - 'a'];
      ++i;
    }
    for (size_t count : counts) CHECK_EQ(count, kEach);
  });
}

// A large transfer is made in slices; the end may be sent away between two of them. What the call
// says it has transferred is what counts, and the receiver goes on from there.
TEST(a_producer_sent_in_the_middle_of_a_write_has_written_what_it_says) {
  constexpr size_t kTotal = 96 * 1024;
  std::vector<uint8_t> stream(kTotal);
  Fill(stream.data(), kTotal, 0);
  std::optional<DataPipePair> pipe;
  std::optional<Pipe> carrier;
  size_t written = 0;
  Race(
      200,
      [&] {
        if (pipe) {
          std::string data;
          if (written > 0) {
            CHECK_OK(Read(pipe->consumer, &data, written, true));
            CHECK(memcmp(data.data(), stream.data(), written) == 0);
          }
          CHECK(Read(pipe->consumer, &data, 1) != Result::kOk);
        }
        pipe.emplace(kTotal);
        carrier.emplace();
      },
      [&] {
        ApiCall call;
        IoLock lock(pipe->producer.get());
        written = kTotal;
        if (pipe->producer->Write(pipe->producer.value(), stream.data(), &written, false) !=
            Result::kOk) {
          written = 0;
        }
      },
      [&] { CHECK_OK(Write(carrier->a, "", {pipe->producer})); });
}

TEST(a_consumer_sent_in_the_middle_of_a_read_has_read_what_it_says) {
  constexpr size_t kTotal = 96 * 1024;
  std::vector<uint8_t> stream(kTotal);
  Fill(stream.data(), kTotal, 0);
  std::optional<DataPipePair> pipe;
  std::optional<Pipe> carrier;
  std::vector<uint8_t> data(kTotal);
  size_t read = 0;
  Race(
      200,
      [&] {
        if (pipe) {
          CHECK(memcmp(data.data(), stream.data(), read) == 0);
          Consumer received = ReadHandle<DataPipeConsumer>(carrier->b);
          if (read < kTotal) {
            const std::string rest = ReadExactly(received, kTotal - read);
            CHECK(memcmp(rest.data(), stream.data() + read, rest.size()) == 0);
          }
          size_t left;
          CHECK_OK(Query(received, &left));
          CHECK_EQ(left, 0u);
        }
        pipe.emplace(kTotal);
        carrier.emplace();
        size_t nbytes = kTotal;
        IoLock lock(pipe->producer.get());
        CHECK_OK(pipe->producer->Write(pipe->producer.value(), stream.data(), &nbytes, true));
      },
      [&] {
        ApiCall call;
        IoLock lock(pipe->consumer.get());
        read = kTotal;
        if (pipe->consumer->Read(pipe->consumer.value(), data.data(), &read, false,
                                 DataPipeConsumer::Mode::kRead) != Result::kOk) {
          read = 0;
        }
      },
      [&] { CHECK_OK(Write(carrier->a, "", {pipe->consumer})); });
}

TEST(closing_in_the_middle_of_a_stream_ends_the_other_side) {
  for (int round = 0; round < 200; ++round) {
    DataPipePair pipe(256);
    const bool consumer_closes = round % 2;
    std::atomic<bool> started{false};
    std::thread other([&] {
      std::string data;
      started = true;
      for (;;) {
        const Result result = consumer_closes ? Write(pipe.producer, std::string(100, 'x'))
                                              : Read(pipe.consumer, &data, 100);
        if (result == Result::kFailedPrecondition) return;
        if (result == Result::kOk) continue;
        CHECK_EQ(result, Result::kShouldWait);
        if (consumer_closes) {
          WaitFor(pipe.producer, kSignalWritable);
        } else {
          WaitFor(pipe.consumer, kSignalReadable);
        }
      }
    });
    while (!started) sched_yield();
    std::string data;
    for (int i = 0; i < round % 50; ++i) {
      if (consumer_closes) {
        Read(pipe.consumer, &data, 64);
      } else {
        Write(pipe.producer, std::string(64, 'x'));
      }
    }
    if (consumer_closes) {
      CHECK_OK(pipe.consumer.Close());
    } else {
      CHECK_OK(pipe.producer.Close());
    }
    other.join();
  }
}

}  // namespace mojo_seq::testing::data_pipe_stress_test
