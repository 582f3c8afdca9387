// The decoder layers of a decode step as one operator: what their modules call in turn, without their calls.
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

std::optional<Tensor> one_of(const std::vector<Tensor>& tensors, size_t number) {
  return tensors.empty() ? std::nullopt : std::optional<Tensor>(tensors[number]);
}

Next all_of(const Tensor& weight) {
  return {weight.const_data_ptr(), weight.numel() * int64_t(weight.element_size()), 1};
}

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

Tensor normal(const Tensor& stream, const Tensor& scale, double epsilon) {
  Tensor output = new_matrix(stream.size(0), stream.size(1), dtype_of(stream));
  norm_to(stream, scale, epsilon, output);
  return output;
}

// What all layers of a step share.
struct Step {
  const Tensor &cos, &signed_sin;
  int64_t slot;
  const std::optional<Tensor>& is_seen;
  double epsilon, scale;
  int64_t tier;
};

Tensor layer(const Tensor& hidden, const Tensor* weights, const std::optional<Tensor>& router, const Routing& by,
             const Tensor& keys, const Tensor& vals, const Step& step) {
  const Tensor attended =
      attend_one(normal(hidden, weights[INPUT_NORM], step.epsilon), weights[QUERY], weights[KEY], weights[VALUE],
                 weights[QUERY_NORM], weights[KEY_NORM], step.cos, step.signed_sin, step.epsilon, keys, vals, step.slot,
                 step.is_seen, step.scale, all_of(weights[OUTPUT]));
  Tensor stream = project(weights[OUTPUT], attended);
  add_to_stream(hidden, stream);
  const Tensor input = normal(stream, weights[FFN_NORM], step.epsilon);
  add_to_stream(feed_forward(weights[GATE_UP], weights[DOWN], router, by, input, step.tier), stream);
  return stream;
}

// The residual stream (rows, hidden_size) after layers of equal settings; one new token a sample, whose keys and values
// go to `slot`. Routers and tables: one a layer, or none.
Tensor decode_layers(const Tensor hidden, const std::vector<Tensor> weights, const std::vector<Tensor> routers,
                     const std::vector<Tensor> tables, const std::optional<Tensor> rows, const Tensor cos,
                     const Tensor signed_sin, const std::vector<Tensor> keys, const std::vector<Tensor> vals,
                     int64_t slot, const std::optional<Tensor> is_seen, double epsilon, double scale, double damping,
                     int64_t top_k, bool normalises, int64_t num_open, int64_t tier) {
  const size_t layers = keys.size();
  const auto one_a_layer = [=](const char* what, size_t count, size_t each) {
    STD_TORCH_CHECK(count == layers * each, what, " must be ", layers * each, ", got ", count);
  };
  one_a_layer("weights", weights.size(), NUM_WEIGHTS);
  one_a_layer("values", vals.size(), 1);
  if (!routers.empty()) one_a_layer("routers", routers.size(), 1);
  if (!tables.empty()) one_a_layer("tables", tables.size(), 1);
  STD_TORCH_CHECK(layers > 0, "there must be a layer, got none");
  const Step step{cos, signed_sin, slot, is_seen, epsilon, scale, tier};
  Tensor stream = hidden;
  for (size_t n = 0; n < layers; ++n) {
    const std::optional<Tensor> router = one_of(routers, n), table = one_of(tables, n);
    const Routing by{table, rows, float(damping), top_k, normalises, num_open};
    stream = layer(stream, &weights[n * NUM_WEIGHTS], router, by, keys[n], vals[n], step);
  }
  return stream;
}

}  // namespace
}  // namespace moevlm
