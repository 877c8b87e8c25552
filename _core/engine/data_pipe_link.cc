#include "data_pipe_link.h"

#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>

#include <unordered_map>

#include "io_thread.h"
#include "socket.h"

namespace mojo_seq {

namespace {

// The links of this process by their sockets. An entry goes before its link does.
struct LinkMeeting {
  std::mutex mutex;
  std::unordered_map<uint64_t, DataPipeLink*> links;  // mutex
};

LinkMeeting& TheLinkMeeting() {
  static ForkLocal<LinkMeeting> meeting;
  return meeting.Get();
}

}  // namespace

DataPipeLink::DataPipeLink(ScopedFd socket, uint64_t cookie, uint64_t peer_cookie,
                           Ref<Mapping> page)
    : socket_(MakeRef<SharedFd>(std::move(socket))),
      cookie_(cookie),
      peer_cookie_(peer_cookie),
      page_(std::move(page)) {
  PlainSocket(fd());
}

void DataPipeLink::Attend() {
  if (cookie_ == 0) return;
  {
    LinkMeeting& meeting = TheLinkMeeting();
    std::lock_guard<std::mutex> lock(meeting.mutex);
    meeting.links[cookie_] = this;
    auto it = meeting.links.find(peer_cookie_);
    if (it == meeting.links.end() || it->second->peer_cookie_ != cookie_) return;
    near_.store(true, std::memory_order_relaxed);
    it->second->near_.store(true, std::memory_order_relaxed);
  }
  Wake();
}

void DataPipeLink::Absent() {
  {
    LinkMeeting& meeting = TheLinkMeeting();
    std::lock_guard<std::mutex> lock(meeting.mutex);
    auto it = meeting.links.find(cookie_);
    if (it == meeting.links.end() || it->second != this) return;
    meeting.links.erase(it);
    if (!near_.exchange(false, std::memory_order_relaxed)) return;
    it = meeting.links.find(peer_cookie_);
    if (it != meeting.links.end()) it->second->near_.store(false, std::memory_order_relaxed);
  }
  Wake();
}

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
  Absent();
  std::lock_guard<std::mutex> lock(poll_mutex_);
  if (registration_ != 0) IoThread::Get().Remove(registration_, fd());
  registration_ = 0;
  if (ended_) return;
  ended_ = true;
  if (closed) shutdown(fd(), SHUT_RDWR);
}

}  // namespace mojo_seq
