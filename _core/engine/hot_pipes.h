// HotPipes: which pipes to other processes have a ring, and for how long.
//
// A ring costs memory and two system calls on either side, so it is for pipes that are in use: it
// is offered after a number of messages within a short time, and given back when nothing went
// through it for a while.
#pragma once

#include "event.h"

namespace mojo_seq {

class Channel;

enum class RingMode {
  kAuto,
  kAtOnce,  // offered with the first message of each pipe
  kNever,
};

class HotPipes {
 public:
  // Of 132 KiB and a descriptor each: 66 MiB that this process may make, and half of the 1,024
  // descriptors that a peer may have. Whoever uses more pipes than that at a time has little of each.
  static constexpr size_t kMost = 512;

  // From MOJO_SEQ_RINGS (auto, always, never) until it is set.
  static RingMode mode();
  static void SetMode(RingMode mode);
  // After how long a ring that is not used is given back.
  static void SetIdleTime(Time time);

  // Whether so many messages, and then that they took that time, are worth a ring.
  static bool MayBeHot(uint32_t messages);
  static bool IsHot(Time time);
  // False: there are as many as there may be. Else the channel has one, until it says that it leaves.
  // `anyway`: it has one already.
  static bool Enter(Channel* channel, bool anyway = false);
  static void Leave(Channel* channel);
  static size_t count();
};

}  // namespace mojo_seq
