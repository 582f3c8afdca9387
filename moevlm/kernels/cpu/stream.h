// Products of one row of inputs with weight rows in the order in which they lie in memory.
//
// One stream is what a processor fetches ahead of a program fastest: from huge pages a Zen 4 reads 33 GB/s, four rows
// side by side, which several inputs need lest each weight cost a load an input, 15 to 21 without a fetch of its own.
#pragma once

#include "next.h"

namespace moevlm {

// Call take(row, input . weight[row]) for each row in turn, a multiple of 4; widths are multiples of P::STEP.
// Sums are in the order of rows side by side, to the bit; a processor looks ahead to the next row's meanwhile, and a
// part of what is `next` is fetched every four.
template <class P, class Take>
void row_by_row(const typename P::Value* weight, const typename P::Value* input, int64_t width, int64_t rows,
                const Take& take, Next next = {}) {
  for (int64_t row = 0; row < rows; row += 4) {
    Floats acc[4] = {};
    next.fetch();
    for (int j = 0; j < 4; ++j, weight += width)
      for (int64_t k = 0; k < width; k += P::STEP) acc[j] = P::dot(acc[j], P::load(input + k), P::load(weight + k));
    float sums[4];
    sum_lanes(acc, sums);
    for (int j = 0; j < 4; ++j) take(row + j, sums[j]);
  }
}

}  // namespace moevlm
