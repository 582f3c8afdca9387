// What is read next, fetched in equal parts while what comes before computes: memory does not wait meanwhile.
#pragma once

#include <algorithm>

#include "lanes.h"

namespace moevlm {

constexpr int64_t MOST_FETCHED = 512 << 10;  // bytes: half of a core's own cache of 1 MB

class Next {
 public:
  Next() = default;

  // The first of `bytes` at `from`, in about `turns` parts.
  Next(const void* from, int64_t bytes, int64_t turns)
      : at(static_cast<const char*>(from)), end(at + std::min(bytes, MOST_FETCHED)),
        part((end - at) / std::max<int64_t>(turns, 1) + 1) {}

  void fetch() {
    for (const char* to = std::min(at + part, end); at < to; at += 64) prefetch(at, 0);
  }

  // The share that belongs to one of several jobs.
  Next of(int64_t job, int64_t jobs, int64_t turns) const {
    const int64_t share = (end - at) / jobs;
    return {at + job * share, share, turns};
  }

 private:
  const char *at = nullptr, *end = nullptr;
  int64_t part = 0;
};

}  // namespace moevlm
