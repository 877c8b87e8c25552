// The result codes of the Mojo system layer. The values are part of the contract.
#pragma once

#include <cstdint>

namespace mojo_seq {

enum class Result : int32_t {
  kOk = 0,
  kCancelled = 1,
  kUnknown = 2,
  kInvalidArgument = 3,
  kDeadlineExceeded = 4,
  kNotFound = 5,
  kAlreadyExists = 6,
  kPermissionDenied = 7,
  kResourceExhausted = 8,
  kFailedPrecondition = 9,
  kAborted = 10,
  kOutOfRange = 11,
  kUnimplemented = 12,
  kInternal = 13,
  kUnavailable = 14,
  kDataLoss = 15,
  kBusy = 16,
  kShouldWait = 17,
};

}  // namespace mojo_seq
