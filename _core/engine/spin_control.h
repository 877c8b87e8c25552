// SpinControl: whether a thread may spin, and how many may at once.
//
// A spin in vain takes a processor from whoever else could use it. So only as many threads spin at
// once as there are processors to spare: one of a process where the machine has more to run than
// processors, and none where there is no second processor. One at a time is right on a busy machine,
// too: those that are mostly in vain end by themselves (spinner.h), and the others take less
// processor time than a sleep and a wake-up, which last for milliseconds there.
//
// The system is looked at every tenth of a second at most, and only by who is about to spin: a
// process that is idle never does.
#pragma once

#include "event.h"

namespace mojo_seq {

enum class SpinMode { kAuto, kNever };

class SpinControl {
 public:
  // From MOJO_SEQ_SPIN (auto, never) until it is set.
  static SpinMode mode();
  static void SetMode(SpinMode mode);
  // Null: it is not set. What it does not know is kAuto.
  static SpinMode ParseMode(const char* value);

  // Whether the calling thread may spin if no others do. `peer`: the processor that the other side was
  // last seen on, -1: not known.
  static bool MaySpin(Time now, int peer);
  // False: as many spin already as may. Else the calling thread calls End when it stops.
  static bool Begin();
  static void End();

  // --- how it decides ---
  struct Machine {
    int processors = 1;       // that the machine has
    int usable = 1;           // that this thread may run on
    int quota = INT32_MAX;    // processors whose time we may use up
    double runnable = 0;      // threads that run or could, on average over the last moments
  };
  // How many may spin at once.
  static int Limit(const Machine& machine);
  // From now on that many, whatever the machine is like; for tests. -1: as the machine is.
  static void SetLimit(int limit);
  // From /proc/loadavg. -1: it says nothing.
  static int ParseRunnable(const char* loadavg);
  // From a control group's cpu.max, rounded down.
  static int ParseQuota(const char* cpu_max);
};

}  // namespace mojo_seq
