// Every two operations on shared handles, at the same moment, again and again. What must hold: no
// crash, no hang, no leak, and results that the contract knows. System rules §2.

#include <optional>

#include "check.h"
#include "data_pipes.h"
#include "message_pipes.h"
#include "threads.h"
#include "wait.h"
#include "wait_sets.h"
#include "watchers.h"

namespace mojo_seq::testing::handle_race_test {

// --- message pipes ---

struct PipeScene {
  PipeScene() {
    CHECK_OK(Write(pipe.a, "first"));
    CHECK_OK(watcher.Watch(pipe.b, kSignalPeerClosed, 1));
    CHECK_OK(watcher.Arm());
  }
  Pipe pipe, other, carrier;
  TestWatcher watcher;
};

void CheckKnown(Result result, std::initializer_list<Result> known) {
  for (Result each : known) {
    if (result == each) return;
  }
  CHECK_EQ(result, Result::kOk);
}

void WriteA(PipeScene& scene) {
  CheckKnown(Write(scene.pipe.a, "x"), {Result::kInvalidArgument, Result::kFailedPrecondition});
}
void WriteB(PipeScene& scene) {
  CheckKnown(Write(scene.pipe.b, "y"), {Result::kInvalidArgument, Result::kFailedPrecondition});
}
void WriteBatchA(PipeScene& scene) {
  ApiCall call;
  MessageList batch;
  for (int i = 0; i < 3; ++i) batch.Push(MakeMessage("z").release());
  const Result result = scene.pipe.a->WriteBatch(scene.pipe.a.value(), &batch);
  CheckKnown(result, {Result::kInvalidArgument, Result::kFailedPrecondition});
  CHECK_EQ(batch.empty(), result == Result::kOk);
}
void ReadB(PipeScene& scene) {
  OwnedMessage message;
  const Result result = Read(scene.pipe.b, &message);
  CheckKnown(result,
             {Result::kInvalidArgument, Result::kFailedPrecondition, Result::kShouldWait});
  CHECK_EQ(static_cast<bool>(message), result == Result::kOk);
}
void QueryB(PipeScene& scene) {
  SignalsState state;
  const Result result = scene.pipe.b->QueryState(scene.pipe.b.value(), &state);
  CheckKnown(result, {Result::kInvalidArgument});
  CHECK_EQ(state.satisfied & ~state.satisfiable, 0u);
}
void CloseA(PipeScene& scene) { CheckKnown(scene.pipe.a.Close(), {Result::kInvalidArgument}); }
void CloseB(PipeScene& scene) { CheckKnown(scene.pipe.b.Close(), {Result::kInvalidArgument}); }
void SendA(PipeScene& scene) {
  CheckKnown(Write(scene.carrier.a, "", {scene.pipe.a}),
             {Result::kInvalidArgument, Result::kBusy});
}
void SendB(PipeScene& scene) {
  CheckKnown(Write(scene.carrier.a, "", {scene.pipe.b}),
             {Result::kInvalidArgument, Result::kBusy});
}
void SendBoth(PipeScene& scene) {
  CheckKnown(Write(scene.carrier.b, "", {scene.pipe.b, scene.pipe.a}),
             {Result::kInvalidArgument, Result::kBusy});
}
void SendInVain(PipeScene& scene) {
  // Its own peer: everything is put back.
  CheckKnown(Write(scene.pipe.a, "", {scene.other.a, scene.pipe.b}),
             {Result::kInvalidArgument, Result::kBusy, Result::kFailedPrecondition});
}
void SendAndReceive(PipeScene& scene) {
  if (Write(scene.other.b, "", {scene.pipe.b}) != Result::kOk) return;
  PipeEnd received = ReadHandle<MessagePipeEndpoint>(scene.other.a);
  OwnedMessage message;
  CheckKnown(Read(received, &message), {Result::kFailedPrecondition, Result::kShouldWait});
}
void FuseB(PipeScene& scene) {
  CheckKnown(Fuse(scene.pipe.b, scene.other.a),
             {Result::kInvalidArgument, Result::kFailedPrecondition});
}
void WatchAndCancel(PipeScene& scene) {
  CheckKnown(scene.watcher.Watch(scene.pipe.a, kSignalReadable, 2),
             {Result::kInvalidArgument, Result::kAlreadyExists});
  scene.watcher.Arm();
  scene.watcher.Cancel(2);
}
void CancelB(PipeScene& scene) { scene.watcher.Cancel(1); }
void CloseWatcher(PipeScene& scene) { scene.watcher.Close(); }
void WaitB(PipeScene& scene) {
  Waiter waiter;
  if (waiter.Add(scene.pipe.b.get(), scene.pipe.b.value(), kSignalReadable) != Result::kOk) return;
  CheckKnown(waiter.Wait(0), {Result::kDeadlineExceeded});
}
void WaitSetB(PipeScene& scene) {
  TestWaitSet set;
  if (set.Add(scene.pipe.b, kSignalReadable) != Result::kOk) return;
  CheckKnown(set.Wait().result, {Result::kDeadlineExceeded});
  CheckKnown(set.Remove(scene.pipe.b), {Result::kNotFound});
}

template <typename Scene, size_t N>
void RaceAll(void (*const (&operations)[N])(Scene&), size_t rounds) {
  // The scenes are made in advance, so that nothing but the race happens at its moment.
  for (const auto one : operations) {
    for (const auto other : operations) {
      std::vector<std::unique_ptr<Scene>> scenes;
      for (size_t i = 0; i < rounds; ++i) scenes.push_back(std::make_unique<Scene>());
      size_t next = 0;
      Race(
          rounds - 1, [&] { ++next; }, [&] { one(*scenes[next]); }, [&] { other(*scenes[next]); });
    }
  }
}

TEST(every_two_operations_on_a_message_pipe) {
  void (*const operations[])(PipeScene&) = {
      WriteA,     WriteB,         WriteBatchA, ReadB,          QueryB,  CloseA,
      CloseB,     SendA,          SendB,       SendBoth,       SendInVain, SendAndReceive,
      FuseB,      WatchAndCancel, CancelB,     CloseWatcher,   WaitB,   WaitSetB};
  RaceAll(operations, 40);
}

// --- data pipes ---

struct DataScene {
  DataScene() : pipe(16) {
    CHECK_OK(Write(pipe.producer, "01234567"));
    CHECK_OK(watcher.Watch(pipe.producer, kSignalWritable, 1));
    CHECK_OK(watcher.Watch(pipe.consumer, kSignalNewDataReadable, 2));
  }
  DataPipePair pipe;
  Pipe carrier;
  TestWatcher watcher;
};

constexpr std::initializer_list<Result> kTransferResults = {
    Result::kInvalidArgument, Result::kFailedPrecondition, Result::kShouldWait, Result::kBusy,
    Result::kOutOfRange};

void WriteSome(DataScene& scene) {
  CheckKnown(Write(scene.pipe.producer, "89ab"), kTransferResults);
}
void WriteWhole(DataScene& scene) {
  CheckKnown(Write(scene.pipe.producer, "89ab", nullptr, true), kTransferResults);
}
void CheckDigits(const std::string& data) {
  for (char c : data) CHECK((c >= '0' && c <= '9') || (c >= 'a' && c <= 'b'));
}
void ReadSome(DataScene& scene) {
  std::string data;
  const Result result = Read(scene.pipe.consumer, &data, 5);
  CheckKnown(result, kTransferResults);
  if (result == Result::kOk) CheckDigits(data);
}
void Peek(DataScene& scene) {
  std::string data;
  const Result result =
      Read(scene.pipe.consumer, &data, 5, false, DataPipeConsumer::Mode::kPeek);
  CheckKnown(result, kTransferResults);
  if (result == Result::kOk) CheckDigits(data);
}
void DiscardSome(DataScene& scene) {
  size_t amount = 3;
  CheckKnown(Discard(scene.pipe.consumer, &amount), kTransferResults);
}
void QueryAmount(DataScene& scene) {
  size_t amount;
  CheckKnown(Query(scene.pipe.consumer, &amount), kTransferResults);
}
void WriteInTwoPhases(DataScene& scene) {
  DataPipeWindow window;
  const Result begun = BeginWrite(scene.pipe.producer, &window);
  CheckKnown(begun, kTransferResults);
  if (begun != Result::kOk) return;
  memset(window.data, '9', window.nbytes);
  CheckKnown(EndWrite(scene.pipe.producer, window.nbytes / 2, window.number), kTransferResults);
}
void ReadInTwoPhases(DataScene& scene) {
  DataPipeWindow window;
  const Result begun = BeginRead(scene.pipe.consumer, &window);
  CheckKnown(begun, kTransferResults);
  if (begun != Result::kOk) return;
  CheckDigits({reinterpret_cast<const char*>(window.data), window.nbytes});
  CheckKnown(EndRead(scene.pipe.consumer, 1, window.number), kTransferResults);
}
void ViewAWindow(DataScene& scene) {
  DataPipeWindow window;
  if (BeginRead(scene.pipe.consumer, &window) != Result::kOk) return;
  if (scene.pipe.consumer->AddExport(window.number) == Result::kOk) {
    CheckDigits({reinterpret_cast<const char*>(window.data), window.nbytes});
    scene.pipe.consumer->DropExport();
  }
  EndRead(scene.pipe.consumer, 0, window.number);
}
void CloseProducer(DataScene& scene) { scene.pipe.producer.Close(); }
void CloseConsumer(DataScene& scene) {
  CheckKnown(scene.pipe.consumer.Close(), {Result::kInvalidArgument, Result::kFailedPrecondition});
}
void SendProducer(DataScene& scene) { Write(scene.carrier.a, "", {scene.pipe.producer}); }
void SendConsumer(DataScene& scene) {
  if (Write(scene.carrier.b, "", {scene.pipe.consumer}) != Result::kOk) return;
  Consumer received = ReadHandle<DataPipeConsumer>(scene.carrier.a);
  std::string data;
  if (Read(received, &data, 5) == Result::kOk) CheckDigits(data);
}
void ArmWatcher(DataScene& scene) { scene.watcher.Arm(); }

TEST(every_two_operations_on_a_data_pipe) {
  void (*const operations[])(DataScene&) = {
      WriteSome,        WriteWhole,      ReadSome,    Peek,          DiscardSome,
      QueryAmount,      WriteInTwoPhases, ReadInTwoPhases, ViewAWindow, CloseProducer,
      CloseConsumer,    SendProducer,    SendConsumer, ArmWatcher};
  RaceAll(operations, 15);
}

}  // namespace mojo_seq::testing::handle_race_test
