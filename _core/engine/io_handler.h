// IoHandler: somebody whom the I/O thread tells that a descriptor is ready.
#pragma once

#include <cstddef>
#include <cstdint>

#include "ref.h"

namespace mojo_seq {

class IoHandler : public RefCounted {
 public:
  // On the I/O thread, with no lock held. `events` are epoll's; 0: a timer that was asked for.
  virtual void OnIo(uint32_t /*events*/) {}
  // Its owner has closed it and holds no lock any more.
  virtual void OnOwnerClosed() {}
  // How many messages it has yet to send. Any thread.
  virtual size_t Unsent() const { return 0; }
};

}  // namespace mojo_seq
