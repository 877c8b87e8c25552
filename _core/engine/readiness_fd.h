// ReadinessFd: lets a foreign event loop sleep on what a handle's peer in another process sends.
#pragma once

#include "dispatcher.h"
#include "scoped_fd.h"
#include "spinner.h"

namespace mojo_seq {

// A descriptor of its own, which is readable while the handle's socket has something that nobody
// has read, or its other end is gone. The socket may be closed, or its number be another's,
// meanwhile: then nothing more is heard of it. What has been taken in by a thread and is in the
// handle's queue does not make it readable.
class ReadinessFd : public RefCounted {
 public:
  // kFailedPrecondition: there is no socket. kResourceExhausted: no descriptor to be had.
  static Result Create(Dispatcher* dispatcher, HandleValue value, Ref<ReadinessFd>* made);

  int fd() const { return fd_.get(); }

  // --- the loop's thread ---
  // Something is expected soon, and the loop has nothing else to do. False: it may as well sleep.
  bool WantsToSpin(const Dispatcher* dispatcher);
  // Looks for a while. True: something has come, or the pipe is gone.
  bool Spin(Dispatcher* dispatcher, HandleValue value);
  // The loop has slept, if it did not spin successfully, and something has come.
  void OnWoken(const Dispatcher* dispatcher);

 private:
  explicit ReadinessFd(ScopedFd fd) : fd_(std::move(fd)) {}

  const ScopedFd fd_;
  Spinner spinner_;
  Time asleep_since_ = 0;  // 0: it is not, or not known to be
};

}  // namespace mojo_seq
