#include "sequence_notifier.h"

namespace mojo_seq {

void SequenceNotifier::OnNotification(WatchContext, Result result, const SignalsState& state,
                                      uint32_t) {
  auto* const task = new NotificationTask;
  target_->AddRef();
  task->target = target_.get();
  task->result = result;
  task->state = state;
  // A sequence that was shut down runs nothing more: the notification has nowhere to go.
  if (sequence_->Push(task) != Result::kOk) delete task;
}

}  // namespace mojo_seq
