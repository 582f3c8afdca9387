// Operators around attention and experts in a decode step: few rows of one dtype, contiguous, as step.py checks.
#pragma once

#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <optional>
#include <tuple>
#include <vector>

#include "step.h"

namespace moevlm {
namespace {

using torch::stable::Tensor;

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
  Tensor output = torch::stable::new_empty(hidden, {hidden.numel() / weight.size(1), weight.size(0)});
  const auto run = [&](auto policy) {
    using P = decltype(policy);
    product_of<P>(weight, hidden, static_cast<typename P::Value*>(output.mutable_data_ptr()), weight.size(0));
  };
  if (hidden.element_size() == sizeof(float)) run(Float32{});
  else run(BestBfloat16{});
  return output;
}

template <class V>
void norm_of(const Tensor& hidden, const Tensor& scale, float epsilon, Tensor& output) {
  const int64_t width = scale.numel(), rows = hidden.numel() / width;
  const auto* from = values<V>(hidden);
  const auto* by = values<V>(scale);
  auto* to = static_cast<V*>(output.mutable_data_ptr());
  for (int64_t row = 0; row < rows; ++row) normalise(from + row * width, by, width, epsilon, to + row * width);
}

Tensor rms_norm(const Tensor hidden, const Tensor scale, double epsilon) {
  Tensor output = torch::stable::empty_like(hidden);
  if (hidden.element_size() == sizeof(float)) norm_of<float>(hidden, scale, float(epsilon), output);
  else norm_of<bfloat16>(hidden, scale, float(epsilon), output);
  return output;
}

template <class V>
void rotated_of(const Tensor& projected, const Tensor& q_scale, const Tensor& k_scale, const Tensor& cos,
                const Tensor& signed_sin, float epsilon, int64_t queries, Tensor& output) {
  const int64_t rows = output.size(0), heads = output.size(1), width = output.size(2);
  const int64_t row_size = projected.numel() / rows;
  auto* to = static_cast<V*>(output.mutable_data_ptr());
  std::vector<float> scratch(width);
  for (int64_t row = 0; row < rows; ++row)
    for (int64_t head = 0; head < heads; ++head)
      normalise_and_rotate(values<V>(projected) + row * row_size + head * width,
                           values<V>(head < queries ? q_scale : k_scale), values<V>(cos) + row * width,
                           values<V>(signed_sin) + row * width, width, epsilon, scratch.data(),
                           to + (row * heads + head) * width);
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

// A router: logits, steered by a table's rows where there are some, and the top k of their softmax.
template <class V>
void route_of(const std::optional<Tensor>& table, const std::optional<Tensor>& rows, float damping, bool normalises,
              Tensor& logits, Tensor& weights, Tensor& ids) {
  const int64_t tokens = logits.size(0), experts = logits.size(1), top_k = ids.size(1);
  auto* logit = static_cast<V*>(logits.mutable_data_ptr());
  auto* weight = static_cast<V*>(weights.mutable_data_ptr());
  auto* id = static_cast<int64_t*>(ids.mutable_data_ptr());
  const V* biases = values_or_none<V>(table);
  const int64_t* row = values_or_none<int64_t>(rows);
  std::vector<float> shares(padded_length(experts));
  for (int64_t token = 0; token < tokens; ++token) {
    V* own = logit + token * experts;
    if (biases) {
      STD_TORCH_CHECK(row[token] >= 0 && row[token] < table->size(0), "rows must be in [0, ", table->size(0), "), got ",
                      row[token]);
      for (int64_t e = 0; e < experts; ++e)
        narrow(widen(biases[row[token] * experts + e]) + damping * widen(own[e]), own + e);
    }
    for (int64_t e = 0; e < experts; ++e) shares[e] = widen(own[e]);
    choose(shares.data(), soften(shares.data(), experts), experts, top_k, normalises, id + token * top_k,
           weight + token * top_k);
  }
}

std::tuple<Tensor, Tensor, Tensor> route(const Tensor hidden, const Tensor weight, const std::optional<Tensor> table,
                                         const std::optional<Tensor> rows, double damping, int64_t top_k,
                                         bool normalises) {
  Tensor logits = few_rows(weight, hidden);
  Tensor weights = torch::stable::new_empty(hidden, {logits.size(0), top_k});
  Tensor ids = torch::stable::new_empty(hidden, {logits.size(0), top_k}, torch::headeronly::ScalarType::Long);
  if (hidden.element_size() == sizeof(float))
    route_of<float>(table, rows, float(damping), normalises, logits, weights, ids);
  else route_of<bfloat16>(table, rows, float(damping), normalises, logits, weights, ids);
  return {logits, weights, ids};
}

}  // namespace
}  // namespace moevlm
