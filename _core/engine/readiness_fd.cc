#include "readiness_fd.h"

#include <sched.h>
#include <sys/epoll.h>

namespace mojo_seq {

Result ReadinessFd::Create(Dispatcher* dispatcher, HandleValue value, Ref<ReadinessFd>* made) {
  short events = 0;
  const Ref<SharedFd> socket = dispatcher->WaitDescriptor(value, &events);
  if (!socket) return Result::kFailedPrecondition;
  // Not the socket itself, or a duplicate: the loop would hold on to a number that is somebody
  // else's one day, or keep open what its owner has closed.
  ScopedFd fd(epoll_create1(EPOLL_CLOEXEC));
  if (!fd.is_valid()) return Result::kResourceExhausted;
  fd = MoveHigh(std::move(fd));
  epoll_event wanted{};
  wanted.events = EPOLLIN | EPOLLRDHUP;
  if (epoll_ctl(fd.get(), EPOLL_CTL_ADD, socket->fd.get(), &wanted) != 0) {
    return Result::kResourceExhausted;
  }
  *made = Ref<ReadinessFd>::Adopt(new ReadinessFd(std::move(fd)));
  return Result::kOk;
}

bool ReadinessFd::WantsToSpin(const Dispatcher* dispatcher) {
  const int peer = dispatcher->PeerProcessor();
  if (peer >= 0 && peer != sched_getcpu() && spinner_.WantsToSpin()) return true;
  asleep_since_ = Now();
  return false;
}

bool ReadinessFd::Spin(Dispatcher* dispatcher, HandleValue value) {
  const bool came = spinner_.Spin([&] {
    dispatcher->LookQuickly();
    SignalsState state;
    return dispatcher->QueryState(value, &state, false) != Result::kOk ||
           (state.satisfied & (kSignalReadable | kSignalPeerClosed)) != 0;
  });
  asleep_since_ = came ? 0 : Now();
  return came;
}

void ReadinessFd::OnWoken(const Dispatcher* dispatcher) {
  if (asleep_since_ == 0) return;
  spinner_.SleptFor(Now() - asleep_since_, dispatcher->PeerProcessor());
  asleep_since_ = 0;
}

}  // namespace mojo_seq
