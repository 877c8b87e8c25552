// Data pipes: creation and immediate reads and writes, with the order of their checks. System rules
// §5.1-5.3, §5.5.

#include "data_pipe.h"

#include "check.h"
#include "data_pipes.h"

namespace mojo_seq::testing::data_pipe_test {

constexpr auto kPeek = DataPipeConsumer::Mode::kPeek;
constexpr auto kRead = DataPipeConsumer::Mode::kRead;

Result Create(size_t capacity, size_t element_size, size_t* made = nullptr) {
  Ref<DataPipeProducer> producer;
  Ref<DataPipeConsumer> consumer;
  const Result result = CreateDataPipe(capacity, element_size, &producer, &consumer);
  CHECK_EQ(static_cast<bool>(producer), result == Result::kOk);
  if (result == Result::kOk) {
    if (made) *made = producer->capacity();
    producer->CloseInTransit();
    consumer->CloseInTransit();
  }
  return result;
}

TEST(capacities_are_whole_elements) {
  CHECK_EQ(Create(16, 0), Result::kInvalidArgument);
  CHECK_EQ(Create(2, 111), Result::kInvalidArgument);
  CHECK_EQ(Create(5, 1024), Result::kInvalidArgument);
  CHECK_EQ(Create(104, 5), Result::kInvalidArgument);
  size_t capacity;
  CHECK_OK(Create(105, 5, &capacity));
  CHECK_EQ(capacity, 105u);
  CHECK_OK(Create(0, 1, &capacity));
  CHECK_EQ(capacity, 65'536u);
  CHECK_OK(Create(0, 100, &capacity));
  CHECK_EQ(capacity, 65'500u);
  CHECK_OK(Create(0, 100'000, &capacity));
  CHECK_EQ(capacity, 100'000u);
}

TEST(more_than_the_machine_has_is_refused) {
  CHECK_EQ(Create(size_t{1} << 60, 1), Result::kResourceExhausted);
  CHECK_EQ(Create(0, size_t{1} << 60), Result::kResourceExhausted);
  CHECK_EQ(Create(SIZE_MAX, 1), Result::kResourceExhausted);
}

TEST(bytes_come_out_in_order_across_the_end_of_the_ring) {
  DataPipePair pipe(100);  // less than a page, so positions pass both ends
  std::string sent, received;
  char next = 0;
  for (int i = 0; i < 2'000; ++i) {
    std::string some(static_cast<size_t>(i) % 67, 0);
    for (char& c : some) c = next++;
    CHECK_OK(Write(pipe.producer, some, nullptr, true));
    sent += some;
    std::string got;
    if (Read(pipe.consumer, &got, 1'000) == Result::kOk) received += got;
  }
  CHECK(sent == received);
  CHECK(sent.size() > 50'000);
}

TEST(a_write_takes_what_fits) {
  DataPipePair pipe(16, 4);
  size_t written;
  CHECK_OK(Write(pipe.producer, std::string(12, 'a'), &written));
  CHECK_EQ(written, 12u);
  CHECK_OK(Write(pipe.producer, std::string(12, 'b'), &written));
  CHECK_EQ(written, 4u);
  CHECK_EQ(Write(pipe.producer, std::string(4, 'c')), Result::kShouldWait);
  CHECK_EQ(ReadExactly(pipe.consumer, 16), std::string(12, 'a') + std::string(4, 'b'));
}

TEST(checks_of_a_write_come_in_order) {
  const std::string odd(3, 'x'), five(20, 'x'), one(4, 'x');
  DataPipePair pipe(16, 4);
  size_t written;
  CHECK_EQ(Write(pipe.producer, odd), Result::kInvalidArgument);
  CHECK_OK(Write(pipe.producer, "", &written));
  CHECK_EQ(written, 0u);
  CHECK_EQ(Write(pipe.producer, five, nullptr, true), Result::kOutOfRange);
  CHECK_OK(Write(pipe.producer, std::string(16, 'x'), nullptr, true));
  CHECK_EQ(Write(pipe.producer, one, nullptr, true), Result::kOutOfRange);  // full: not SHOULD_WAIT
  CHECK_EQ(Write(pipe.producer, one), Result::kShouldWait);
  CHECK_OK(Write(pipe.producer, ""));  // also when full
  CHECK_EQ(Write(pipe.producer, odd), Result::kInvalidArgument);
  std::string data;
  CHECK_OK(Read(pipe.consumer, &data, 4));
  DataPipeWindow window;
  CHECK_OK(BeginWrite(pipe.producer, &window));
  CHECK_EQ(Write(pipe.producer, odd), Result::kBusy);
  CHECK_OK(pipe.consumer.Close());
  CHECK_EQ(Write(pipe.producer, odd), Result::kBusy);
  CHECK_OK(EndWrite(pipe.producer, 4));
  CHECK_EQ(Write(pipe.producer, odd), Result::kFailedPrecondition);
  CHECK_EQ(Write(pipe.producer, ""), Result::kFailedPrecondition);
  CHECK_OK(pipe.producer.Close());
  CHECK_EQ(Write(pipe.producer, odd), Result::kInvalidArgument);
}

TEST(checks_of_a_read_come_in_order) {
  DataPipePair pipe(16, 4);
  std::string data;
  CHECK_EQ(Read(pipe.consumer, &data, 3), Result::kInvalidArgument);
  CHECK_EQ(Read(pipe.consumer, &data, 4, true), Result::kOutOfRange);
  CHECK_EQ(Read(pipe.consumer, &data, 4), Result::kShouldWait);
  CHECK_OK(Write(pipe.producer, "abcdefgh"));
  CHECK_EQ(Read(pipe.consumer, &data, 12, true), Result::kOutOfRange);
  CHECK_EQ(data, std::string(12, '?'));  // on failure nothing is touched
  DataPipeWindow window;
  CHECK_OK(BeginRead(pipe.consumer, &window));
  CHECK_EQ(Read(pipe.consumer, &data, 3), Result::kBusy);
  size_t available;
  CHECK_EQ(Query(pipe.consumer, &available), Result::kBusy);
  size_t amount = 4;
  CHECK_EQ(Discard(pipe.consumer, &amount), Result::kBusy);
  CHECK_OK(EndRead(pipe.consumer, 0));
  CHECK_OK(pipe.producer.Close());
  CHECK_EQ(Read(pipe.consumer, &data, 3), Result::kInvalidArgument);
  CHECK_EQ(Read(pipe.consumer, &data, 12, true), Result::kFailedPrecondition);
  CHECK_OK(Read(pipe.consumer, &data, 12));
  CHECK_EQ(data, "abcdefgh");
  CHECK_EQ(Read(pipe.consumer, &data, 4), Result::kFailedPrecondition);
  CHECK_EQ(Read(pipe.consumer, &data, 0), Result::kFailedPrecondition);
  CHECK_OK(Query(pipe.consumer, &available));
  CHECK_EQ(available, 0u);
  CHECK_OK(pipe.consumer.Close());
  CHECK_EQ(Read(pipe.consumer, &data, 3), Result::kInvalidArgument);
  CHECK_EQ(Query(pipe.consumer, &available), Result::kInvalidArgument);
}

TEST(reading_nothing_succeeds_while_something_is_or_may_come) {
  DataPipePair pipe;
  std::string data;
  CHECK_OK(Read(pipe.consumer, &data, 0));
  CHECK_OK(Write(pipe.producer, "x"));
  CHECK_OK(pipe.producer.Close());
  CHECK_OK(Read(pipe.consumer, &data, 0));
  CHECK_EQ(ReadExactly(pipe.consumer, 1), "x");
  CHECK_EQ(Read(pipe.consumer, &data, 0), Result::kFailedPrecondition);
}

TEST(peeking_leaves_everything_in_place) {
  DataPipePair pipe(8);
  CHECK_OK(Write(pipe.producer, "abcdefgh"));
  std::string data;
  CHECK_OK(Read(pipe.consumer, &data, 3, false, kPeek));
  CHECK_EQ(data, "abc");
  CHECK_OK(Read(pipe.consumer, &data, 8, true, kPeek));
  CHECK_EQ(data, "abcdefgh");
  CHECK_EQ(Read(pipe.consumer, &data, 9, true, kPeek), Result::kOutOfRange);
  CHECK_EQ(Write(pipe.producer, "i"), Result::kShouldWait);
  CHECK_OK(Read(pipe.consumer, &data, 8, false, kRead));
  CHECK_EQ(data, "abcdefgh");
  CHECK_EQ(Read(pipe.consumer, &data, 1, false, kPeek), Result::kShouldWait);
}

TEST(discarding_frees_the_space) {
  DataPipePair pipe(8, 2);
  CHECK_OK(Write(pipe.producer, "abcdefgh"));
  size_t amount = 3;
  CHECK_EQ(Discard(pipe.consumer, &amount), Result::kInvalidArgument);
  amount = 4;
  CHECK_OK(Discard(pipe.consumer, &amount));
  CHECK_EQ(amount, 4u);
  CHECK_OK(Write(pipe.producer, "ijkl", nullptr, true));
  amount = 10;
  CHECK_EQ(Discard(pipe.consumer, &amount, true), Result::kOutOfRange);
  CHECK_EQ(ReadExactly(pipe.consumer, 2), "ef");
  amount = 100;
  CHECK_OK(Discard(pipe.consumer, &amount));
  CHECK_EQ(amount, 6u);
  CHECK_EQ(Discard(pipe.consumer, &amount), Result::kShouldWait);
}

TEST(a_query_counts_what_is_there) {
  DataPipePair pipe(8);
  size_t available = 77;
  CHECK_OK(Query(pipe.consumer, &available));
  CHECK_EQ(available, 0u);
  CHECK_OK(Write(pipe.producer, "abc"));
  CHECK_OK(pipe.producer.Close());
  CHECK_OK(Query(pipe.consumer, &available));
  CHECK_EQ(available, 3u);
}

TEST(a_check_says_what_a_read_would_do) {
  DataPipePair pipe(8, 2);
  size_t amount = 4;
  CHECK_EQ(pipe.consumer->CheckRead(pipe.consumer.value(), &amount, false), Result::kShouldWait);
  CHECK_OK(Write(pipe.producer, "ab"));
  CHECK_OK(pipe.consumer->CheckRead(pipe.consumer.value(), &amount, false));
  CHECK_EQ(amount, 2u);
  amount = 4;
  CHECK_EQ(pipe.consumer->CheckRead(pipe.consumer.value(), &amount, true), Result::kOutOfRange);
  CHECK_EQ(ReadExactly(pipe.consumer, 2), "ab");
}

TEST(what_was_written_before_closing_can_be_read) {
  DataPipePair pipe(8);
  CHECK_OK(Write(pipe.producer, "abcdefgh"));
  CHECK_OK(pipe.producer.Close());
  CHECK_EQ(ReadExactly(pipe.consumer, 5), "abcde");
  CHECK_EQ(ReadExactly(pipe.consumer, 3), "fgh");
}

TEST(the_ring_goes_with_the_last_who_can_use_it) {
  DataPipePair unread, drained;
  CHECK_EQ(LiveCount(Kind::kMapping), 2);
  CHECK_OK(Write(unread.producer, "x"));
  CHECK_OK(unread.producer.Close());
  CHECK_OK(drained.producer.Close());
  DispatchPending();
  CHECK_EQ(LiveCount(Kind::kMapping), 1);
  CHECK_OK(unread.consumer.Close());
  CHECK_EQ(LiveCount(Kind::kMapping), 0);
}

}  // namespace mojo_seq::testing::data_pipe_test
