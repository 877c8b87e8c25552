// Sockets: making them, recognising them, and how many descriptors there may be.

#include "socket.h"

#include <fcntl.h>
#include <sys/resource.h>

#include <set>

#include "check.h"
#include "children.h"
#include "descriptors.h"
#include "odd_descriptors.h"
#include "sockets.h"

namespace mojo_seq::testing::socket_test {

TEST(a_pair_is_connected_closed_on_exec_and_out_of_the_way_of_select) {
  SocketPair pair;
  for (const ScopedFd* each : {&pair.a, &pair.b}) {
    CHECK(IsConnectedSocket(each->get()));
    CHECK(each->get() >= 1'024);
    CHECK_EQ(fcntl(each->get(), F_GETFD), FD_CLOEXEC);
  }
  CHECK_EQ(SendRaw(pair.a.get(), "x", 1), 1);
  Chunk chunk;
  CHECK(ReceiveRaw(pair.b.get(), &chunk));
  CHECK_EQ(chunk.bytes.size(), 1u);
}

TEST(only_connected_unix_stream_sockets_are_sockets_of_pipes) {
  for (const auto& [what, fd] : OddDescriptors()) {
    if (IsConnectedSocket(fd.get())) Fail(__FILE__, __LINE__, what);
  }
  CHECK(!IsConnectedSocket(-1));
}

TEST(a_socket_whose_other_end_is_gone_was_connected) {
  SocketPair pair;
  pair.b = ScopedFd();
  CHECK(IsConnectedSocket(pair.a.get()));
}

TEST(the_ends_of_named_sockets_are_connected_too) {
  const ScopedFd listener(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_storage name{};
  name.ss_family = AF_UNIX;
  socklen_t length = sizeof(sa_family_t);
  CHECK_EQ(bind(listener.get(), reinterpret_cast<sockaddr*>(&name), length), 0);
  length = sizeof name;
  CHECK_EQ(getsockname(listener.get(), reinterpret_cast<sockaddr*>(&name), &length), 0);
  CHECK_EQ(listen(listener.get(), 1), 0);
  const ScopedFd client(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK(!IsConnectedSocket(client.get()));
  CHECK_EQ(connect(client.get(), reinterpret_cast<sockaddr*>(&name), length), 0);
  const ScopedFd server(accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
  CHECK(IsConnectedSocket(client.get()));
  CHECK(IsConnectedSocket(server.get()));
  CHECK(!IsConnectedSocket(listener.get()));
}

TEST(a_socket_has_one_cookie_whatever_its_number) {
  SocketPair pair;
  SocketPair other;
  const ScopedFd duplicate = Duplicate(pair.a.get());
  CHECK_EQ(SocketCookie(pair.a.get()), SocketCookie(duplicate.get()));
  const std::set<uint64_t> cookies = {SocketCookie(pair.a.get()), SocketCookie(pair.b.get()),
                                      SocketCookie(other.a.get()), SocketCookie(other.b.get())};
  CHECK_EQ(cookies.size(), 4u);
  CHECK_EQ(cookies.count(0), 0u);
  CHECK_EQ(SocketCookie(DevNull().get()), 0u);
}

TEST(what_others_have_set_on_a_socket_is_undone) {
  SocketPair pair;
  const int on = 1;
  const int offset = 7;
  CHECK_EQ(setsockopt(pair.a.get(), SOL_SOCKET, SO_PASSCRED, &on, sizeof on), 0);
  CHECK_EQ(setsockopt(pair.a.get(), SOL_SOCKET, SO_PEEK_OFF, &offset, sizeof offset), 0);
  PlainSocket(pair.a.get());
  CHECK_EQ(SendRaw(pair.b.get(), "12345", 5), 5);
  char bytes[5];
  CHECK_EQ(recv(pair.a.get(), bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT), 5);
  iovec part{bytes, sizeof bytes};
  msghdr call{};
  call.msg_iov = &part;
  call.msg_iovlen = 1;
  CHECK_EQ(recvmsg(pair.a.get(), &call, MSG_DONTWAIT), 5);
  CHECK_EQ(call.msg_flags & MSG_CTRUNC, 0);  // nobody's credentials
}

TEST(poll_says_what_there_is) {
  SocketPair pair;
  CHECK_EQ(PollSocket(pair.a.get(), POLLIN | POLLRDHUP), 0);
  CHECK_EQ(PollSocket(pair.a.get(), POLLOUT), POLLOUT);
  CHECK_EQ(SendRaw(pair.b.get(), "x", 1), 1);
  CHECK_EQ(PollSocket(pair.a.get(), POLLIN | POLLRDHUP), POLLIN);
  pair.b = ScopedFd();
  CHECK_EQ(PollSocket(pair.a.get(), POLLIN | POLLRDHUP), POLLIN | POLLRDHUP | POLLHUP);
}

rlimit Limit() {
  rlimit limit{};
  CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  return limit;
}

TEST(the_limit_is_raised_to_the_hard_one_once_and_its_old_value_known) {
  Child child([](ScopedFd) {
    rlimit limit{200, 5'000};
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK_EQ(InitialDescriptorLimit(), 200u);
    SocketPair pair;
    CHECK_EQ(Limit().rlim_cur, 5'000u);
    CHECK_EQ(InitialDescriptorLimit(), 200u);
    limit.rlim_cur = 300;  // the program's own choice
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    SocketPair another;
    CHECK_EQ(Limit().rlim_cur, 300u);
    CHECK_EQ(InitialDescriptorLimit(), 200u);
    CHECK(another.a.get() < 300);  // a low number is better than none
  });
  CHECK_EQ(child.Wait(), 0);
}

TEST(without_descriptors_there_is_no_pair) {
  Child child([](ScopedFd) {
    SocketPair pair;
    const size_t before = OpenDescriptors().size();
    for (rlim_t most = 3; most < 12; ++most) {
      rlimit limit{most, 5'000};
      CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
      ScopedFd a, b;
      const Result result = CreateSocketPair(&a, &b);
      CHECK_EQ(result, a.is_valid() ? Result::kOk : Result::kResourceExhausted);
      CHECK_EQ(a.is_valid(), b.is_valid());
    }
    rlimit limit{5'000, 5'000};
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK_EQ(OpenDescriptors().size(), before);
  });
  CHECK_EQ(child.Wait(), 0);
}

TEST(room_for_descriptors_is_found_out_without_keeping_any) {
  Child child([](ScopedFd) {
    SocketPair pair;
    CHECK(HasRoomForDescriptors(pair.a.get(), 0));
    CHECK(HasRoomForDescriptors(pair.a.get(), 253));
    const size_t before = OpenDescriptors().size();
    size_t room = 0;
    {
      rlimit limit{100, 5'000};
      CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
      while (HasRoomForDescriptors(pair.a.get(), room + 1)) ++room;
      std::vector<ScopedFd> taken;
      for (size_t i = 0; i < room; ++i) taken.push_back(DevNull());
      for (const ScopedFd& each : taken) CHECK(each.is_valid());
      CHECK(!DevNull().is_valid());
      CHECK(!HasRoomForDescriptors(pair.a.get(), 1));
    }
    rlimit limit{5'000, 5'000};
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    CHECK(room > 50 && room < 100);
    CHECK_EQ(OpenDescriptors().size(), before);
  });
  CHECK_EQ(child.Wait(), 0);
}

}  // namespace mojo_seq::testing::socket_test
