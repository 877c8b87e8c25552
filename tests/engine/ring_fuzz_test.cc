// Rings whose other side writes anything at all: nobody looks outside of the memory, nobody waits for
// ever, and it costs nothing but that one pipe. Architecture, "bad input"; system rules §13.9.

#include <thread>

#include "check.h"
#include "frames.h"
#include "peer_report.h"
#include "quick.h"
#include "random.h"
#include "ring_liar.h"
#include "sockets.h"
#include "spinning.h"
#include "threads.h"
#include "watchers.h"

namespace mojo_seq::testing::ring_fuzz_test {

constexpr size_t kMostMessages = 2 * kRingBytes / 8;

TEST(a_reader_keeps_within_the_memory) {
  for (uint64_t round = 0; round < 3'000; ++round) {
    Random random(round);
    RingPair pair;
    RingLiar liar(pair);
    CHECK(Push(pair.writer.get(), "first"));
    pair.writer->Publish(0);
    const uint8_t* data;
    size_t nbytes;
    CHECK(pair.reader->Look(&data, &nbytes) == RingReader::Next::kMessage);
    const uint8_t* const begin = data - 8;
    size_t messages = 0;
    for (int step = 0; step < 100; ++step) {
      for (size_t i = random.Below(10); i > 0; --i) {
        Push(pair.writer.get(), Pattern(random.Below(random.OneIn(3) ? 4'097 : 100), step));
      }
      if (!random.OneIn(4)) pair.writer->Publish(0);
      if (random.OneIn(20)) {
        const RingPosition at = pair.writer->position();
        liar.LieAsWriter(at.offset, at.number, &random);
      }
      RingReader::Next next = RingReader::Next::kNone;
      for (size_t most = random.Below(12); most > 0; --most) {
        next = pair.reader->Look(&data, &nbytes);
        if (next != RingReader::Next::kMessage) break;
        CHECK(nbytes <= kMostInRing);
        CHECK(data >= begin + 8 && data + nbytes <= begin + kRingBytes);
        CHECK_EQ(Text(data, nbytes).size(), nbytes);
        pair.reader->Pop();
        CHECK(++messages < kMostMessages);
      }
      if (next == RingReader::Next::kBad) break;
      if (next == RingReader::Next::kLater && random.OneIn(2)) pair.reader->Skip();
      pair.reader->GiveBack();
      if (random.OneIn(5)) pair.reader->Arm(random.OneIn(4));
      if (random.OneIn(50)) pair.reader->Seal();
    }
  }
}

TEST(a_writer_keeps_within_the_memory) {
  for (uint64_t round = 0; round < 1'000; ++round) {
    Random random(round);
    RingPair pair;
    RingLiar liar(pair);
    const std::string canary = "the memory around it is somebody else's";
    for (int step = 0; step < 100; ++step) {
      const uint64_t before = pair.writer->position().offset;
      const bool pushed = Push(pair.writer.get(), Pattern(random.Below(4'097), step));
      const uint64_t written = pair.writer->position().offset - before;
      CHECK(pushed ? written >= 8 && written < kRingBytes : written == 0);
      pair.writer->Publish(0);
      pair.writer->WakesReader();
      pair.writer->HasMoved();
      pair.writer->IsDrained();
      const RingWriter::Reader reader = pair.writer->reader();
      liar.LieAsReader(pair.writer->position().offset, &random);
      if (reader == RingWriter::Reader::kGone && random.OneIn(4)) break;
    }
  }
}

// --- pipes ---

// A pipe of this process that must not suffer, and nobody waits too long.
struct Bystander {
  Bystander() { TakeBadPeers(); }
  ~Bystander() {
    CHECK_OK(Write(pipe.a, "untouched"));
    CHECK_EQ(AwaitText(pipe.b), "untouched");
    CHECK(TakeBadPeers().size() <= 1u);
  }
  RemotePipe pipe;
};

// One of the ways in which an end is asked for messages. False: there will be none any more.
bool ReadSomehow(const PipeEnd& end, Random* random) {
  Result result = Result::kShouldWait;
  OwnedMessage message;
  std::string text;
  SignalsState state;
  switch (random->Below(8)) {
    case 0: ReadQuickly(end, &text); break;
    case 1: end->LookInRing(end.value(), &state); break;
    case 2: end->AwaitInRing(end.value(), &state); break;
    case 3: CHECK_OK(end->QueryState(end.value(), &state)); break;
    case 4: {
      const Ref<RefCounted> kept = end->KeepArmed(end.value());
      result = Read(end, &message);
      if (kept) end->DisarmDoorbell();
      break;
    }
    case 5: {
      Waiter waiter;
      CHECK_OK(waiter.Add(end.get(), end.value(), kSignalReadable));
      ApiCall call;
      waiter.Wait(Now() + 20'000);
      break;
    }
    default: result = Read(end, &message);
  }
  CHECK(result == Result::kOk || result == Result::kShouldWait ||
        result == Result::kFailedPrecondition);
  return result != Result::kFailedPrecondition;
}

// Its other side is gone: then so is it, in the end.
void CheckEnds(const PipeEnd& end) {
  OwnedMessage message;
  Result result;
  size_t messages = 0;
  while ((result = AwaitRead(end, &message)) == Result::kOk) CHECK(++messages < 2 * kMostMessages);
  CHECK_EQ(result, Result::kFailedPrecondition);
  CHECK_STATE(end, kSignalPeerClosed, kSignalPeerClosed);
}

// An end that reads, and the other side of it, which is this test.
struct HalfWriter : public HalfPipe {
  HalfWriter() : liar(ring) {
    FrameHeader offer = MakeHeader(0, 0);
    offer.type = FrameType::kRingOffer;
    offer.descriptors = 1;
    SendAllRaw(peer.get(), FrameOf(offer), {ring.writer->shared_fd()->fd.get()});
    ring.reader = nullptr;
  }
  void WriteHonestly(const std::string& text) {
    if (Push(ring.writer.get(), text)) ring.writer->Publish(0);
  }
  void SendSomething(Random* random) {
    FrameHeader header = MakeHeader(0, 0);
    header.type = random->OneIn(30) ? FrameType::kRingEnd : FrameType::kDoorbell;
    const ByteVector bytes = random->OneIn(2) ? PlainFrame("message") : FrameOf(header);
    SendRaw(peer.get(), bytes.data(), bytes.size());
    if (bytes.size() > sizeof header && random->OneIn(2)) ring.writer->Skip();
  }

  RingPair ring;
  RingLiar liar;
};

TEST(a_writer_that_writes_anything_costs_its_pipe) {
  for (uint64_t round = 0; round < 500; ++round) {
    Random random(round);
    const Bystander bystander;
    HalfWriter victim;
    TestWatcher watcher;
    CHECK_OK(watcher.Watch(victim.end, kSignalReadable, 1));
    for (int step = 0; step < 60; ++step) {
      for (size_t i = random.Below(4); i > 0; --i) {
        victim.WriteHonestly(Pattern(random.Below(200), step));
      }
      const RingPosition at = victim.ring.writer->position();
      if (random.OneIn(10)) victim.liar.LieAsWriter(at.offset, at.number, &random);
      if (random.OneIn(5)) victim.SendSomething(&random);
      if (random.OneIn(20)) watcher.Arm();
      if (!ReadSomehow(victim.end, &random)) break;
    }
    victim.peer = ScopedFd();
    CheckEnds(victim.end);
  }
}

TEST(a_writer_that_changes_the_memory_all_the_time_costs_its_pipe) {
  for (uint64_t round = 0; round < 40; ++round) {
    const Bystander bystander;
    HalfWriter victim;
    std::atomic<bool> over{false};
    RunTogether(2, [&](size_t thread) {
      Random random(round * 2 + thread);
      if (thread == 0) {
        for (int step = 0; step < 1'000 && ReadSomehow(victim.end, &random); ++step) continue;
        over = true;
        return;
      }
      while (!over) {
        victim.WriteHonestly(Pattern(random.Below(50), 1));
        // To and fro, between what could be true.
        const RingPosition at = victim.ring.writer->position();
        for (int i = 0; i < 20; ++i) {
          victim.liar.Say(RingLiar::kWritten, at.offset - (i % 2) * 8);
          victim.liar.Put(i % 3 ? 8 : 4'096, at.number - 1, at.offset - 16);
        }
        if (random.OneIn(1'000)) victim.liar.LieAsWriter(at.offset, at.number, &random);
        if (random.OneIn(50)) victim.SendSomething(&random);
      }
    });
    victim.peer = ScopedFd();
    CheckEnds(victim.end);
  }
}

TEST(a_writer_whose_socket_is_closed_cannot_go_on_in_the_memory) {
  for (uint64_t round = 0; round < 40; ++round) {
    const Bystander bystander;
    HalfWriter victim;
    std::atomic<bool> over{false};
    std::thread writer([&] {
      Random random(round);
      uint64_t offset = 0;
      for (uint32_t number = 0; !over; ++number) {
        while (!over && offset - victim.liar.Hear(RingLiar::kRead) > kRingBytes / 2) continue;
        victim.liar.Put(8, number, offset);
        offset += 16;
        // Where it lies there is nothing to be believed when the end is noticed.
        if (round % 2 && random.OneIn(4)) victim.liar.Say(RingLiar::kWritten, UINT64_MAX);
        victim.liar.Say(RingLiar::kWritten, offset);
      }
    });
    OwnedMessage message;
    while (Read(victim.end, &message) == Result::kShouldWait) continue;  // it rings no bell
    victim.peer = ScopedFd();
    CHECK(Await(victim.end, kSignalPeerClosed));
    CheckEnds(victim.end);
    over = true;
    writer.join();
  }
}

// An end that writes, and the other side of it, which has the ring that was offered.
struct HalfReader : public HalfPipe {
  HalfReader() {
    CHECK_OK(Write(end, "offer"));
    Listen();
    CHECK(liar);
  }
  // Accepts what is offered, and drops the rest.
  void Listen() {
    for (Chunk& chunk : ReceiveAllRaw(peer.get())) {
      if (chunk.descriptors.empty()) continue;
      liar = std::make_unique<RingLiar>(chunk.descriptors[0].get());
      liar->Say32(RingLiar::kReader, 1);
      liar->Say32(RingLiar::kDecision, 1);
    }
  }
  std::unique_ptr<RingLiar> liar;
};

// One of the ways in which something is written. False: there is nobody any more.
bool WriteSomehow(const PipeEnd& end, Random* random) {
  const std::string text = Pattern(random->Below(random->OneIn(10) ? 5'000 : 100), 1);
  Result result = Result::kOk;
  switch (random->Below(6)) {
    case 0: {
      MessageList batch;
      for (size_t i = random->Below(10); i > 0; --i) batch.Push(MakeMessage(text).release());
      ApiCall call;
      result = end->WriteBatch(end.value(), &batch);
      while (Message* const message = batch.Pop()) Message::Destroy(message);
      break;
    }
    case 1: result = Write(end, text); break;
    case 2:
      end->AwaitRoom(end.value(), kRingBytes / 2);
      break;
    default:
      result = text.size() <= kMostInRing ? WriteQuickly(end, {text, text}) : Result::kOk;
  }
  CHECK(result == Result::kOk || result == Result::kUnavailable || result == Result::kBusy ||
        result == Result::kFailedPrecondition);
  return result != Result::kFailedPrecondition;
}

TEST(a_reader_that_says_anything_costs_its_pipe) {
  const WithRings with(RingMode::kAtOnce);
  const WithIdleTime soon(50'000);
  for (uint64_t round = 0; round < 500; ++round) {
    Random random(round);
    const Bystander bystander;
    HalfReader victim;
    for (int step = 0; step < 60; ++step) {
      const uint64_t written = victim.liar->Hear(RingLiar::kWritten);
      if (random.OneIn(10)) victim.liar->LieAsReader(written, &random);
      if (!random.OneIn(3)) victim.liar->Say(RingLiar::kRead, written);
      if (random.OneIn(8)) victim.Listen();
      if (!WriteSomehow(victim.end, &random)) break;
    }
    victim.peer = ScopedFd();
    CHECK(Await(victim.end, kSignalPeerClosed));
  }
}

TEST(a_reader_that_changes_its_words_all_the_time_costs_its_pipe) {
  const WithRings with(RingMode::kAtOnce);
  const WithIdleTime soon(50'000);
  for (uint64_t round = 0; round < 40; ++round) {
    const Bystander bystander;
    HalfReader victim;
    std::atomic<bool> over{false};
    RunTogether(2, [&](size_t thread) {
      Random random(round * 2 + thread);
      if (thread == 0) {
        for (int step = 0; step < 500 && WriteSomehow(victim.end, &random); ++step) continue;
        over = true;
        return;
      }
      while (!over) {
        const uint64_t written = victim.liar->Hear(RingLiar::kWritten);
        for (uint32_t i = 0; i < 20; ++i) {
          victim.liar->Say32(RingLiar::kReader, i % 3);
          if (round % 2) victim.liar->Say32(RingLiar::kDecision, i % 2);  // undecided
        }
        victim.liar->Say32(RingLiar::kDecision, 1);
        if (random.OneIn(4)) victim.liar->Say(RingLiar::kRead, written);
        if (random.OneIn(2'000)) victim.liar->LieAsReader(written, &random);
        if (random.OneIn(20)) victim.Listen();
      }
    });
    victim.peer = ScopedFd();
    CHECK(Await(victim.end, kSignalPeerClosed));
  }
}

TEST(who_waits_for_room_does_not_wait_for_one_who_goes_to_and_fro) {
  const WithRings with(RingMode::kAtOnce);
  const AsManyAsLike spinners;
  HalfReader victim;
  // So that there is never room for as much as the ring has.
  for (int i = 0; i < 3; ++i) CHECK_OK(Write(victim.end, Pattern(1'000, 1)));
  CHECK(victim.liar->Hear(RingLiar::kWritten) > 16);
  std::atomic<bool> over{false};
  std::thread reader([&] {
    for (uint64_t i = 0; !over; ++i) victim.liar->Say(RingLiar::kRead, 8 + i % 2 * 8);
  });
  for (int i = 0; i < 100; ++i) {
    const uint64_t before = victim.liar->Hear(RingLiar::kRead);
    while (victim.liar->Hear(RingLiar::kRead) == before) sched_yield();  // it is at work
    victim.end->AwaitRoom(victim.end.value(), kRingBytes);
  }
  over = true;
  reader.join();
}

}  // namespace mojo_seq::testing::ring_fuzz_test
