// Attention of one new token over cached keys and values, which stay where they are.
#pragma once

#include <array>
#include <limits>

#include "next.h"
#include "step.h"

namespace moevlm {

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
        for (int m = 0; m < M; ++m) acc[m][j] = P::dot(acc[m][j], x[m], key);
      }
    }
    for (int m = 0; m < M; ++m) sum_lanes(acc[m], scores + m * padded + l);
  }
  for (int64_t l = 0; l < M * padded; l += LANES) narrow_lanes(scale * widen_lanes(scores + l), scores + l);
  if (!cached.is_seen) return;
  for (int m = 0; m < M; ++m)  // added, as SDPA does: NaN stays where nobody looks
    for (int64_t l = 0; l < cached.length; ++l)
      scores[m * padded + l] += cached.is_seen[l] ? 0.f : -std::numeric_limits<float>::infinity();
}

// Turn M rows of scores into shares of the values' type, each in its row's place or before it; returns what each row's
// sum of values is to be multiplied by.
template <class V, int M>
std::array<float, M> share(float* scores, int64_t length) {
  const int64_t padded = padded_length(length);
  std::array<float, M> factors;
  for (int m = 0; m < M; ++m) {
    float* row = scores + m * padded;
    factors[m] = 1.f / soften(row, length);
    V* shares = reinterpret_cast<V*>(scores) + m * padded;
    for (int64_t l = 0; l < padded; l += LANES) narrow_lanes(widen_lanes(row + l), shares + l);
  }
  return factors;
}

// acc[m] += shares[m] * values for P::ROWS tokens and 4 * LANES columns of rows of `width` values.
template <class P, int M>
void add_values(const typename P::Value* values, int64_t width, const typename P::Value* shares, int64_t padded,
                Floats (&acc)[M][4]) {
  constexpr int GROUPS = 4 / P::ACCS;
  typename P::Columns c[GROUPS];
  for (int j = 0; j < GROUPS; ++j) c[j] = P::columns(values + j * LANES * P::ACCS, width);
  for (int m = 0; m < M; ++m) {
    const typename P::Factor factor = P::factor(shares + m * padded);
    for (int j = 0; j < GROUPS; ++j) P::outer(acc[m] + j * P::ACCS, factor, c[j]);
  }
}

// outputs[m] = factors[m] * sum over l of shares[m][l] * value l, summed in float32.
template <class P, int M>
void gather(const Cached<typename P::Value>& cached, const typename P::Value* shares,
            const std::array<float, M>& factors, typename P::Value* outputs, Next& next) {
  constexpr int64_t COLUMNS = 4 * LANES;
  const int64_t width = cached.width, padded = padded_length(cached.length);
  const int64_t whole = cached.length / P::ROWS * P::ROWS;
  for (int64_t column = 0; column < width; column += COLUMNS) {
    const typename P::Value* values = cached.values + column;
    Floats acc[M][4] = {};
    for (int64_t l = 0; l < whole; l += P::ROWS) {
      if (l % 4 == 0) next.fetch();
      add_values<P, M>(values + l * width, width, shares + l, padded, acc);
    }
    if (whole < cached.length) {  // one token; nothing follows it
      typename P::Value rows[2 * COLUMNS] = {};
      std::copy_n(values + whole * width, COLUMNS, rows);
      add_values<P, M>(rows, COLUMNS, shares + whole, padded, acc);
    }
    for (int m = 0; m < M; ++m) {
      float sums[COLUMNS] = {};
      for (int j = 0; j < 4; j += P::ACCS) P::add(sums + j * LANES, acc[m] + j, factors[m]);
      for (int64_t j = 0; j < COLUMNS; ++j) narrow(sums[j], outputs + m * width + column + j);
    }
  }
}

// What M queries gather, put in their places; scratch of M padded lengths.
template <class P, int M>
void attend(const Cached<typename P::Value>& cached, typename P::Value* queries, float scale, float* scratch,
            Next& next) {
  using V = typename P::Value;
  score<P, M>(cached, queries, scale, scratch, next);
  const std::array<float, M> factors = share<V, M>(scratch, cached.length);
  gather<P, M>(cached, reinterpret_cast<V*>(scratch), factors, queries, next);
}

}  // namespace moevlm
