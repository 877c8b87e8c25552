#include "data_pipe_link.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include "io_thread.h"
#include "socket.h"

namespace mojo_seq {

DataPipeLink::DataPipeLink(ScopedFd socket, Ref<Mapping> page)
    : socket_(MakeRef<SharedFd>(std::move(socket))), page_(std::move(page)) {}

// Whoever gives it up holds no lock any more. Those who still poll the socket wake up.
DataPipeLink::~DataPipeLink() {
  if (generation_ == ForkGeneration()) End(true);
}

void DataPipeLink::Wake() {
  const char ring = 0;
  // If it is full it has rung; if there is nobody any more, nobody needs it.
  const ssize_t sent = send(fd(), &ring, sizeof ring, MSG_DONTWAIT | MSG_NOSIGNAL);
  static_cast<void>(sent);
}

bool DataPipeLink::Answer(short events) {
  if (events & POLLIN) {
    char rings[256];
    const ssize_t got = recv(fd(), rings, sizeof rings, MSG_DONTWAIT);
    if (got == 0) return true;
  }
  return (events & (POLLRDHUP | POLLHUP | POLLERR)) != 0;
}

void DataPipeLink::SetInterestLocked(bool wanted, IoHandler* handler) {
  if (ended_ || wanted == (registration_ != 0)) return;
  if (wanted) {
    registration_ = IoThread::Get().Add(fd(), EPOLLIN | EPOLLRDHUP, Ref<IoHandler>(handler));
  } else {
    IoThread::Get().Remove(registration_, fd());
    registration_ = 0;
  }
}

void DataPipeLink::End(bool closed) {
  std::lock_guard<std::mutex> lock(poll_mutex_);
  if (registration_ != 0) IoThread::Get().Remove(registration_, fd());
  registration_ = 0;
  if (ended_) return;
  ended_ = true;
  if (closed) shutdown(fd(), SHUT_RDWR);
}

}  // namespace mojo_seq
