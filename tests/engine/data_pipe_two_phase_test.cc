// Data pipes: two-phase operations. System rules §5.4.

#include "check.h"
#include "data_pipes.h"
#include "message_pipes.h"

namespace mojo_seq::testing::data_pipe_two_phase_test {

void Fill(const DataPipeWindow& window, const std::string& data) {
  CHECK(data.size() <= window.nbytes);
  memcpy(window.data, data.data(), data.size());
}

std::string Contents(const DataPipeWindow& window) {
  return {reinterpret_cast<const char*>(window.data), window.nbytes};
}

TEST(windows_are_all_there_is_in_one_piece) {
  // A ring whose size is no multiple of a page and no power of two, at every position.
  const size_t capacity = PageSize() + 37;
  DataPipePair pipe(capacity);
  for (int i = 0; i < 300; ++i) {
    DataPipeWindow window;
    CHECK_OK(BeginWrite(pipe.producer, &window));
    CHECK_EQ(window.nbytes, capacity);
    memset(window.data, i, window.nbytes);
    CHECK_OK(EndWrite(pipe.producer, capacity - 61));
    CHECK_OK(BeginWrite(pipe.producer, &window));
    CHECK_EQ(window.nbytes, 61u);
    memset(window.data, i + 1, window.nbytes);
    CHECK_OK(EndWrite(pipe.producer, 61));
    CHECK_OK(BeginRead(pipe.consumer, &window));
    CHECK_EQ(window.nbytes, capacity);
    for (size_t at = 0; at < capacity; ++at) {
      CHECK_EQ(window.data[at], static_cast<uint8_t>(at < capacity - 61 ? i : i + 1));
    }
    CHECK_OK(EndRead(pipe.consumer, 100));
    size_t amount = capacity;
    CHECK_OK(Discard(pipe.consumer, &amount));
  }
}

TEST(what_is_not_committed_is_not_written) {
  DataPipePair pipe(16, 4);
  DataPipeWindow window;
  CHECK_OK(BeginWrite(pipe.producer, &window));
  Fill(window, "abcdefgh");
  size_t available;
  CHECK_OK(Query(pipe.consumer, &available));
  CHECK_EQ(available, 0u);
  CHECK_OK(EndWrite(pipe.producer, 4));
  CHECK_OK(Query(pipe.consumer, &available));
  CHECK_EQ(available, 4u);
  CHECK_OK(BeginWrite(pipe.producer, &window));
  CHECK_OK(EndWrite(pipe.producer, 0));
  CHECK_EQ(ReadExactly(pipe.consumer, 4), "abcd");
}

TEST(what_is_not_consumed_stays) {
  DataPipePair pipe(16);
  CHECK_OK(Write(pipe.producer, "abcdef"));
  DataPipeWindow window;
  CHECK_OK(BeginRead(pipe.consumer, &window));
  CHECK_EQ(Contents(window), "abcdef");
  CHECK_OK(EndRead(pipe.consumer, 2));
  CHECK_OK(BeginRead(pipe.consumer, &window));
  CHECK_EQ(Contents(window), "cdef");
  CHECK_OK(EndRead(pipe.consumer, 0));
  CHECK_EQ(ReadExactly(pipe.consumer, 4), "cdef");
}

TEST(checks_of_begin_write_come_in_order) {
  DataPipePair pipe(16, 4);
  DataPipeWindow window;
  CHECK_EQ(BeginWrite(pipe.producer, &window, 3), Result::kInvalidArgument);
  CHECK_EQ(BeginWrite(pipe.producer, &window, 20), Result::kInvalidArgument);
  CHECK_OK(Write(pipe.producer, "abcdefgh"));
  CHECK_EQ(BeginWrite(pipe.producer, &window, 12), Result::kOutOfRange);
  CHECK_OK(BeginWrite(pipe.producer, &window, 8));
  CHECK_EQ(BeginWrite(pipe.producer, &window, 3), Result::kBusy);
  CHECK_OK(EndWrite(pipe.producer, 8));
  CHECK_EQ(BeginWrite(pipe.producer, &window), Result::kShouldWait);
  CHECK_EQ(BeginWrite(pipe.producer, &window, 4), Result::kOutOfRange);
  CHECK_OK(pipe.consumer.Close());
  CHECK_EQ(BeginWrite(pipe.producer, &window, 3), Result::kFailedPrecondition);
  CHECK_OK(pipe.producer.Close());
  CHECK_EQ(BeginWrite(pipe.producer, &window), Result::kInvalidArgument);
}

TEST(checks_of_begin_read_come_in_order) {
  DataPipePair pipe(16, 4);
  DataPipeWindow window;
  CHECK_EQ(BeginRead(pipe.consumer, &window, 3), Result::kInvalidArgument);
  CHECK_EQ(BeginRead(pipe.consumer, &window, 20), Result::kInvalidArgument);
  CHECK_EQ(BeginRead(pipe.consumer, &window), Result::kShouldWait);
  CHECK_EQ(BeginRead(pipe.consumer, &window, 4), Result::kOutOfRange);
  CHECK_OK(Write(pipe.producer, "abcd"));
  CHECK_OK(BeginRead(pipe.consumer, &window, 4));
  CHECK_EQ(BeginRead(pipe.consumer, &window, 3), Result::kBusy);
  CHECK_OK(EndRead(pipe.consumer, 0));
  CHECK_OK(pipe.producer.Close());
  CHECK_EQ(BeginRead(pipe.consumer, &window, 8), Result::kFailedPrecondition);
  CHECK_OK(BeginRead(pipe.consumer, &window));
  CHECK_OK(EndRead(pipe.consumer, 4));
  CHECK_EQ(BeginRead(pipe.consumer, &window), Result::kFailedPrecondition);
  CHECK_OK(pipe.consumer.Close());
  CHECK_EQ(BeginRead(pipe.consumer, &window), Result::kInvalidArgument);
}

TEST(ending_what_was_not_begun_fails) {
  DataPipePair pipe;
  CHECK_EQ(EndWrite(pipe.producer, 0), Result::kFailedPrecondition);
  CHECK_EQ(EndRead(pipe.consumer, 0), Result::kFailedPrecondition);
  CHECK_OK(pipe.producer.Close());
  CHECK_EQ(EndWrite(pipe.producer, 0), Result::kInvalidArgument);
}

TEST(a_bad_amount_ends_the_operation_with_nothing_done) {
  for (size_t bad : {size_t{3}, size_t{20}, SIZE_MAX}) {
    DataPipePair pipe(16, 4);
    DataPipeWindow window;
    CHECK_OK(BeginWrite(pipe.producer, &window));
    CHECK_EQ(EndWrite(pipe.producer, bad), Result::kInvalidArgument);
    CHECK_EQ(EndWrite(pipe.producer, 4), Result::kFailedPrecondition);
    size_t available;
    CHECK_OK(Query(pipe.consumer, &available));
    CHECK_EQ(available, 0u);
    CHECK_OK(Write(pipe.producer, "abcdefgh"));
    CHECK_OK(BeginRead(pipe.consumer, &window));
    CHECK_EQ(EndRead(pipe.consumer, bad), Result::kInvalidArgument);
    CHECK_EQ(EndRead(pipe.consumer, 4), Result::kFailedPrecondition);
    CHECK_EQ(ReadExactly(pipe.consumer, 8), "abcdefgh");
  }
}

TEST(only_the_open_window_can_be_ended_by_number) {
  DataPipePair pipe;
  DataPipeWindow first, second;
  CHECK_OK(BeginWrite(pipe.producer, &first));
  CHECK(pipe.producer->IsWindowOpen(first.number));
  CHECK_OK(EndWrite(pipe.producer, 1, first.number));
  CHECK(!pipe.producer->IsWindowOpen(first.number));
  CHECK_OK(BeginWrite(pipe.producer, &second));
  CHECK(second.number != first.number);
  CHECK_EQ(EndWrite(pipe.producer, 1, first.number), Result::kFailedPrecondition);
  CHECK(pipe.producer->IsWindowOpen(second.number));
  CHECK_OK(EndWrite(pipe.producer, 1, second.number));
  CHECK(!pipe.producer->IsWindowOpen(0));
}

TEST(views_keep_a_window_open) {
  DataPipePair pipe;
  DataPipeWindow window;
  CHECK_OK(BeginWrite(pipe.producer, &window));
  CHECK_OK(pipe.producer->AddExport(window.number));
  CHECK_EQ(pipe.producer->AddExport(window.number + 1), Result::kFailedPrecondition);
  CHECK_EQ(EndWrite(pipe.producer, 3), Result::kBusy);
  CHECK_EQ(EndWrite(pipe.producer, SIZE_MAX), Result::kBusy);  // even this changes nothing
  CHECK_EQ(pipe.producer.Close(), Result::kFailedPrecondition);
  CHECK(pipe.producer.is_open());
  CHECK(pipe.producer->IsWindowOpen(window.number));
  pipe.producer->DropExport();
  CHECK_OK(EndWrite(pipe.producer, 3));
  CHECK_EQ(pipe.producer->AddExport(window.number), Result::kFailedPrecondition);
}

TEST(the_other_end_goes_on) {
  DataPipePair pipe(16);
  CHECK_OK(Write(pipe.producer, "abcd"));
  DataPipeWindow read, written;
  CHECK_OK(BeginRead(pipe.consumer, &read));
  CHECK_OK(Write(pipe.producer, "efgh"));
  CHECK_EQ(Contents(read), "abcd");  // arrivals change nothing in the window
  CHECK_OK(BeginWrite(pipe.producer, &written));
  CHECK_EQ(written.nbytes, 8u);
  Fill(written, "ijklmnop");
  CHECK_OK(EndRead(pipe.consumer, 4));
  CHECK_OK(EndWrite(pipe.producer, 8));
  CHECK_EQ(ReadExactly(pipe.consumer, 12), "efghijklmnop");
}

TEST(the_producer_may_close_during_a_read) {
  DataPipePair pipe;
  CHECK_OK(Write(pipe.producer, "abcd"));
  DataPipeWindow window;
  CHECK_OK(BeginRead(pipe.consumer, &window));
  CHECK_OK(Write(pipe.producer, "ef"));
  CHECK_OK(pipe.producer.Close());
  CHECK_EQ(Contents(window), "abcd");
  CHECK_OK(EndRead(pipe.consumer, 2));
  CHECK_EQ(ReadExactly(pipe.consumer, 4), "cdef");
}

TEST(the_consumer_may_close_during_a_write) {
  DataPipePair pipe;
  DataPipeWindow window;
  CHECK_OK(BeginWrite(pipe.producer, &window));
  CHECK_OK(pipe.consumer.Close());
  Fill(window, "abcd");  // the memory is still there
  CHECK_OK(EndWrite(pipe.producer, 4));
  CHECK_EQ(BeginWrite(pipe.producer, &window), Result::kFailedPrecondition);
}

TEST(closing_abandons_an_open_operation) {
  DataPipePair pipe;
  CHECK_OK(Write(pipe.producer, "abcd"));
  DataPipeWindow read, written;
  CHECK_OK(BeginRead(pipe.consumer, &read));
  CHECK_OK(BeginWrite(pipe.producer, &written));
  Fill(written, "efgh");
  CHECK_OK(pipe.producer.Close());
  CHECK_EQ(EndWrite(pipe.producer, 4), Result::kInvalidArgument);
  CHECK(!pipe.producer->IsWindowOpen(written.number));
  CHECK_OK(EndRead(pipe.consumer, 4));
  size_t available;
  CHECK_OK(Query(pipe.consumer, &available));
  CHECK_EQ(available, 0u);  // nothing was committed
}

TEST(the_memory_outlives_both_ends_as_long_as_it_is_held) {
  DataPipeWindow window;
  {
    DataPipePair pipe;
    CHECK_OK(Write(pipe.producer, "abcd"));
    CHECK_OK(BeginRead(pipe.consumer, &window));
  }
  CHECK_EQ(Contents(window), "abcd");
  CHECK_EQ(LiveCount(Kind::kMapping), 1);
}

TEST(an_end_in_two_phase_cannot_be_sent) {
  DataPipePair pipe;
  CHECK_OK(Write(pipe.producer, "abcd"));
  DataPipeWindow read, written;
  CHECK_OK(BeginRead(pipe.consumer, &read));
  CHECK_OK(BeginWrite(pipe.producer, &written));
  Pipe carrier;
  CHECK_EQ(Write(carrier.a, "", {pipe.producer}), Result::kBusy);
  CHECK_EQ(Write(carrier.a, "", {pipe.consumer}), Result::kBusy);
  CHECK_OK(EndRead(pipe.consumer, 0));
  CHECK_OK(EndWrite(pipe.producer, 0));
  CHECK_OK(Write(carrier.a, "", {pipe.producer, pipe.consumer}));
}

}  // namespace mojo_seq::testing::data_pipe_two_phase_test
