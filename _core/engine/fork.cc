#include "fork.h"

#include "io_thread.h"
#include "scoped_fd.h"

namespace mojo_seq {

void AfterForkInChild() {
  fork_generation.fetch_add(1, std::memory_order_relaxed);
  CloseInheritedDescriptors();
  IoThread::Forget();
}

}  // namespace mojo_seq
