// Relay: joins two pipes whose far ends are both in other processes.
//
// Nobody here holds an end any more; the I/O thread passes on what comes from one side to the other
// until one of them is gone. The route ends with this process. It reads no faster than the other
// side takes.
#pragma once

#include "channel.h"

namespace mojo_seq {

class Relay {
 public:
  // `to_a` and `to_b` go first. The channels have no other owner.
  static void Start(Ref<Channel> a, Ref<Channel> b, std::vector<OutFrame> to_a,
                    std::vector<OutFrame> to_b);
};

}  // namespace mojo_seq
