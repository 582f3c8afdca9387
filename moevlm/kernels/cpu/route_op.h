// A router as one operator: logits, steered by a table's rows where there are some, and the top k of their softmax.
//
// Softmax and top k are torch's own, as on every other path: which of equal shares is chosen is theirs to say, and so is
// what comes of NaN. Both together take about as long as loops over the experts.
#pragma once

#include <tuple>
#include <type_traits>

#include "step_ops.h"

namespace moevlm {
namespace {

// logits = the table's row + damping * logits, rounded once.
template <class V>
void steer(const Tensor& table, const std::optional<Tensor>& rows, float damping, Tensor& logits) {
  const int64_t tokens = logits.size(0), experts = logits.size(1);
  STD_TORCH_CHECK(rows && rows->numel() == tokens, "a table must come with a row for each of ", tokens, " tokens");
  STD_TORCH_CHECK(table.size(1) == experts, "a table must have ", experts, " columns, got ", table.size(1));
  auto* own = static_cast<V*>(logits.mutable_data_ptr());
  const V* biases = values<V>(table);
  const int64_t* row = values<int64_t>(*rows);
  for (int64_t token = 0; token < tokens; ++token, own += experts) {
    STD_TORCH_CHECK(row[token] >= 0 && row[token] < table.size(0), "rows must be in [0, ", table.size(0), "), got ",
                    row[token]);
    const V* bias = biases + row[token] * experts;
    for (int64_t e = 0; e < experts; ++e) narrow(widen(bias[e]) + damping * widen(own[e]), own + e);
  }
}

Tensor in_float32(const Tensor& tensor) {
  if (tensor.element_size() == sizeof(float)) return tensor;
  Tensor wide = new_matrix(tensor.size(0), tensor.size(1), aoti_torch_dtype_float32());
  const auto* from = values<bfloat16>(tensor);
  auto* to = static_cast<float*>(wide.mutable_data_ptr());
  for (int64_t j = 0, end = tensor.numel(); j < end; ++j) to[j] = widen(from[j]);
  return wide;
}

// Weights of the chosen experts: their shares, or these divided by their sum. May overwrite the shares.
template <class V>
void weigh(const Tensor& shares, bool normalises, Tensor& weights) {
  const int64_t tokens = shares.size(0), top_k = shares.size(1);
  const auto* share = values<float>(shares);
  auto* weight = static_cast<V*>(weights.mutable_data_ptr());
  for (int64_t token = 0; token < tokens; ++token, share += top_k, weight += top_k) {
    float sum = 0;
    for (int64_t k = 0; k < top_k; ++k) sum += share[k];
    for (int64_t k = 0; k < top_k; ++k) narrow(normalises ? share[k] / sum : share[k], weight + k);
  }
}

// Weights are of type V; logits are too, or are wide.
template <class V>
std::tuple<Tensor, Tensor, Tensor> route_of(Tensor logits, const std::optional<Tensor>& table,
                                            const std::optional<Tensor>& rows, float damping, int64_t top_k,
                                            bool normalises) {
  using torch::stable::detail::to;
  constexpr int64_t LAST = -1;
  if (table) steer<V>(*table, rows, damping, logits);
  const auto shares = call_torch("aten::_softmax", in_float32(logits), LAST, false);
  const auto chosen = call_torch("aten::topk", to<Tensor>(shares[0]), top_k, LAST, true, true);  // the largest, sorted
  const Tensor chosen_shares = to<Tensor>(chosen[0]), ids = to<Tensor>(chosen[1]);
  constexpr bool IN_PLACE = std::is_same_v<V, float>;
  Tensor weights = IN_PLACE ? chosen_shares : new_matrix(logits.size(0), top_k, aoti_torch_dtype_bfloat16());
  weigh<V>(chosen_shares, normalises, weights);
  return {logits, weights, ids};
}

std::tuple<Tensor, Tensor, Tensor> route(const Tensor hidden, const Tensor weight, const std::optional<Tensor> table,
                                         const std::optional<Tensor> rows, double damping, int64_t top_k,
                                         bool normalises) {
  const auto run = hidden.element_size() == sizeof(float) ? route_of<float> : route_of<bfloat16>;
  return run(few_rows(weight, hidden), table, rows, float(damping), top_k, normalises);
}

}  // namespace
}  // namespace moevlm
