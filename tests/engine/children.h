// Real other processes for tests: forked children, each with a socket to its parent.
#pragma once

#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "check.h"
#include "fork.h"
#include "message_pipes.h"
#include "scoped_fd.h"

namespace mojo_seq::testing {

class Child {
 public:
  // `body` runs in the child, as its only thread, with one end of the socket; then it ends with 0.
  // A check that fails there ends it with 1.
  explicit Child(const std::function<void(ScopedFd)>& body) {
    int ends[2];
    CHECK_EQ(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
    const pid_t parent = getpid();
    pid_ = fork();
    CHECK(pid_ >= 0);
    if (pid_ == 0) {
      prctl(PR_SET_PDEATHSIG, SIGKILL);
      if (getppid() != parent) _exit(3);
      AfterForkInChild();
      close(ends[0]);
      body(ScopedFd(ends[1]));
      _exit(0);
    }
    close(ends[1]);
    socket_ = ScopedFd(ends[0]);
  }
  ~Child() {
    if (pid_ > 0) {
      Kill();
      Wait();
    }
  }
  Child(const Child&) = delete;
  Child& operator=(const Child&) = delete;

  pid_t pid() const { return pid_; }
  ScopedFd TakeSocket() { return std::move(socket_); }
  PipeEnd TakePipe() { return PipeEnd(MessagePipeEndpoint::FromSocket(std::move(socket_))); }
  void Kill(int signal = SIGKILL) const { kill(pid_, signal); }
  // Its exit code, or minus the signal that ended it.
  int Wait() {
    int status = 0;
    CHECK_EQ(waitpid(pid_, &status, 0), pid_);
    pid_ = -1;
    return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
  }

 private:
  pid_t pid_ = -1;
  ScopedFd socket_;
};

}  // namespace mojo_seq::testing
