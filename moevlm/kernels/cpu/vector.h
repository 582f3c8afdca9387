// SwiGLU of a block of rows of one expert in vector registers: up to TOKENS tokens share each weight that is loaded.
#pragma once

#include <algorithm>

#include "stream.h"
#include "swiglu.h"

namespace moevlm {

constexpr int TOKENS = 6;  // x 4 accumulators: 24 of 32 registers
constexpr int64_t ROWS_AHEAD = 16;  // that are fetched before they are read, and of down taken at a time

// What one call computes with; `rows` rows of gate, up and down, `count` tokens.
template <class V>
struct Block {
  const V *gate, *up, *down;
  int64_t hidden_size, rows, count;
  const V* const* inputs;  // one row a token
  float* const* outputs;   // one row a token, added to
  const float* weights;    // one a token
};

// One token: gate, then up, each row by row.
template <class P>
void stream_up(const Block<typename P::Value>& b, float* gates, float* ups) {
  row_by_row<P>(b.gate, b.inputs[0], b.hidden_size, b.rows, [=](int64_t row, float sum) { gates[row] = sum; });
  row_by_row<P>(b.up, b.inputs[0], b.hidden_size, b.rows, [=](int64_t row, float sum) { ups[row] = sum; });
}

template <class P, int M, bool AHEAD>
void project_up(const Block<typename P::Value>& b, int64_t token, float* gates, float* ups) {
  const int64_t H = b.hidden_size;
  const auto* inputs = b.inputs + token;
  for (int64_t n = 0; n < b.rows; n += 2) {
    const typename P::Value* rows[4] = {b.gate + n * H, b.gate + (n + 1) * H, b.up + n * H, b.up + (n + 1) * H};
    Floats acc[M][4] = {};
    for (int64_t k = 0; k < H; k += P::STEP) {
      typename P::Operand w[4];
      for (int j = 0; j < 4; ++j) {
        w[j] = P::load(rows[j] + k);
        if (AHEAD) prefetch(rows[j] + k, ROWS_AHEAD * H * sizeof(typename P::Value));
      }
      for (int m = 0; m < M; ++m) {
        const typename P::Operand x = P::load(inputs[m] + k);
        for (int j = 0; j < 4; ++j) acc[m][j] = P::dot(acc[m][j], x, w[j]);
      }
    }
    for (int m = 0; m < M; ++m) {
      float sums[4];
      sum_lanes(acc[m], sums);
      const int64_t at = (token + m) * b.rows + n;
      gates[at] = sums[0], gates[at + 1] = sums[1], ups[at] = sums[2], ups[at + 1] = sums[3];
    }
  }
}

// Rows [begin, end) of down.
template <class P, int M, bool AHEAD>
void project_down(const Block<typename P::Value>& b, int64_t token, const typename P::Value* acts, int64_t begin,
                  int64_t end, int64_t column) {
  constexpr int GROUPS = 4 / P::ACCS, WIDTH = LANES * P::ACCS;
  const int64_t H = b.hidden_size;
  // The rows after these, in the order in which they lie: of them as large a part as the columns are of a row.
  const void* ahead = b.down + end * H + (end - begin) * column;
  Floats acc[M][4] = {};
  for (int64_t i = begin; i < end; i += P::ROWS) {
    typename P::Columns c[GROUPS];
    for (int j = 0; j < GROUPS; ++j) c[j] = P::columns(b.down + i * H + column + j * WIDTH, H);
    if (AHEAD) ahead = prefetch_all<P::ROWS * 4 * LANES * sizeof(typename P::Value)>(ahead);
    for (int m = 0; m < M; ++m) {
      const typename P::Factor f = P::factor(acts + (token + m) * b.rows + i);
      for (int j = 0; j < GROUPS; ++j) P::outer(acc[m] + j * P::ACCS, f, c[j]);
    }
  }
  for (int m = 0; m < M; ++m)
    for (int j = 0; j < GROUPS; ++j)
      P::add(b.outputs[token + m] + column + j * WIDTH, acc[m] + j * P::ACCS, b.weights[token + m]);
}

// The first tokens wait for memory, and fetch for all.
template <class P, int M>
void up_of(const Block<typename P::Value>& b, int64_t token, float* gates, float* ups) {
  if constexpr (M == 1)
    if (b.count == 1) return stream_up<P>(b, gates, ups);
  token ? project_up<P, M, false>(b, token, gates, ups) : project_up<P, M, true>(b, token, gates, ups);
}
template <class P, int M, class... Rest>
void down_of(const Block<typename P::Value>& b, int64_t token, Rest... rest) {
  token ? project_down<P, M, false>(b, token, rest...) : project_down<P, M, true>(b, token, rest...);
}

// Add the block's share of the expert's output. gates, ups and acts: scratch of count * rows values.
template <class P>
void vector_block(const Block<typename P::Value>& b, float* gates, float* ups, typename P::Value* acts) {
  using Up = void (*)(const Block<typename P::Value>&, int64_t, float*, float*);
  using Down = void (*)(const Block<typename P::Value>&, int64_t, const typename P::Value*, int64_t, int64_t, int64_t);
  static constexpr Up up[TOKENS] = {up_of<P, 1>, up_of<P, 2>, up_of<P, 3>, up_of<P, 4>, up_of<P, 5>, up_of<P, 6>};
  static constexpr Down down[TOKENS] = {down_of<P, 1>, down_of<P, 2>, down_of<P, 3>,
                                        down_of<P, 4>, down_of<P, 5>, down_of<P, 6>};
  const auto tokens_from = [&](int64_t token) { return b.count - token < TOKENS ? b.count - token : TOKENS; };
  for (int64_t token = 0; token < b.count; token += TOKENS) up[tokens_from(token) - 1](b, token, gates, ups);
  for (int64_t j = 0; j < b.count * b.rows; ++j) narrow(swiglu(gates[j], ups[j]), acts + j);
  for (int64_t row = 0; row < b.rows; row += ROWS_AHEAD)
    for (int64_t column = 0; column < b.hidden_size; column += 4 * LANES)
      for (int64_t token = 0; token < b.count; token += TOKENS)
        down[tokens_from(token) - 1](b, token, acts, row, std::min(row + ROWS_AHEAD, b.rows), column);
}

}  // namespace moevlm
