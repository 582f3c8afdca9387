// Attention of many new tokens: blocks of query rows over blocks of packed keys and values, softmax as it goes.
//
// Scores of a block never leave the cache. Milakov and Gimelshein 2018, arXiv:1805.02867 (the running maximum); Dao et
// al. 2022, arXiv:2205.14135 (blocks).
#pragma once

#include <limits>
#include <vector>

#include "panel.h"
#include "swiglu.h"

namespace moevlm {

constexpr int64_t BLOCK_ROWS = 4 * MOST_PANEL_ROWS;  // of queries
constexpr int64_t BLOCK_KEYS = 256;                  // a multiple of COLUMNS
constexpr float NOTHING = -std::numeric_limits<float>::infinity();

// Where a tensor's rows lie, in values; each row is contiguous.
template <class V>
struct Rows {
  V* first;
  int64_t sample_size, head_size, token_size;
  V* at(int64_t sample, int64_t head, int64_t token) const {
    return first + sample * sample_size + head * head_size + token * token_size;
  }
};

template <class V>
struct Prompt {
  Rows<const V> queries, keys, values;
  Rows<V> outputs;
  const bool* is_seen;  // [samples, tokens, length]; none: each token sees those up to itself
  int64_t samples, heads, groups, tokens, length, width, value_width;
  float scale;
};

// Tokens of the cache that a range of a sample's new tokens sees: from the first that any sees to the last.
struct Range {
  int64_t begin, end;
};

// Whether any of eight bytes is set.
inline bool any_of_eight(const bool* bytes) {
  uint64_t word;
  std::memcpy(&word, bytes, 8);
  return word != 0;
}

inline Range seen_of(const bool* row, int64_t length) {
  int64_t begin = 0, end = length;
  while (begin + 8 <= end && !any_of_eight(row + begin)) begin += 8;
  while (begin < end && !row[begin]) ++begin;
  while (end - 8 >= begin && !any_of_eight(row + end - 8)) end -= 8;
  while (end > begin && !row[end - 1]) --end;
  return {begin, end};
}

template <class V>
Range seen_by(const Prompt<V>& p, int64_t sample, int64_t first, int64_t last) {
  if (!p.is_seen) return {0, p.length - p.tokens + last};
  Range seen{p.length, 0};
  for (int64_t token = first; token < last; ++token) {
    const Range own = seen_of(p.is_seen + (sample * p.tokens + token) * p.length, p.length);
    if (own.begin < own.end) seen = {std::min(seen.begin, own.begin), std::max(seen.end, own.end)};
  }
  return seen;
}

// exp(scale * x - most) of a row of whole lanes as words, 0 of what is not seen; returns the sum. NaN stays NaN.
template <class W>
float shares_of(const float* row, int64_t count, float scale, float most, typename W::Word* words) {
  Floats sums = {};
  for (int64_t j = 0; j < count; j += LANES) {
    const Floats share = exponential_or_0(scale * *(const Floats*)(row + j) - most);
    sums += share;
    W::put(share, words, j);
  }
  return sum_of(sums);
}

// The largest of a row of whole lanes and `most`; NaN is passed over.
inline float largest_of(const float* row, int64_t count, float most) {
  Floats largest = Floats{} + most;
  for (int64_t j = 0; j < count; j += LANES) {
    const Floats values = *(const Floats*)(row + j);
    largest = values > largest ? values : largest;
  }
  return largest_of(largest);
}

// Keys and values of a group, packed: keys as columns, values as they lie.
template <class W>
struct Packed {
  const typename W::Word *keys, *values;
};

// One thread's scratch for a block of query rows; W: words of the packed keys and values.
template <class W, class V>
class QueryBlock {
  using Word = typename W::Word;

 public:
  explicit QueryBlock(const Prompt<V>& prompt)
      : p(prompt), shared(p.heads / p.groups), depth(p.width / W::DEPTH), value_depth(words_of<W>(p.length)),
        columns(whole_panels(p.value_width)), queries(BLOCK_ROWS * depth), scores(BLOCK_ROWS * BLOCK_KEYS),
        shares(BLOCK_ROWS * SHARE_WORDS), sums(BLOCK_ROWS), most(BLOCK_ROWS), gathered(BLOCK_ROWS * columns) {}

