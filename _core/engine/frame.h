// Frame: how a message looks on a socket between processes.
//
//   header, meta, payload
//
// The meta describes handles and what travels with them (bundle.h). Descriptors are attached to the
// first byte of a header, at most kMaxFrameDescriptors to one; a message with more is preceded by
// frames that hold nothing else. A large meta or payload is in memory that is sent as a descriptor.
#pragma once

#include <list>
#include <vector>

#include "event.h"
#include "message.h"
#include "scoped_fd.h"

namespace mojo_seq {

enum class FrameType : uint8_t {
  kMessage = 1,
  kDescriptors = 2,  // only descriptors, of the message that follows
  // About the ring for messages in this direction (ring.h); no message.
  kRingOffer = 3,    // with its memory
  kRingEnd = 4,      // nothing more goes through it
  kDoorbell = 5,     // there is something in it for a reader that slept
};

enum FrameFlags : uint8_t {
  kMetaInMemory = 1,     // the first descriptor is a memfd with the meta
  kPayloadInMemory = 2,  // the next one is a segment with the payload
};

// Native byte order: both ends run on one machine.
struct FrameHeader {
  static constexpr uint32_t kMagic = 0x314a4f4d;  // "MOJ1"

  uint32_t magic = kMagic;
  FrameType type = FrameType::kMessage;
  uint8_t flags = 0;
  uint16_t descriptors = 0;   // attached to this header
  uint32_t sender = 0;        // process id, as it knows itself
  uint16_t processor = 0;     // that it ran on, plus one: whether it pays to wait awake
  uint16_t sent_at = 0;       // see SentAt; 0: not known
  uint64_t meta_bytes = 0;
  uint64_t payload_bytes = 0;

  bool IsValid() const;
  // What of the meta and the payload follows the header in the stream.
  uint64_t inline_meta() const { return flags & kMetaInMemory ? 0 : meta_bytes; }
  uint64_t inline_payload() const { return flags & kPayloadInMemory ? 0 : payload_bytes; }
};
static_assert(sizeof(FrameHeader) == 32);

constexpr size_t kMaxFrameDescriptors = 253;  // what the kernel takes at once
constexpr size_t kMaxInlineMeta = size_t{64} << 20;

// In so many bits there are only microseconds, and not many of them: when a header was made that has
// come by now, if that was lately. 0: not known.
Time SentAt(uint16_t sent_at, Time now);

// A header for a message from this process.
FrameHeader MakeHeader(uint64_t meta_bytes, uint64_t payload_bytes);

// On its way out. `sent` counts the bytes that the kernel has taken; with the first of them it took
// the descriptors.
struct OutFrame {
  std::vector<uint8_t> head;  // header and meta, or many small frames
  Ref<Payload> payload;       // kept for the bytes that follow the head
  size_t payload_bytes = 0;
  std::vector<Ref<SharedFd>> descriptors;
  size_t sent = 0;
  size_t messages = 1;        // 0: descriptors of the one that follows
  size_t next_end = 0;  // where the first one ends that is not sent whole; 0: not known
  // All in the head are small messages, none of which has begun to be sent: a ring may have them.
  bool is_small = false;
  uint32_t number = 0;  // in that ring, of the first one not sent

  size_t bytes() const { return head.size() + payload_bytes; }
  // Others may follow in the head.
  bool IsOpen() const { return !payload && descriptors.empty(); }
  // Adds up to `nbytes` that the kernel has taken. Returns how many messages that completes.
  size_t AddSent(size_t nbytes);
};

// The frames of one message as far as its header and descriptors go: what follows the header is to be
// added to the last of them.
std::vector<OutFrame> SplitDescriptors(const FrameHeader& header,
                                       std::vector<Ref<SharedFd>> descriptors);

// Received whole, with all its descriptors.
struct InFrame {
  FrameHeader header;
  Ref<Payload> meta;  // null: none, or in memory
  Ref<Payload> payload;
  std::vector<ScopedFd> descriptors;
};

// Puts frames together from what arrives.
class FrameParser {
 public:
  // False: that is not a frame, and nothing that follows can be understood.
  bool Feed(const uint8_t* data, size_t nbytes, std::vector<InFrame>* frames);
  // Where the next bytes of a long body go, for reading them in place; kept up by Filled.
  uint8_t* body_target();
  size_t body_missing() const;
  bool Filled(size_t nbytes, std::vector<InFrame>* frames);

  // How many bytes of `data` come before the first header with descriptors, and how many those
  // are. False: there is none, and nothing has changed.
  bool FindDescriptors(const uint8_t* data, size_t nbytes, size_t* before, size_t* count) const;
  // Those that came with the header that is fed next.
  void AddDescriptors(std::vector<ScopedFd> descriptors);

  // A frame that has begun. What was received of it, so that another process can go on.
  bool IsInside() const { return have_ > 0 || !descriptors_.empty(); }
  void TakeBegun(std::vector<uint8_t>* bytes, std::vector<ScopedFd>* descriptors);
  // What another process has taken so. False: that is not the beginning of a frame.
  bool GiveBegun(const std::vector<uint8_t>& bytes, std::vector<ScopedFd> descriptors);

 private:
  size_t FeedPlain(const uint8_t* data, size_t nbytes, std::vector<InFrame>* frames);
  bool BeginBody();
  bool FinishIfWhole(std::vector<InFrame>* frames);
  uint64_t body_bytes() const { return frame_.header.inline_meta() + frame_.header.inline_payload(); }

  InFrame frame_;     // its header is valid once have_ reaches the header's size
  size_t have_ = 0;   // bytes of the frame so far
  std::vector<ScopedFd> descriptors_;
  size_t announced_ = 0;  // how many descriptors the headers so far spoke of
};

}  // namespace mojo_seq
