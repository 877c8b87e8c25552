// Ring: what is pushed is read in order, whatever its size and wherever it comes to lie; a side that
// lies about where it is harms only itself.

#include "ring.h"

#include <sys/mman.h>

#include <thread>

#include "channels.h"
#include "random.h"
#include "ring_liar.h"
#include "threads.h"

namespace mojo_seq::testing::ring_test {

TEST(messages_of_every_size_come_out_as_they_went_in) {
  RingPair pair;
  Random random(1);
  for (int round = 0; round < 2'000; ++round) {
    const std::string text = Pattern(random.Below(kMostInRing + 1), random.Next());
    CHECK(Push(pair.writer.get(), text));
    pair.writer->Publish(0);
    CHECK(Pop(pair.reader.get()) == text);
    pair.reader->GiveBack();
  }
  CHECK(Look(pair.reader.get()) == RingReader::Next::kNone);
  CHECK(pair.writer->IsDrained());
}

TEST(a_full_ring_takes_no_more_until_it_is_read) {
  for (size_t size : {0, 1, 8, 64, 100, 4'095, 4'096}) {
    RingPair pair;
    size_t count = 0;
    while (Push(pair.writer.get(), Pattern(size, count))) ++count;
    CHECK(count >= kRingBytes / (size + 16) - 1);
    pair.writer->Publish(0);
    CHECK(!Push(pair.writer.get(), Pattern(size, count)));
    for (size_t i = 0; i < count; ++i) CHECK(Pop(pair.reader.get()) == Pattern(size, i));
    CHECK(!Push(pair.writer.get(), Pattern(size, count)));  // not given back yet
    pair.reader->GiveBack();
    CHECK(Push(pair.writer.get(), Pattern(size, count)));
  }
}

TEST(nothing_is_seen_before_it_is_published) {
  RingPair pair;
  CHECK(Push(pair.writer.get(), "x"));
  CHECK(Look(pair.reader.get()) == RingReader::Next::kNone);
  CHECK(!pair.reader->HasNews());
  pair.writer->Publish(3);
  CHECK(pair.reader->HasNews());
  CHECK_EQ(pair.reader->processor(), 3);
  CHECK_EQ(pair.reader->process(), static_cast<uint32_t>(getpid()));
}

TEST(what_went_another_way_is_waited_for) {
  RingPair pair;
  CHECK(Push(pair.writer.get(), "first"));
  pair.writer->Skip();
  CHECK(Push(pair.writer.get(), "third"));
  pair.writer->Publish(0);
  CHECK_EQ(Pop(pair.reader.get()), "first");
  CHECK(Look(pair.reader.get()) == RingReader::Next::kLater);
  pair.reader->Skip();
  CHECK_EQ(Pop(pair.reader.get()), "third");
}

TEST(a_sleeping_reader_is_woken_once) {
  RingPair pair;
  CHECK(Push(pair.writer.get(), "x"));
  CHECK(pair.writer->Publish(0));  // it has not yet said that it is awake
  CHECK(Push(pair.writer.get(), "y"));
  CHECK(!pair.writer->Publish(0));
  CHECK(pair.reader->Arm());  // there is something: it does not sleep
  CHECK(!pair.writer->WakesReader());
  CHECK_EQ(Pop(pair.reader.get()), "x");
  CHECK_EQ(Pop(pair.reader.get()), "y");
  CHECK(!pair.reader->Arm());
  CHECK(pair.writer->WakesReader());
  CHECK(!pair.writer->WakesReader());
}

TEST(a_position_can_be_taken_over_by_others) {
  RingPair pair;
  for (int i = 0; i < 5'000; ++i) {
    CHECK(Push(pair.writer.get(), Pattern(100, i)));
    pair.writer->Publish(0);
    if (i % 7 == 0) {
      bool bad;
      pair.writer = RingWriter::Restore(Duplicate(pair.writer->shared_fd()->fd.get()),
                                        pair.writer->position(), &bad);
      CHECK(pair.writer);
    }
    CHECK(Pop(pair.reader.get()) == Pattern(100, i));
    pair.reader->GiveBack();
    if (i % 11 == 0) {
      bool bad;
      pair.reader = RingReader::Map(Duplicate(pair.reader->shared_fd()->fd.get()),
                                    pair.reader->position(), &bad);
      CHECK(pair.reader);
    }
  }
}

TEST(a_decision_is_seen_by_the_writer) {
  RingPair pair;
  CHECK(pair.writer->reader() == RingWriter::Reader::kUndecided);
  pair.reader->Accept();
  CHECK(pair.writer->reader() == RingWriter::Reader::kAccepted);
  pair.reader->Close();
  CHECK(pair.writer->reader() == RingWriter::Reader::kGone);
}

TEST(two_threads) {
  RingPair pair;
  constexpr int kCount = 200'000;
  RunTogether(2, [&](size_t thread) {
    Random random(thread);
    if (thread == 0) {
      for (int i = 0; i < kCount;) {
        for (size_t batch = 1 + random.Below(20); batch > 0 && i < kCount; --batch) {
          if (!Push(pair.writer.get(), Pattern(i % 200, i))) break;
          ++i;
        }
        pair.writer->Publish(0);
      }
      return;
    }
    for (int i = 0; i < kCount;) {
      const uint8_t* data;
      size_t nbytes;
      const RingReader::Next next = pair.reader->Look(&data, &nbytes);
      CHECK(next != RingReader::Next::kBad && next != RingReader::Next::kLater);
      if (next == RingReader::Next::kNone) {
        pair.reader->GiveBack();
        continue;
      }
      CHECK(Text(data, nbytes) == Pattern(i % 200, i));
      pair.reader->Pop();
      ++i;
    }
    pair.reader->GiveBack();
  });
}

// --- liars ---

TEST(a_writer_that_lies_about_its_position_is_found_out) {
  for (const uint64_t lie : {uint64_t{1}, uint64_t{7}, kRingBytes + 8, UINT64_MAX, UINT64_MAX - 7}) {
    RingPair pair;
    RingLiar liar(pair);
    liar.Say(RingLiar::kWritten, lie);
    CHECK(Look(pair.reader.get()) == RingReader::Next::kBad);
  }
  RingPair pair;
  RingLiar liar(pair);
  CHECK(Push(pair.writer.get(), "x"));
  pair.writer->Publish(0);
  CHECK_EQ(Pop(pair.reader.get()), "x");
  liar.Say(RingLiar::kWritten, 0);  // backwards
  CHECK(Look(pair.reader.get()) == RingReader::Next::kBad);
}

TEST(what_is_there_at_the_end_is_all_whatever_is_written_later) {
  for (const bool lies : {false, true}) {
    RingPair pair;
    RingLiar liar(pair);
    CHECK(Push(pair.writer.get(), "before"));
    pair.writer->Publish(0);
    const uint64_t written = pair.writer->position().offset;
    CHECK(Look(pair.reader.get()) == RingReader::Next::kMessage);
    CHECK(Push(pair.writer.get(), "then"));
    if (lies) {
      liar.Say(RingLiar::kWritten, UINT64_MAX);  // so what is after it was never seen
    } else {
      pair.writer->Publish(0);
    }
    pair.reader->Seal();
    CHECK(Push(pair.writer.get(), "after"));
    pair.writer->Publish(0);
    pair.reader->Seal();
    CHECK_EQ(Pop(pair.reader.get()), "before");
    CHECK_EQ(pair.reader->HasNews(), !lies);
    if (!lies) CHECK_EQ(Pop(pair.reader.get()), "then");
    CHECK(Look(pair.reader.get()) == RingReader::Next::kNone);
    CHECK(!pair.reader->Arm());
    CHECK(written < pair.reader->position().offset || lies);
  }
}

TEST(a_writer_that_lies_about_a_size_is_found_out) {
  for (const uint32_t lie : {9u, 16u, 4'097u, 0x7fffffffu, 0xfffffffeu, 0xffffffffu}) {
    RingPair pair;
    RingLiar liar(pair);
    liar.Put(lie, 0);
    liar.Say(RingLiar::kWritten, 16);
    CHECK(Look(pair.reader.get()) == RingReader::Next::kBad);
  }
  // Beyond the ring's end.
  RingPair pair;
  RingLiar liar(pair);
  for (size_t i = 0; i + 8 < kRingBytes / 16; ++i) {
    CHECK(Push(pair.writer.get(), "12345678"));
    pair.writer->Publish(0);
    CHECK_EQ(Pop(pair.reader.get()), "12345678");
    pair.reader->GiveBack();
  }
  const RingPosition position = pair.writer->position();
  liar.Put(4'000, position.number, position.offset);
  liar.Say(RingLiar::kWritten, position.offset + 4'008);
  CHECK(Look(pair.reader.get()) == RingReader::Next::kBad);
}

TEST(a_reader_that_lies_about_its_position_is_found_out) {
  for (const uint64_t lie : {uint64_t{100'000'000}, UINT64_MAX}) {
    RingPair pair;
    RingLiar liar(pair);
    pair.reader->Accept();
    while (Push(pair.writer.get(), Pattern(1'000, 1))) continue;
    liar.Say(RingLiar::kRead, lie);
    CHECK(!Push(pair.writer.get(), Pattern(1'000, 1)));
    CHECK(pair.writer->reader() == RingWriter::Reader::kGone);
  }
}

TEST(what_is_no_ring_is_refused) {
  bool bad = false;
  CHECK(!RingReader::Map(DevNull(), {}, &bad) && bad);
  bad = false;
  CHECK(!RingWriter::Restore(DevNull(), {}, &bad) && bad);
  for (const size_t nbytes : {size_t{4096}, kRingBytes, 2 * kRingBytes}) {
    ScopedFd fd;
    CHECK_OK(CreateSharedMemory(nbytes, &fd));
    CHECK(!RingReader::Map(std::move(fd), {}, &bad) && bad);
  }
  // Of the right size, but it could be cut.
  ScopedFd fd(memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING));
  CHECK_EQ(ftruncate(fd.get(), 4'096 + kRingBytes), 0);
  CHECK(!RingReader::Map(std::move(fd), {}, &bad) && bad);
  RingPair pair;
  const ScopedFd right = Duplicate(pair.writer->shared_fd()->fd.get());
  CHECK(!RingReader::Map(Duplicate(right.get()), {3, 0}, &bad) && bad);
}

}  // namespace mojo_seq::testing::ring_test