  // Attend from some query rows of a group, the heads of a token beside each other, from row `first` on.
  void run(const Packed<W>& by, int64_t sample, int64_t group, int64_t first, int64_t num_rows) {
    const int64_t first_token = first / shared;
    packed = by, rows = num_rows;
    for (int64_t row = 0; row < rows; ++row) take(query(sample, group, first + row), row);
    std::fill(sums.begin(), sums.end(), 0.f);
    std::fill(most.begin(), most.end(), NOTHING);
    std::fill(gathered.begin(), gathered.end(), 0.f);
    const Range seen = seen_by(p, sample, first_token, (first + rows - 1) / shared + 1);
    for (int64_t key = seen.begin / COLUMNS * COLUMNS; key < seen.end; key += BLOCK_KEYS)
      add(sample, first, key, std::min(seen.end, key + BLOCK_KEYS));
    for (int64_t row = 0; row < rows; ++row) give(sample, group, first + row, row);
  }

 private:
  const V* query(int64_t sample, int64_t group, int64_t row) const {
    return p.queries.at(sample, group * shared + row % shared, row / shared);
  }

  void take(const V* query, int64_t row) {
    for (int64_t k = 0; k < depth; ++k)
      queries[row * depth + k] = W::word(query + k * W::DEPTH, query + k * W::DEPTH + 1);
  }

  // Add the keys [begin, end): scores, their shares under the largest so far, and what these gather.
  void add(int64_t sample, int64_t first, int64_t begin, int64_t end) {
    const int64_t padded = whole_panels(end - begin), first_word = begin / W::DEPTH;
    for (int64_t key = 0; key < padded; key += COLUMNS)
      multiply_rows_by<W, false>(queries.data(), rows, depth, packed.keys + (begin + key) * depth, depth,
                                 scores.data() + key, BLOCK_KEYS);
    for (int64_t row = 0; row < rows; ++row) soften(sample, first + row, row, begin, end, padded);
    const int64_t num_words = std::min(padded / W::DEPTH, value_depth - first_word);
    for (int64_t column = 0; column < columns; column += COLUMNS)
      multiply_rows_by<W, true>(shares.data(), rows, SHARE_WORDS,
                                packed.values + column * value_depth + first_word * COLUMNS, num_words,
                                gathered.data() + column, columns);
  }

  void soften(int64_t sample, int64_t number, int64_t row, int64_t begin, int64_t end, int64_t padded) {
    float* of = scores.data() + row * BLOCK_KEYS;
    hide(sample, number / shared, of, begin, end, padded);
    const float largest = largest_of(of, padded, most[row]), finite = largest == NOTHING ? 0.f : p.scale * largest;
    if (largest > most[row]) fade(row, most[row] == NOTHING ? 0.f : exponential(p.scale * most[row] - finite));
    most[row] = largest;
    sums[row] += shares_of<W>(of, padded, p.scale, finite, shares.data() + row * SHARE_WORDS);
  }

  // What was gathered under a smaller largest score weighs less.
  void fade(int64_t row, float by) {
    sums[row] *= by;
    for (int64_t j = 0; j < columns; ++j) gathered[row * columns + j] *= by;
  }

  // Hide the keys that a token does not see.
  void hide(int64_t sample, int64_t token, float* of, int64_t begin, int64_t end, int64_t padded) const {
    const int64_t last = p.is_seen ? end : std::min(end, p.length - p.tokens + token + 1);
    for (int64_t j = std::max<int64_t>(0, last - begin); j < padded; ++j) of[j] = NOTHING;
    if (!p.is_seen) return;
    const bool* row = p.is_seen + (sample * p.tokens + token) * p.length + begin;
    int64_t j = 0;
    for (; j + LANES <= end - begin; j += LANES) {
      Floats& values = *(Floats*)(of + j);
      values = __builtin_convertvector(*(const Bytes*)(row + j), Ints) != 0 ? values : Floats{} + NOTHING;
    }
    for (; j < end - begin; ++j) of[j] = row[j] ? of[j] : NOTHING;
  }

  void give(int64_t sample, int64_t group, int64_t number, int64_t row) {
    V* to = p.outputs.at(sample, group * shared + number % shared, number / shared);
    const float by = sums[row] == 0.f ? 0.f : 1.f / sums[row];  // what sees nothing gathers nothing
    for (int64_t j = 0; j < p.value_width; ++j) narrow(gathered[row * columns + j] * by, to + j);
  }

  static constexpr int64_t SHARE_WORDS = BLOCK_KEYS / W::DEPTH;
  const Prompt<V>& p;
  const int64_t shared, depth, value_depth, columns;
  Packed<W> packed{};
  int64_t rows = 0;
  std::vector<Word> queries;
  std::vector<float> scores;
  std::vector<Word> shares;
  std::vector<float> sums, most, gathered;
};

}  // namespace moevlm
