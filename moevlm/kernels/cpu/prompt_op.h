// One operator for the attention of many new tokens over a layer's cache.
#pragma once

#include "prompt.h"
#include "step_ops.h"

namespace moevlm {
namespace {

// From both ends in turn: late blocks see more keys than early ones, and threads take neighbours.
int64_t from_both_ends(int64_t number, int64_t count) { return number % 2 ? count - 1 - number / 2 : number / 2; }

template <class W, class V>
void attend_sample(const Prompt<V>& p, int64_t sample) {
  using Word = typename W::Word;
  const int64_t key_words = whole_panels(p.length) * p.width / W::DEPTH;
  const int64_t value_words = whole_panels(p.value_width) * words_of<W>(p.length);
  std::vector<Word> keys(p.groups * key_words), values(p.groups * value_words);
  torch::stable::parallel_for(0, p.groups, 1, [&](int64_t begin, int64_t end) {
    for (int64_t group = begin; group < end; ++group) {
      pack_rows<W>(p.keys.at(sample, group, 0), p.length, p.keys.token_size, p.width, keys.data() + group * key_words);
      pack_columns<W>(p.values.at(sample, group, 0), p.length, p.values.token_size, p.value_width,
                      values.data() + group * value_words);
    }
  });
  const int64_t rows = p.tokens * (p.heads / p.groups), blocks = (rows + BLOCK_ROWS - 1) / BLOCK_ROWS;
  torch::stable::parallel_for(0, p.groups * blocks, 1, [&](int64_t begin, int64_t end) {
    QueryBlock<W, V> block(p);
    for (int64_t j = begin; j < end; ++j) {
      const int64_t group = j / blocks, first = from_both_ends(j % blocks, blocks) * BLOCK_ROWS;
      const Packed<W> packed{keys.data() + group * key_words, values.data() + group * value_words};
      block.run(packed, sample, group, first, std::min(BLOCK_ROWS, rows - first));
    }
  });
}

template <class W, class V>
void attend_all(const Tensor& queries, const Tensor& keys, const Tensor& vals, const std::optional<Tensor>& is_seen,
                float scale, Tensor& output) {
  const auto rows = [](const Tensor& t) { return Rows<const V>{values<V>(t), t.stride(0), t.stride(1), t.stride(2)}; };
  auto* to = static_cast<V*>(output.mutable_data_ptr());
  const int64_t samples = queries.size(0), heads = queries.size(1), tokens = queries.size(2);
  const int64_t value_width = vals.size(3), row = heads * value_width;
  const Prompt<V> prompt{rows(queries), rows(keys), rows(vals), {to, tokens * row, value_width, row},
                         values_or_none<bool>(is_seen), samples, heads, keys.size(1), tokens, keys.size(2),
                         queries.size(3), value_width, scale};
  for (int64_t sample = 0; sample < samples; ++sample) attend_sample<W, V>(prompt, sample);
}

// queries [samples, heads, tokens, width], keys [samples, groups, length, width] and values [.., value_width], rows
// contiguous: [samples, tokens, heads, value_width].
Tensor attend_prompt(const Tensor queries, const Tensor keys, const Tensor vals, const std::optional<Tensor> is_seen,
                     double scale) {
  Tensor output = torch::stable::new_empty(
      queries, {queries.size(0), queries.size(2), queries.size(1), vals.size(3)});
  if (queries.element_size() == sizeof(float))
    attend_all<FloatWords, float>(queries, keys, vals, is_seen, float(scale), output);
#if defined(__AVX512BF16__)
  else attend_all<PairWords, bfloat16>(queries, keys, vals, is_seen, float(scale), output);
#else
  else attend_all<FloatWords, bfloat16>(queries, keys, vals, is_seen, float(scale), output);
#endif
  return output;
}

}  // namespace
}  // namespace moevlm
