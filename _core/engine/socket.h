// Unix stream sockets: making them, checking those that others gave us, and how many descriptors
// there may be.
#pragma once

#include <cstddef>
#include <cstdint>

#include "result.h"
#include "scoped_fd.h"

namespace mojo_seq {

// Two connected sockets. kResourceExhausted: no descriptors. Raises the limit for them first.
Result CreateSocketPair(ScopedFd* a, ScopedFd* b);

// True for a connected Unix stream socket, which is what every end of a pipe must be.
bool IsConnectedSocket(int fd);

// Undoes what others may have set on a socket that we are given, and what would let a peer send
// bytes beside the stream.
void PlainSocket(int fd);

// The kernel's own number of a socket, the same for all its descriptors in all processes; 0 if it
// has none. By these the two ends of a pipe find each other when they meet in one process.
uint64_t SocketCookie(int fd);

// What there is to hear from a socket now: poll()'s POLLIN, POLLOUT, POLLRDHUP, POLLHUP, POLLERR.
short PollSocket(int fd, short events);

// Pipes and their contents take descriptors, more than the usual soft limit: this sets it to the
// hard one, once. The children that we start get back what it was.
void RaiseDescriptorLimit();
uint64_t InitialDescriptorLimit();

// True if `count` more descriptors can be opened now. `fd`: any open one.
bool HasRoomForDescriptors(int fd, size_t count);

}  // namespace mojo_seq
