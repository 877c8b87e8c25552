// Counting descriptors: how a test proves that none is left, or was taken.
#pragma once

#include <dirent.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string>

#include "check.h"

namespace mojo_seq::testing {

// All descriptors of this process and what they are.
inline std::map<int, std::string> OpenDescriptors() {
  std::map<int, std::string> found;
  DIR* const folder = opendir("/proc/self/fd");
  CHECK(folder != nullptr);
  while (const dirent* const entry = readdir(folder)) {
    const int fd = atoi(entry->d_name);
    if (entry->d_name[0] == '.' || fd == dirfd(folder)) continue;
    char path[300];
    char target[300];
    snprintf(path, sizeof path, "/proc/self/fd/%s", entry->d_name);
    const ssize_t length = readlink(path, target, sizeof target);
    if (length > 0) found[fd] = std::string(target, static_cast<size_t>(length));
  }
  closedir(folder);
  return found;
}

// A figure of /proc/self/status.
inline size_t StatusFigure(const char* name) {
  FILE* const file = fopen("/proc/self/status", "r");
  CHECK(file != nullptr);
  char line[256];
  size_t figure = 0;
  const std::string wanted = std::string(name) + ":";
  while (fgets(line, sizeof line, file)) {
    if (strncmp(line, wanted.c_str(), wanted.size()) == 0) {
      figure = strtoull(line + wanted.size(), nullptr, 10);
    }
  }
  fclose(file);
  return figure;
}

// One of those about memory, in bytes: VmRSS, VmHWM, RssShmem ...
inline size_t StatusBytes(const char* name) { return StatusFigure(name) * 1024; }

}  // namespace mojo_seq::testing
