// Operators around attention and experts in a decode step: few rows of one dtype, contiguous, as step.py checks.
#pragma once

#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <array>
#include <optional>
#include <vector>

#include "step.h"

namespace moevlm {
namespace {

using torch::stable::Tensor;

constexpr int64_t MOST_ROWS = 8;               // as step.py
constexpr int64_t SMALLEST_SHARE = 256 << 10;  // bytes of weights that repay waking a thread

#if defined(__AVX512BF16__)
using BestBfloat16 = DotBfloat16;
#else
using BestBfloat16 = Bfloat16;
#endif

template <class V>
const V* values(const Tensor& tensor) { return static_cast<const V*>(tensor.const_data_ptr()); }

template <class V>
const V* values_or_none(const std::optional<Tensor>& tensor) { return tensor ? values<V>(*tensor) : nullptr; }

// An uninitialised matrix on the CPU. Less than new_empty, which goes through the dispatcher twice.
Tensor new_matrix(int64_t rows, int64_t columns, int32_t dtype) {
  const int64_t sizes[2] = {rows, columns}, strides[2] = {columns, 1};
  AtenTensorHandle made;
  TORCH_ERROR_CODE_CHECK(aoti_torch_empty_strided(2, sizes, strides, dtype, aoti_torch_device_type_cpu(), 0, &made));
  return Tensor(made);
}

int32_t dtype_of(const Tensor& tensor) {
  int32_t dtype;
  TORCH_ERROR_CODE_CHECK(aoti_torch_get_dtype(tensor.get(), &dtype));
  return dtype;
}

// Write hidden @ weight.T into the columns of rows of `row_size` values that begin at `output`.
template <class P>
void product_of(const Tensor& weight, const Tensor& hidden, typename P::Value* output, int64_t row_size) {
  using V = typename P::Value;
  const int64_t outputs = weight.size(0), width = weight.size(1), tokens = hidden.numel() / width;
  const V *w = values<V>(weight), *x = values<V>(hidden);
  const int64_t least_groups = std::max<int64_t>(1, SMALLEST_SHARE / (WEIGHT_ROWS * width * int64_t(sizeof(V))));
  torch::stable::parallel_for(0, outputs / WEIGHT_ROWS, least_groups, [&](int64_t begin, int64_t end) {
    multiply<P>(w, x, tokens, width, begin * WEIGHT_ROWS, end * WEIGHT_ROWS, output, row_size);
  });
}

// hidden @ weight.T for few rows; widths are multiples of 64, outputs of 4.
Tensor few_rows(const Tensor weight, const Tensor hidden) {
  Tensor output = new_matrix(hidden.numel() / weight.size(1), weight.size(0), dtype_of(hidden));
  const auto run = [&](auto policy) {
    using P = decltype(policy);
    product_of<P>(weight, hidden, static_cast<typename P::Value*>(output.mutable_data_ptr()), weight.size(0));
  };
  if (hidden.element_size() == sizeof(float)) run(Float32{});
  else run(BestBfloat16{});
  return output;
}

// What one of torch's operators returns; `to` takes each result out, once.
template <class... Arguments>
auto call_torch(const char* name, const Arguments&... arguments) {
  std::array<StableIValue, sizeof...(arguments)> stack{torch::stable::detail::from(arguments)...};
  TORCH_ERROR_CODE_CHECK(torch_call_dispatcher(name, "", stack.data(), TORCH_ABI_VERSION));
  return stack;
}

Tensor linear(const Tensor& weight, const Tensor& hidden) {
  const auto found = call_torch("aten::linear", hidden, weight, std::optional<Tensor>{});
  return torch::stable::detail::to<Tensor>(found[0]);
}

// hidden @ weight.T for any rows: beyond a few torch's product is as fast, and its threads share them.
Tensor project(const Tensor& weight, const Tensor& hidden) {
  if (hidden.numel() <= MOST_ROWS * weight.size(1)) return few_rows(weight, hidden);
  const Tensor projected = linear(weight, hidden);  // in as many dimensions as hidden
  Tensor output = new_matrix(hidden.numel() / weight.size(1), weight.size(0), dtype_of(hidden));
  std::memcpy(output.mutable_data_ptr(), projected.const_data_ptr(), output.numel() * output.element_size());
  return output;
}

// The same into the columns of rows of `row_size` values that begin at `output`.
template <class P>
void project_to(const Tensor& weight, const Tensor& hidden, typename P::Value* output, int64_t row_size) {
  const int64_t rows = hidden.numel() / weight.size(1), columns = weight.size(0);
  if (rows <= MOST_ROWS) return product_of<P>(weight, hidden, output, row_size);
  const Tensor projected = linear(weight, hidden);
  const auto* from = values<typename P::Value>(projected);
  for (int64_t row = 0; row < rows; ++row) std::copy_n(from + row * columns, columns, output + row * row_size);
}

int64_t rows_a_thread(int64_t width) { return std::max<int64_t>(1, SMALLEST_SHARE / 4 / width); }

template <class V>
void norm_of(const Tensor& hidden, const Tensor& scale, float epsilon, Tensor& output) {
  const int64_t width = scale.numel(), rows = hidden.numel() / width;
  const auto* from = values<V>(hidden);
  const auto* by = values<V>(scale);
  auto* to = static_cast<V*>(output.mutable_data_ptr());
  torch::stable::parallel_for(0, rows, rows_a_thread(width), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row) normalise(from + row * width, by, width, epsilon, to + row * width);
  });
}

