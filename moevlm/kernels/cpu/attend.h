// Attention of one new token over cached keys and values, which stay where they are.
#pragma once

#include <cmath>
#include <limits>

#include "next.h"
#include "step.h"

namespace moevlm {

constexpr int64_t TOKENS_AHEAD = 16;  // whose keys and values are fetched: 10 to 20 % faster in bfloat16

// What the query heads of a group read: `length` rows of `width` values, and which of them are seen (none: all).
template <class V>
struct Cached {
  const V *keys, *values;
  const bool* is_seen;
  int64_t length, width;
};

// How often attention over so many tokens fetches a part of what is next.
inline int64_t turns_of(int64_t length, int64_t width) { return (length + 3) / 4 * (1 + width / (4 * LANES)); }

// scores[m][l] = scale * query m . key l, minus infinity where it is not seen, for M queries beside each other.
// Four keys at a time, the last one again where there are fewer; each time a part of what is next is fetched.
template <class P, int M>
void score(const Cached<typename P::Value>& cached, const typename P::Value* queries, float scale, float* scores,
           Next& next) {
  const int64_t padded = padded_length(cached.length);
  for (int64_t l = 0; l < cached.length; l += 4) {
    next.fetch();
    const typename P::Value* rows[4];
    for (int j = 0; j < 4; ++j) rows[j] = cached.keys + std::min(l + j, cached.length - 1) * cached.width;
    Floats acc[M][4] = {};
    for (int64_t k = 0; k < cached.width; k += P::STEP) {
      typename P::Operand x[M];
      for (int m = 0; m < M; ++m) x[m] = P::load(queries + m * cached.width + k);
      for (int j = 0; j < 4; ++j) {
        const typename P::Operand key = P::load(rows[j] + k);
        prefetch(rows[j] + k, TOKENS_AHEAD * cached.width * sizeof(typename P::Value));
        for (int m = 0; m < M; ++m) acc[m][j] = P::dot(acc[m][j], x[m], key);
      }
    }
    for (int m = 0; m < M; ++m) {
      float sums[4];
      sum_lanes(acc[m], sums);
      for (int64_t j = l; j < std::min(l + 4, cached.length); ++j) {
        const float bias = !cached.is_seen || cached.is_seen[j] ? 0.f : -std::numeric_limits<float>::infinity();
        scores[m * padded + j] = scale * sums[j - l] + bias;  // added, as SDPA does: NaN stays where nobody looks
      }
    }
  }
}

// outputs[m] = sum over l of shares[m][l] / sums[m] * value l, in float32 up to the end.
template <class V, int M>
void gather(const Cached<V>& cached, const float* shares, const float* sums, V* outputs, Next& next) {
  const int64_t padded = padded_length(cached.length);
  for (int64_t column = 0; column < cached.width; column += 4 * LANES) {
    Floats acc[M][4] = {};
    for (int64_t l = 0; l < cached.length; ++l) {
      if (l % 4 == 0) next.fetch();
      for (int j = 0; j < 4; ++j) {
        const V* from = cached.values + l * cached.width + column + j * LANES;
        const Floats value = widen_lanes(from);
        prefetch(from, TOKENS_AHEAD * cached.width * sizeof(V));
        for (int m = 0; m < M; ++m) acc[m][j] += shares[m * padded + l] * value;
      }
    }
    for (int m = 0; m < M; ++m)
      for (int j = 0; j < 4; ++j)
        narrow_lanes(acc[m][j] / sums[m], outputs + m * cached.width + column + j * LANES);
  }
}

// What M queries gather, put in their places; scratch of M padded lengths.
template <class P, int M>
void attend(const Cached<typename P::Value>& cached, typename P::Value* queries, float scale, float* scratch,
            Next& next) {
  float sums[M];
  score<P, M>(cached, queries, scale, scratch, next);
  for (int m = 0; m < M; ++m) sums[m] = soften(scratch + m * padded_length(cached.length), cached.length);
  gather<typename P::Value, M>(cached, scratch, sums, queries, next);
}

}  // namespace moevlm
