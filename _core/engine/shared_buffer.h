// Shared buffer: memory that any number of handles, mappings and processes can share.
#pragma once

#include <array>

#include "dispatcher.h"
#include "shared_memory.h"

namespace mojo_seq {

class BundleReader;

using Guid = std::array<uint8_t, 16>;

struct SharedBufferInfo {
  int fd = -1;  // owned by the caller where a call returns it
  size_t nbytes = 0;
  Guid guid{};
  bool read_only = false;
};

class SharedBuffer : public Dispatcher {
 public:
  // kInvalidArgument: size 0; kResourceExhausted.
  static Result Create(size_t nbytes, const Guid& guid, Ref<SharedBuffer>* buffer);
  // Takes the descriptor on kOk only. A writable one given as read-only is re-opened.
  static Result Wrap(const SharedBufferInfo& info, Ref<SharedBuffer>* buffer);

  size_t nbytes() const { return nbytes_; }
  bool read_only() const { return read_only_; }

  // A duplicate of a read-only buffer is read-only whatever is asked for.
  Result Duplicate(HandleValue value, bool read_only, Ref<SharedBuffer>* duplicate);
  Result Map(HandleValue value, size_t offset, size_t nbytes, Ref<Mapping>* mapping);
  // The handle ends and the caller owns the descriptor. On failure nothing changes.
  Result Unwrap(HandleValue value, SharedBufferInfo* info);

  // False: the memory can still shrink, so nobody else should have to map it.
  bool IsSealed() const;
  void Pack(BundleWriter* writer) override;
  static Ref<Dispatcher> Unpack(BundleReader* reader);

 protected:
  void CloseLocked(Garbage* garbage) override;

 private:
  SharedBuffer(Ref<SharedFd> fd, size_t nbytes, const Guid& guid, bool read_only)
      : Dispatcher(HandleType::kSharedBuffer, PickStripe()),
        nbytes_(nbytes),
        guid_(guid),
        read_only_(read_only),
        fd_(std::move(fd)) {}

  const size_t nbytes_;
  const Guid guid_;
  const bool read_only_;
  Ref<SharedFd> fd_;  // lock_: shared with duplicates of the same rights; null once closed
};

}  // namespace mojo_seq
