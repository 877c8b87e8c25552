// ReadinessFd: lets a foreign event loop sleep on what a handle's peer in another process sends.
#pragma once

#include "message_pipe.h"
#include "scoped_fd.h"

namespace mojo_seq {

// A descriptor of its own, which is readable while the handle's socket has something that nobody
// has read, or its other end is gone. The socket may be closed, or its number be another's,
// meanwhile: then nothing more is heard of it. What has been taken in by a thread and is in the
// handle's queue, or was in memory before this was made, does not make it readable.
class ReadinessFd : public RefCounted {
 public:
  // kFailedPrecondition: there is no socket. kResourceExhausted: no descriptor to be had.
  static Result Create(MessagePipeEndpoint* pipe, HandleValue value, Ref<ReadinessFd>* made);

  int fd() const { return fd_.get(); }

  // --- the loop's thread ---
  // The loop comes to `FallAsleep` before it sleeps, so nobody need ring for it until then: what
  // comes does not make the descriptor readable.
  void StayAwake(MessagePipeEndpoint* pipe);
  // Stays awake and looks, for a while or only `once`. True: something has come, or the pipe is gone.
  bool Spin(MessagePipeEndpoint* pipe, HandleValue value, bool once = false);
  // From now on the loop may sleep at any time. True: something has come before.
  bool FallAsleep(MessagePipeEndpoint* pipe, HandleValue value);
  // The loop has slept, if it did not spin successfully, and something has come.
  void OnWoken(MessagePipeEndpoint* pipe);

 private:
  ReadinessFd(ScopedFd fd, Ref<RefCounted> armed) : fd_(std::move(fd)), armed_(std::move(armed)) {}

  const ScopedFd fd_;
  Ref<RefCounted> armed_;  // null: it stays awake, or the pipe was gone
  Time asleep_since_ = 0;  // 0: it is not, or not known to be
};

}  // namespace mojo_seq
