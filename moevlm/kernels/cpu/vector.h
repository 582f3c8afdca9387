// SwiGLU of a block of rows of one expert in vector registers: some tokens share each weight that is loaded.
#pragma once

#include <algorithm>

#include "groups.h"
#include "stream.h"
#include "swiglu.h"

namespace moevlm {

constexpr int64_t FEW_TOKENS = 4;  // they wait for memory, not for products: weights come in the order in which they lie
constexpr int64_t ROWS_AHEAD = 16;  // of gate and up, that stay in cache for all tokens; of down for few
constexpr int64_t CROWD = 32, CROWD_ROWS = 32;  // so many tokens leave the cache: more rows meet them each time
constexpr int64_t BEGUN_BYTES = 64 << 10;  // of down, fetched ahead; with all of it two streams slow each other down
constexpr int64_t PART_BYTES = 4096;  // of rows, taken at a time: as much of six tokens stays in a cache of 32 KB

// What one call computes with; `rows` rows of gate, up and down, `count` tokens.
template <class V>
struct Block {
  const V *gate, *up, *down;
  int64_t hidden_size, rows, count;
  const V* const* inputs;  // one row a token
  float* const* outputs;   // one row a token, added to
  const float* weights;    // one a token
};

struct Slice {
  int64_t begin, end;
};

// One token: gate, then up, each row by row, while the first of down is fetched.
template <class P>
void stream_up(const Block<typename P::Value>& b, float* gates, float* ups) {
  const int64_t down_bytes = std::min<int64_t>(b.rows * b.hidden_size * sizeof(typename P::Value), BEGUN_BYTES);
  const auto stream = [&](const typename P::Value* weight, float* sums, int64_t half) {
    const Next down = Next(b.down, down_bytes, 1).of(half, 2, b.rows / 4);
    row_by_row<P>(weight, b.inputs[0], b.hidden_size, b.rows, [=](int64_t row, float sum) { sums[row] = sum; }, down);
  };
  stream(b.gate, gates, 0);
  stream(b.up, ups, 1);
}

// One of several groups waits for products; with few accumulators a compiler does not hold weights by itself.
template <int M, int FETCHED>
constexpr bool HOLDS = M <= FEW_TOKENS && FETCHED != LINES;

// What is fetched meanwhile: two streams, each in the order in which it lies.
struct Ahead {
  const void *first, *second;
};

// acc[token][row] += inputs . rows over columns [from, to); returns what is to be fetched next.
template <class P, int M, int FETCHED>
Ahead dot_rows(const typename P::Value* const* inputs, const typename P::Value* const (&rows)[4], int64_t from,
               int64_t to, Floats (&acc)[M][4], Ahead ahead) {
  constexpr int64_t PAIR = 2 * P::STEP * sizeof(typename P::Value);  // bytes that a step takes of two rows
  for (int64_t k = from; k < to; k += P::STEP) {
    typename P::Operand w[4];
    for (int j = 0; j < 4; ++j) {
      w[j] = P::load(rows[j] + k);
      if (HOLDS<M, FETCHED>) hold(w[j]);
    }
    if (FETCHED) ahead.first = prefetch_all<PAIR>(ahead.first);
    if (FETCHED == LINES) ahead.second = prefetch_all<PAIR>(ahead.second);
    for (int m = 0; m < M; ++m) {
      typename P::Operand x = P::load(inputs[m] + k);
      hold(x);
      for (int j = 0; j < 4; ++j) acc[m][j] = P::dot(acc[m][j], x, w[j]);
    }
  }
  return ahead;
}

// Up to CROWD_ROWS rows of gate and up, two of each side by side; fetches those that follow.
template <class P, int M, int FETCHED>
void project_up(const Block<typename P::Value>& b, Slice rows, const Group& group, float* gates, float* ups) {
  const int64_t H = b.hidden_size, most = PART_BYTES / int64_t(sizeof(typename P::Value));
  const int64_t part = b.count > FEW_TOKENS ? std::min(H, most) : H;
  Ahead ahead{(group.fetched ? b.up : b.gate) + rows.end * H, b.up + rows.end * H};
  Floats kept[CROWD_ROWS / 2][M][4];  // between parts
  for (int64_t from = 0; from < H; from += part)
    for (int64_t n = rows.begin; n < rows.end; n += 2) {
      const typename P::Value* const four[4] = {b.gate + n * H, b.gate + (n + 1) * H, b.up + n * H, b.up + (n + 1) * H};
      auto& between = kept[(n - rows.begin) / 2];
      Floats acc[M][4];  // copied one by one: what std::copy_n points to stays in memory, a tenth slower
      for (int m = 0; m < M; ++m)
        for (int j = 0; j < 4; ++j) acc[m][j] = from ? between[m][j] : Floats{};
      ahead = dot_rows<P, M, FETCHED>(b.inputs + group.token, four, from, std::min(H, from + part), acc, ahead);
      if (from + part < H) {
        for (int m = 0; m < M; ++m)
          for (int j = 0; j < 4; ++j) between[m][j] = acc[m][j];
        continue;
      }
      for (int m = 0; m < M; ++m) {
        float sums[4];
        sum_lanes(acc[m], sums);
        const int64_t at = (group.token + m) * b.rows + n;
        gates[at] = sums[0], gates[at + 1] = sums[1], ups[at] = sums[2], ups[at + 1] = sums[3];
      }
    }
}

// Rows of down, 4 * LANES columns from `column`; fetches those that follow.
template <class P, int M, int FETCHED>
void project_down(const Block<typename P::Value>& b, Slice rows, const Group& group, int64_t column,
                  const typename P::Value* acts) {
  constexpr int GROUPS = 4 / P::ACCS, WIDTH = LANES * P::ACCS;
  const int64_t H = b.hidden_size, count = rows.end - rows.begin;
  // In the order in which they lie: of them as large a part as the columns are of a row.
  const void* ahead = b.down + rows.end * H + count * (column + LANES * group.fetched);
  if (M > FEW_TOKENS)  // groups of many tokens: the second cache does not hold all that is added to
    for (int m = 0; m < M; ++m) prefetch_to_add<4 * LANES>(b.outputs[group.token + m] + column);
  Floats acc[M][4] = {};
  for (int64_t i = rows.begin; i < rows.end; i += P::ROWS) {
    typename P::Columns c[GROUPS];
    for (int j = 0; j < GROUPS; ++j) {
      c[j] = P::columns(b.down + i * H + column + j * WIDTH, H);
      if (HOLDS<M, FETCHED>) hold(c[j].a[0]);
    }
    if (FETCHED) ahead = prefetch_all<P::ROWS * FETCHED * LANES * sizeof(typename P::Value)>(ahead);
    for (int m = 0; m < M; ++m) {
      const typename P::Factor f = P::factor(acts + (group.token + m) * b.rows + i);
      for (int j = 0; j < GROUPS; ++j) P::outer(acc[m] + j * P::ACCS, f, c[j]);
    }
  }
  for (int m = 0; m < M; ++m)
    for (int j = 0; j < GROUPS; ++j)
      P::add(b.outputs[group.token + m] + column + j * WIDTH, acc[m] + j * P::ACCS, b.weights[group.token + m]);
}

// Add the block's share of the expert's output. gates, ups and acts: scratch of count * rows values.
template <class P>
void vector_block(const Block<typename P::Value>& b, float* gates, float* ups, typename P::Value* acts) {
  const Groups groups(b.count);
  const auto up = [&](Slice rows) {
    groups.each([&](const Group& group) {
      with_constants(group, [&](auto m, auto fetched) { project_up<P, m, fetched>(b, rows, group, gates, ups); });
    });
  };
  const auto down = [&](Slice rows) {
    for (int64_t column = 0; column < b.hidden_size; column += 4 * LANES)
      groups.each([&](const Group& group) {
        with_constants(group, [&](auto m, auto fetched) { project_down<P, m, fetched>(b, rows, group, column, acts); });
      });
  };
  const int64_t shared = b.count < CROWD ? ROWS_AHEAD : CROWD_ROWS;
  if (b.count == 1) stream_up<P>(b, gates, ups);
  else for (int64_t row = 0; row < b.rows; row += shared) up({row, std::min(row + shared, b.rows)});
  for (int64_t j = 0; j < b.count * b.rows; ++j) narrow(swiglu(gates[j], ups[j]), acts + j);
  const int64_t at_once = b.count > FEW_TOKENS ? b.rows : ROWS_AHEAD;  // more: outputs are added to less often
  for (int64_t row = 0; row < b.rows; row += at_once) down({row, std::min(row + at_once, b.rows)});
}

}  // namespace moevlm
