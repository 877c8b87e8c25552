// Shared segment: a segment on its way beside the payload of a message.
//
// It has no signals and no peer: whoever receives it has one more hold on the memory, and whoever
// sent it keeps his own, if he has another.
#pragma once

#include "dispatcher.h"
#include "segment.h"

namespace mojo_seq {

class BundleReader;

class SharedSegment : public Dispatcher {
 public:
  explicit SharedSegment(Ref<Segment> segment)
      : Dispatcher(HandleType::kSharedSegment, PickStripe()), segment_(std::move(segment)) {}

  // Null: the handle is not open.
  Ref<Segment> segment(HandleValue value) const;

  void Pack(BundleWriter* writer) override;
  static Ref<Dispatcher> Unpack(BundleReader* reader);

 protected:
  void CloseLocked(Garbage* garbage) override;

 private:
  Ref<Segment> segment_;  // lock_; null once closed
};

}  // namespace mojo_seq
