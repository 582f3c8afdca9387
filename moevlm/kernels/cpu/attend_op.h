// One operator for what attention does to one new token a sample, from its hidden state to what its heads gather.
#pragma once

#include "attend.h"
#include "step_ops.h"

namespace moevlm {
namespace {

// The memory of one layer's keys and values, [samples, groups, room, width], and where the new token goes.
template <class V>
struct Memory {
  V *keys, *values;
  int64_t samples, groups, room, width, slot;
  int64_t row(int64_t sample, int64_t group) const { return (sample * groups + group) * room * width; }
};

// How heads are normalised and turned: scales [width], tables [samples, width].
template <class V>
struct Turn {
  const V *q_scale, *k_scale, *cos, *signed_sin;
  float epsilon;
};

// Normalise and rotate a sample's query heads in place, and put its keys and values into their slot.
template <class V>
void place_heads(const Memory<V>& memory, const Turn<V>& turn, int64_t sample, int64_t queries, V* heads) {
  const int64_t width = memory.width, at = memory.slot * width;
  const V *cos = turn.cos + sample * width, *signed_sin = turn.signed_sin + sample * width;
  for (int64_t head = 0; head < queries; ++head)
    normalise_and_rotate(heads + head * width, turn.q_scale, cos, signed_sin, width, turn.epsilon,
                         heads + head * width);
  for (int64_t group = 0; group < memory.groups; ++group) {
    const V* key = heads + (queries + group) * width;
    normalise_and_rotate(key, turn.k_scale, cos, signed_sin, width, turn.epsilon,
                         memory.keys + memory.row(sample, group) + at);
    std::copy_n(key + memory.groups * width, width, memory.values + memory.row(sample, group) + at);
  }
}

template <class P>
void attend_of(const Memory<typename P::Value>& memory, const Turn<typename P::Value>& turn, const bool* is_seen,
               float scale, int64_t queries, typename P::Value* projected, typename P::Value* output, const Next& next) {
  using V = typename P::Value;
  const int64_t width = memory.width, shared = queries / memory.groups, length = memory.slot + 1;
  const int64_t row_size = (queries + 2 * memory.groups) * width;
  for (int64_t sample = 0; sample < memory.samples; ++sample) {
    V* heads = projected + sample * row_size;
    place_heads(memory, turn, sample, queries, heads);
    std::copy_n(heads, queries * width, output + sample * queries * width);
  }
  const int64_t least_groups = std::max<int64_t>(1, SMALLEST_SHARE / (2 * length * width * int64_t(sizeof(V))));
  torch::stable::parallel_for(0, memory.samples * memory.groups, least_groups, [&](int64_t begin, int64_t end) {
    std::vector<float> scores(2 * padded_length(length));
    for (int64_t j = begin; j < end; ++j) {
      Next own = next.of(j, memory.samples * memory.groups, (shared + 1) / 2 * turns_of(length, width));
      const int64_t sample = j / memory.groups, at = memory.row(sample, j % memory.groups);
      const bool* seen = is_seen ? is_seen + sample * length : nullptr;
      const Cached<V> cached{memory.keys + at, memory.values + at, seen, length, width};
      V* queries_of = output + j * shared * width;
      int64_t head = 0;
      for (; head + 2 <= shared; head += 2) attend<P, 2>(cached, queries_of + head * width, scale, scores.data(), own);
      if (head < shared) attend<P, 1>(cached, queries_of + head * width, scale, scores.data(), own);
    }
  });
}

// One new token a sample: its products with three matrices as heads, normalised and rotated, keys and values put into
// the slot, and what each query gathers from the tokens up to it, [samples, queries * width]; meanwhile `next` is
// fetched.
Tensor attend_one(const Tensor hidden, const Tensor q_weight, const Tensor k_weight, const Tensor v_weight,
                  const Tensor q_scale, const Tensor k_scale, const Tensor cos, const Tensor signed_sin, double epsilon,
                  Tensor keys, Tensor vals, int64_t slot, const std::optional<Tensor> is_seen, double scale,
                  const Next& next) {
  const int64_t samples = keys.size(0), groups = keys.size(1), room = keys.size(2), width = keys.size(3);
  STD_TORCH_CHECK(slot >= 0 && slot < room, "slot must be in [0, ", room, "), got ", slot);
  const int64_t queries = q_weight.size(0) / width, row_size = (queries + 2 * groups) * width;
  Tensor projected = new_matrix(samples, row_size, dtype_of(hidden));
  Tensor output = new_matrix(samples, queries * width, dtype_of(hidden));
  const auto run = [&](auto policy) {
    using P = decltype(policy);
    using V = typename P::Value;
    const auto mutable_values = [](Tensor& tensor) { return static_cast<V*>(tensor.mutable_data_ptr()); };
    const Memory<V> memory{mutable_values(keys), mutable_values(vals), samples, groups, room, width, slot};
    const Turn<V> turn{values<V>(q_scale), values<V>(k_scale), values<V>(cos), values<V>(signed_sin), float(epsilon)};
    V* heads = mutable_values(projected);
    for (const Tensor* weight : {&q_weight, &k_weight, &v_weight}) {
      project_to<P>(*weight, hidden, heads, row_size);
      heads += weight->size(0);
    }
    attend_of<P>(memory, turn, values_or_none<bool>(is_seen), float(scale), queries, mutable_values(projected),
                 mutable_values(output), next);
  };
  if (hidden.element_size() == sizeof(float)) run(Float32{});
  else run(BestBfloat16{});
  return output;
}

Tensor attend_alone(const Tensor hidden, const Tensor q_weight, const Tensor k_weight, const Tensor v_weight,
                    const Tensor q_scale, const Tensor k_scale, const Tensor cos, const Tensor signed_sin,
                    double epsilon, Tensor keys, Tensor vals, int64_t slot, const std::optional<Tensor> is_seen,
                    double scale) {
  return attend_one(hidden, q_weight, k_weight, v_weight, q_scale, k_scale, cos, signed_sin, epsilon, keys, vals, slot,
                    is_seen, scale, Next{});
}

}  // namespace
}  // namespace moevlm
