// SequenceNotifier: turns a watcher's notifications into tasks of a sequence, on whatever thread
// they arise, without an interpreter.
#pragma once

#include "sequence.h"
#include "watcher.h"

namespace mojo_seq {

// Where the notifications of one watch end up. The embedder's object is reached through `owner`,
// which it clears when it no longer wants any; tasks already posted then do nothing.
class NotificationTarget : public RefCounted {
 public:
  explicit NotificationTarget(void* object) : owner(object) {}
  // Read and written only by threads that hold the embedder's own lock (the binding: the GIL).
  void* owner;
};

struct NotificationTask : public Task {
  ~NotificationTask() override { target->Release(); }
  Result result = Result::kOk;
  SignalsState state;
};

class SequenceNotifier : public NotificationHandler {
 public:
  SequenceNotifier(Ref<Sequence> sequence, Ref<NotificationTarget> target)
      : sequence_(std::move(sequence)), target_(std::move(target)) {}

  void OnNotification(WatchContext context, Result result, const SignalsState& state,
                      uint32_t flags) override;

 private:
  const Ref<Sequence> sequence_;
  const Ref<NotificationTarget> target_;
};

}  // namespace mojo_seq
