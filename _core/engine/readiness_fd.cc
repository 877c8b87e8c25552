#include "readiness_fd.h"

#include <sys/epoll.h>

namespace mojo_seq {

Result ReadinessFd::Create(MessagePipeEndpoint* pipe, HandleValue value, Ref<ReadinessFd>* made) {
  short events = 0;
  const Ref<SharedFd> socket = pipe->WaitDescriptor(value, &events);
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
  *made = Ref<ReadinessFd>::Adopt(new ReadinessFd(std::move(fd), pipe->KeepArmed(value)));
  return Result::kOk;
}

void ReadinessFd::StayAwake(MessagePipeEndpoint* pipe) {
  asleep_since_ = 0;
  if (!armed_) return;
  armed_ = nullptr;
  pipe->DisarmDoorbell();
}

bool ReadinessFd::Spin(MessagePipeEndpoint* pipe, HandleValue value, bool once) {
  StayAwake(pipe);
  return once ? pipe->HasNews(value) : pipe->AwaitNews(value);
}

bool ReadinessFd::FallAsleep(MessagePipeEndpoint* pipe, HandleValue value) {
  if (!armed_) armed_ = pipe->KeepArmed(value);
  const bool came = pipe->IsNews(value);
  asleep_since_ = came ? 0 : Now();
  return came;
}

void ReadinessFd::OnWoken(MessagePipeEndpoint* pipe) {
  if (asleep_since_ == 0) return;
  pipe->Slept(asleep_since_);
  asleep_since_ = 0;
}

}  // namespace mojo_seq
