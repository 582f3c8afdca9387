// A decoder layer of a decode step as one operator: what its modules call in turn, without their calls.
//
// The same operators in the same order, rounded where the modules round: both ways agree to the bit up to MOST_ROWS.
#pragma once

#include <limits>

#include "attend_op.h"
#include "experts_op.h"
#include "route_op.h"

namespace moevlm {
namespace {

constexpr int64_t ALL_EXPERTS = -1;

// Places of a layer's weights, as layer.py lists them.
enum Weight { INPUT_NORM, QUERY, KEY, VALUE, QUERY_NORM, KEY_NORM, OUTPUT, FFN_NORM, GATE_UP, DOWN, NUM_WEIGHTS };

template <class V>
void add_to(const Tensor& change, Tensor& stream) {
  const V* by = values<V>(change);
  auto* to = static_cast<V*>(stream.mutable_data_ptr());
  for (int64_t j = 0, end = stream.numel(); j < end; ++j) narrow(widen(to[j]) + widen(by[j]), to + j);
}

void add_to_stream(const Tensor& change, Tensor& stream) {
  if (stream.element_size() == sizeof(float)) add_to<float>(change, stream);
  else add_to<bfloat16>(change, stream);
}

// Leave tokens the first experts alone, where routing is hard: what is decoded is text.
template <class V>
void close_others(int64_t num_open, Tensor& logits) {
  const int64_t tokens = logits.size(0), experts = logits.size(1);
  auto* row = static_cast<V*>(logits.mutable_data_ptr());
  for (int64_t token = 0; token < tokens; ++token, row += experts)
    for (int64_t e = num_open; e < experts; ++e) narrow(-std::numeric_limits<float>::infinity(), row + e);
}

// How a layer chooses experts.
struct Routing {
  const std::optional<Tensor>&table, &rows;
  float damping;
  int64_t top_k;
  bool normalises;
  int64_t num_open;  // ALL_EXPERTS, or so many from the first
};

template <class L, class V>
std::tuple<Tensor, Tensor, Tensor> choose_of(Tensor logits, const Routing& by) {
  if (by.table) steer<L>(*by.table, by.rows, by.damping, logits);
  if (by.num_open != ALL_EXPERTS) close_others<L>(by.num_open, logits);
  return route_of<V>(logits, std::nullopt, std::nullopt, 0.f, by.top_k, by.normalises);
}

// Logits become as wide as a table that keeps its own precision, as in torch's sum of both.
template <class V>
std::tuple<Tensor, Tensor, Tensor> choose(const Tensor& logits, const Routing& by) {
  const bool is_wide = by.table && by.table->element_size() == sizeof(float);
  return is_wide ? choose_of<float, V>(in_float32(logits), by) : choose_of<V, V>(logits, by);
}

Tensor feed_forward(const Tensor& gate_up, const Tensor& down, const std::optional<Tensor>& router, const Routing& by,
                    const Tensor& hidden, int64_t tier) {
  if (!router) return dense(gate_up, down, hidden, tier);
  Tensor logits = project(*router, hidden);
  const bool is_wide = hidden.element_size() == sizeof(float);
  const auto chosen = is_wide ? choose<float>(logits, by) : choose<bfloat16>(logits, by);
  return experts(gate_up, down, hidden, std::get<2>(chosen), in_float32(std::get<1>(chosen)), tier);
}

// The residual stream (rows, hidden_size) after a layer; one new token a sample, whose keys and values go to `slot`.
Tensor decode_layer(const Tensor hidden, const std::vector<Tensor> weights, const std::optional<Tensor> router,
                    const std::optional<Tensor> table, const std::optional<Tensor> rows, const Tensor cos,
                    const Tensor signed_sin, const Tensor keys, const Tensor vals, int64_t slot,
                    const std::optional<Tensor> is_seen, double epsilon, double scale, double damping, int64_t top_k,
                    bool normalises, int64_t num_open, int64_t tier) {
  STD_TORCH_CHECK(weights.size() == NUM_WEIGHTS, "weights must be ", int(NUM_WEIGHTS), ", got ", weights.size());
  const Tensor attended =
      attend_one(rms_norm(hidden, weights[INPUT_NORM], epsilon), weights[QUERY], weights[KEY], weights[VALUE],
                 weights[QUERY_NORM], weights[KEY_NORM], cos, signed_sin, epsilon, keys, vals, slot, is_seen, scale);
  Tensor stream = project(weights[OUTPUT], attended);
  add_to_stream(hidden, stream);
  const Tensor normal = rms_norm(stream, weights[FFN_NORM], epsilon);
  const Routing by{table, rows, float(damping), top_k, normalises, num_open};
  add_to_stream(feed_forward(weights[GATE_UP], weights[DOWN], router, by, normal, tier), stream);
  return stream;
}

}  // namespace
}  // namespace moevlm
