// ScopedFd: descriptors with an owner.

#include "scoped_fd.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include "check.h"
#include "children.h"
#include "descriptors.h"

namespace mojo_seq::testing::scoped_fd_test {

bool IsOpen(int fd) { return fcntl(fd, F_GETFD) >= 0; }
int Open() { return open("/dev/null", O_RDONLY | O_CLOEXEC); }

TEST(the_owner_closes_it) {
  int number;
  {
    ScopedFd fd(Open());
    number = fd.get();
    CHECK(IsOpen(number));
  }
  CHECK(!IsOpen(number));
}

TEST(moving_leaves_nothing_behind) {
  ScopedFd first(Open());
  const int number = first.get();
  ScopedFd second(std::move(first));
  CHECK(!first.is_valid());
  CHECK_EQ(second.get(), number);
  CHECK_EQ(second.Detach(), number);
  CHECK(!second.is_valid());
  CHECK(IsOpen(number));
  close(number);
}

TEST(assigning_closes_what_was_there) {
  ScopedFd fd(Open());
  const int number = fd.get();
  fd = ScopedFd();
  CHECK(!fd.is_valid());
  CHECK(!IsOpen(number));
}

TEST(numbers_that_select_needs_are_left_free) {
  rlimit limit;
  CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
  const rlimit before = limit;
  limit.rlim_cur = 2'048 < limit.rlim_max ? 2'048 : limit.rlim_max;
  CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
  const int low = Open();
  ScopedFd high = MoveHigh(ScopedFd(low));
  CHECK(limit.rlim_cur <= 1'024 || high.get() >= 1'024);
  CHECK_EQ(IsOpen(low), high.get() == low);
  CHECK(fcntl(high.get(), F_GETFD) & FD_CLOEXEC);
  const int number = high.get();
  high = MoveHigh(std::move(high));  // is high enough already
  CHECK_EQ(high.get(), number);
  CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
}

// Growing takes milliseconds, each time that it doubles.
TEST(the_table_grows_once) {
  Child child([](ScopedFd) {  // whose table is as small as can be
    rlimit limit;
    CHECK_EQ(getrlimit(RLIMIT_NOFILE, &limit), 0);
    limit.rlim_cur = 16'384 < limit.rlim_max ? 16'384 : limit.rlim_max;
    CHECK_EQ(setrlimit(RLIMIT_NOFILE, &limit), 0);
    const size_t before = OpenDescriptors().size();
    ScopedFd high = MoveHigh(ScopedFd(Open()));
    CHECK_EQ(OpenDescriptors().size(), before + 1);
    CHECK(limit.rlim_cur <= 1'024 || StatusFigure("FDSize") >= limit.rlim_cur);
  });
  CHECK_EQ(child.Wait(), 0);
}

TEST(a_limit_below_that_is_no_failure) {
  rlimit before, low;
  CHECK_EQ(getrlimit(RLIMIT_NOFILE, &before), 0);
  low = before;
  low.rlim_cur = 256;
  CHECK_EQ(setrlimit(RLIMIT_NOFILE, &low), 0);
  const int number = Open();
  ScopedFd kept = MoveHigh(ScopedFd(number));
  CHECK_EQ(kept.get(), number);
  CHECK_EQ(setrlimit(RLIMIT_NOFILE, &before), 0);
  CHECK(!MoveHigh(ScopedFd()).is_valid());
}

}  // namespace mojo_seq::testing::scoped_fd_test
