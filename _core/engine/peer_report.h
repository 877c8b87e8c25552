// Reports of peers that sent what nobody can understand, until the embedder fetches them.
#pragma once

#include <cstdint>
#include <vector>

namespace mojo_seq {

// `process`: as far as it is known, or 0.
void ReportBadPeer(uint32_t process);
std::vector<uint32_t> TakeBadPeers();

}  // namespace mojo_seq
