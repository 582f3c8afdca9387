// What surrounds attention and experts in a decode step: products of few rows, norms, rotation of heads, softmax.
//
// At one to a few tokens each of these is bound by reading its weights or, in torch, by the calls that make it up.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "stream.h"
#include "swiglu.h"

namespace moevlm {

constexpr int64_t WEIGHT_ROWS = 4;  // side by side
constexpr int64_t CACHED_ROWS = 16;  // that stay in cache for all tokens, and are fetched before they are read

// output[m, o] = hidden[m] . weight[o] for M rows of hidden and the weight rows [begin, end), multiples of WEIGHT_ROWS.
template <class P, int M>
void multiply_rows(const typename P::Value* weight, const typename P::Value* hidden, int64_t width, int64_t begin,
                   int64_t end, typename P::Value* output, int64_t outputs) {
  for (int64_t o = begin; o < end; o += WEIGHT_ROWS) {
    const typename P::Value* rows = weight + o * width;
    Floats acc[M][4] = {};
    for (int64_t k = 0; k < width; k += P::STEP) {
      typename P::Operand w[4];
      for (int j = 0; j < 4; ++j) {
        w[j] = P::load(rows + j * width + k);
        prefetch(rows + j * width + k, CACHED_ROWS * width * sizeof(typename P::Value));
      }
      for (int m = 0; m < M; ++m) {
        typename P::Operand x = P::load(hidden + m * width + k);
        hold(x);
        for (int j = 0; j < 4; ++j) acc[m][j] = P::dot(acc[m][j], x, w[j]);
      }
    }
    for (int m = 0; m < M; ++m) {
      float sums[4];
      sum_lanes(acc[m], sums);
      for (int j = 0; j < 4; ++j) narrow(sums[j], output + m * outputs + o + j);
    }
  }
}

// The same for any number of rows of hidden: one by one stream, others four at a time.
template <class P>
void multiply(const typename P::Value* weight, const typename P::Value* hidden, int64_t tokens, int64_t width,
              int64_t begin, int64_t end, typename P::Value* output, int64_t outputs) {
  if (tokens == 1)
    return row_by_row<P>(weight + begin * width, hidden, width, end - begin,
                         [=](int64_t row, float sum) { narrow(sum, output + begin + row); });
  using Multiply = decltype(&multiply_rows<P, 1>);
  static constexpr Multiply of[4] = {multiply_rows<P, 1>, multiply_rows<P, 2>, multiply_rows<P, 3>, multiply_rows<P, 4>};
  for (int64_t o = begin; o < end; o += CACHED_ROWS)
    for (int64_t t = 0; t < tokens; t += 4)
      of[std::min<int64_t>(tokens - t, 4) - 1](weight, hidden + t * width, width, o, std::min(o + CACHED_ROWS, end),
                                               output + t * outputs, outputs);
}

// 1 / root mean square of a row.
template <class V>
float inverse_rms(const V* row, int64_t width, float epsilon) {
  Floats squares = {};
  int64_t k = 0;
  for (; k + LANES <= width; k += LANES) squares += widen_lanes(row + k) * widen_lanes(row + k);
  float sum = sum_of(squares);
  for (; k < width; ++k) sum += widen(row[k]) * widen(row[k]);
  return 1.f / std::sqrt(sum / float(width) + epsilon);
}

template <class V>
void normalise(const V* row, const V* scale, int64_t width, float epsilon, V* output) {
  const float inverse = inverse_rms(row, width, epsilon);
  int64_t k = 0;
  for (; k + LANES <= width; k += LANES)
    narrow_lanes(widen_lanes(row + k) * inverse * widen_lanes(scale + k), output + k);
  for (; k < width; ++k) narrow(widen(row[k]) * inverse * widen(scale[k]), output + k);
}

// Normalise a head, then turn each pair (k, k + width / 2) by its angle; `signed_sin` has rotate_half's signs.
// The output may be the row itself.
template <class V>
void normalise_and_rotate(const V* row, const V* scale, const V* cos, const V* signed_sin, int64_t width, float epsilon,
                          V* output) {
  const float inverse = inverse_rms(row, width, epsilon);
  const int64_t half = width / 2;
  const auto turn = [=](int64_t k, auto take, auto put) {
    const int64_t l = k + half;
    const auto x = take(row + k) * inverse * take(scale + k), y = take(row + l) * inverse * take(scale + l);
    put(x * take(cos + k) + y * take(signed_sin + k), output + k);
    put(y * take(cos + l) + x * take(signed_sin + l), output + l);
  };
  int64_t k = 0;
  for (; k + LANES <= half; k += LANES)
    turn(k, [](const V* p) { return widen_lanes(p); }, [](Floats x, V* to) { narrow_lanes(x, to); });
  for (; k < half; ++k) turn(k, [](const V* p) { return widen(*p); }, [](float x, V* to) { narrow(x, to); });
}

inline int64_t padded_length(int64_t length) { return (length + LANES - 1) / LANES * LANES; }

// Turn scores into shares but for their sum, which is returned; room for the padded length. NaN reaches the sum.
inline float soften(float* scores, int64_t length) {
  const int64_t padded = padded_length(length);
  std::fill(scores + length, scores + padded, -std::numeric_limits<float>::infinity());
  Floats most = widen_lanes(scores), sums = {};
  for (int64_t l = LANES; l < padded; l += LANES) {
    const Floats x = widen_lanes(scores + l);
    most = x > most ? x : most;
  }
  const float largest = largest_of(most);
  for (int64_t l = 0; l < padded; ++l) scores[l] = exponential(scores[l] - largest);
  for (int64_t l = 0; l < padded; l += LANES) sums += widen_lanes(scores + l);
  return sum_of(sums);
}

}  // namespace moevlm
