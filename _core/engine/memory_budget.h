// Memory budget: how much shared memory this process may have in segments.
//
// Fresh shared memory is only promised by the kernel; who touches more of it than there is gets
// killed, without a word. So the limit is ours, and what does not fit is an error that can be read.
#pragma once

#include <cstddef>

namespace mojo_seq {

// What this process can have at most: the machine's memory, or the limit of its control group.
size_t MemoryLimit();

// At first four fifths of that. What is there already may stay. Any thread.
size_t MemoryBudget();
void SetMemoryBudget(size_t nbytes);  // 0: as at first
size_t ChosenMemoryBudget();           // 0: none was set

}  // namespace mojo_seq
