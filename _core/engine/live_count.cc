#include "live_count.h"

namespace mojo_seq {

namespace {

template <Kind K>
int64_t Count() {
  return LiveCounter<K>::count.load(std::memory_order_relaxed);
}

}  // namespace

int64_t LiveCount(Kind kind) {
  switch (kind) {
    case Kind::kHandle: return Count<Kind::kHandle>();
    case Kind::kDispatcher: return Count<Kind::kDispatcher>();
    case Kind::kMessage: return Count<Kind::kMessage>();
    case Kind::kPayload: return Count<Kind::kPayload>();
    case Kind::kDataPipe: return Count<Kind::kDataPipe>();
    case Kind::kMapping: return Count<Kind::kMapping>();
    case Kind::kWatch: return Count<Kind::kWatch>();
    case Kind::kWaitSet: return Count<Kind::kWaitSet>();
    case Kind::kSequence: return Count<Kind::kSequence>();
    case Kind::kTask: return Count<Kind::kTask>();
    case Kind::kChannel: return Count<Kind::kChannel>();
    case Kind::kRing: return Count<Kind::kRing>();
    case Kind::kCount: break;
  }
  return 0;
}

}  // namespace mojo_seq
