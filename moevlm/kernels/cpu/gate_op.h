// SwiGLU's elementwise part behind a product of many rows, in one pass: torch's two write what neither keeps.
#pragma once

#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include "step_ops.h"

namespace moevlm {
namespace {

// silu(gate) * up of float32 rows whose blocks hold `width` gates, then as many ups: [rows, blocks * width].
Tensor gated(const Tensor projected, int64_t width) {
  STD_TORCH_CHECK(width > 0 && projected.size(1) % (2 * width) == 0, "blocks of width ", width, " must fill ",
                  projected.size(1), " columns");
  const int64_t rows = projected.size(0), columns = projected.size(1) / 2, blocks = columns / width;
  Tensor output = new_matrix(rows, columns, dtype_of(projected));
  const auto* from = values<float>(projected);
  auto* to = static_cast<float*>(output.mutable_data_ptr());
  torch::stable::parallel_for(0, rows * blocks, rows_a_thread(width), [&](int64_t begin, int64_t end) {
    for (int64_t block = begin; block < end; ++block) {
      const float *gates = from + 2 * block * width, *ups = gates + width;
      float* acts = to + block * width;
      for (int64_t j = 0; j < width; ++j) acts[j] = swiglu(gates[j], ups[j]);
    }
  });
  return output;
}

}  // namespace
}  // namespace moevlm
