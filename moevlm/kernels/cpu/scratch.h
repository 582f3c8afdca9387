// Memory of a kernel that nobody fills beforehand, aligned to lines of a cache.
#pragma once

#include <torch/csrc/stable/tensor.h>

#include <cstdlib>
#include <memory>

namespace moevlm {

template <class T>
struct Scratch {
  explicit Scratch(int64_t count) : data(static_cast<T*>(std::aligned_alloc(64, (count * sizeof(T) + 64) / 64 * 64))) {
    STD_TORCH_CHECK(data, "out of memory: scratch of ", count * sizeof(T), " bytes");
  }
  T* get() const { return data.get(); }
  struct Free { void operator()(T* p) const { std::free(p); } };
  std::unique_ptr<T, Free> data;
};

}  // namespace moevlm
