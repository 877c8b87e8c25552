// Signals and the verdict of a wait. System rules §8, §11.

#include "signals.h"

#include "check.h"

namespace mojo_seq::testing::signals_test {

TEST(any_satisfied_signal_is_enough) {
  const SignalsState state{kSignalReadable, kSignalReadable | kSignalPeerClosed};
  CHECK_EQ(Verdict(state, kSignalReadable), Result::kOk);
  CHECK_EQ(Verdict(state, kSignalReadable | kSignalWritable), Result::kOk);
}

TEST(as_long_as_one_is_satisfiable_it_may_come) {
  const SignalsState state{kSignalReadable, kSignalReadable | kSignalPeerClosed};
  CHECK_EQ(Verdict(state, kSignalPeerClosed), Result::kShouldWait);
  CHECK_EQ(Verdict(state, kSignalPeerClosed | kSignalWritable), Result::kShouldWait);
}

TEST(none_satisfiable_can_never_be) {
  const SignalsState state{kSignalReadable, kSignalReadable | kSignalPeerClosed};
  CHECK_EQ(Verdict(state, kSignalWritable), Result::kFailedPrecondition);
  CHECK_EQ(Verdict(state, kSignalNone), Result::kFailedPrecondition);
  CHECK_EQ(Verdict({}, ~Signals{0}), Result::kFailedPrecondition);
}

TEST(the_values_are_those_of_the_contract) {
  CHECK_EQ(kSignalReadable, 1u);
  CHECK_EQ(kSignalWritable, 2u);
  CHECK_EQ(kSignalPeerClosed, 4u);
  CHECK_EQ(kSignalNewDataReadable, 8u);
  CHECK_EQ(kSignalPeerRemote, 16u);
  CHECK_EQ(static_cast<int>(Result::kDeadlineExceeded), 4);
  CHECK_EQ(static_cast<int>(Result::kFailedPrecondition), 9);
  CHECK_EQ(static_cast<int>(Result::kShouldWait), 17);
}

}  // namespace mojo_seq::testing::signals_test