void norm_to(const Tensor& hidden, const Tensor& scale, double epsilon, Tensor& output) {
  if (hidden.element_size() == sizeof(float)) norm_of<float>(hidden, scale, float(epsilon), output);
  else norm_of<bfloat16>(hidden, scale, float(epsilon), output);
}

Tensor rms_norm(const Tensor hidden, const Tensor scale, double epsilon) {
  Tensor output = torch::stable::empty_like(hidden);
  norm_to(hidden, scale, epsilon, output);
  return output;
}

template <class V>
void rotated_of(const Tensor& projected, const Tensor& q_scale, const Tensor& k_scale, const Tensor& cos,
                const Tensor& signed_sin, float epsilon, int64_t queries, Tensor& output) {
  const int64_t rows = output.size(0), heads = output.size(1), width = output.size(2);
  const int64_t row_size = projected.numel() / rows;
  auto* to = static_cast<V*>(output.mutable_data_ptr());
  torch::stable::parallel_for(0, rows, rows_a_thread(row_size), [&](int64_t begin, int64_t end) {
    for (int64_t row = begin; row < end; ++row)
      for (int64_t head = 0; head < heads; ++head)
        normalise_and_rotate(values<V>(projected) + row * row_size + head * width,
                             values<V>(head < queries ? q_scale : k_scale), values<V>(cos) + row * width,
                             values<V>(signed_sin) + row * width, width, epsilon,
                             to + (row * heads + head) * width);
  });
}

// Queries and keys out of [rows, (queries + keys + values) * width], normalised and rotated: [rows, queries + keys, width].
Tensor rotated_heads(const Tensor projected, const Tensor q_scale, const Tensor k_scale, const Tensor cos,
                     const Tensor signed_sin, double epsilon, int64_t queries, int64_t keys) {
  const int64_t width = q_scale.numel(), rows = cos.numel() / width;
  Tensor output = torch::stable::new_empty(projected, {rows, queries + keys, width});
  if (projected.element_size() == sizeof(float))
    rotated_of<float>(projected, q_scale, k_scale, cos, signed_sin, float(epsilon), queries, output);
  else rotated_of<bfloat16>(projected, q_scale, k_scale, cos, signed_sin, float(epsilon), queries, output);
  return output;
}

}  // namespace
}  // namespace moevlm
