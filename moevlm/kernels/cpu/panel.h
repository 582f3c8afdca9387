// Products of a few rows with a packed matrix, columns in registers: what many tokens' attention is made of.
//
// A panel holds COLUMNS columns of a matrix, word by word of its depth: a word is a float, or two bfloat16 that are
// multiplied and added at once. Rows come as words too, and each word of a row meets all columns.
#pragma once

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "lanes.h"

namespace moevlm {

constexpr int64_t COLUMNS = 4 * LANES;
constexpr int MOST_PANEL_ROWS = LANES == 16 ? 6 : 2;  // x 4 accumulators: they fit 32 or 16 registers

struct FloatWords {  // of any dtype: bfloat16 becomes float
  using Word = float;
  static constexpr int64_t DEPTH = 1;  // values of a word

  static Floats add_product(Floats acc, Word by, const Word* columns) { return acc + by * *(const Floats*)columns; }
  template <class V>
  static Word word(const V* first, const V*) { return widen(*first); }
  static void put(Floats values, float* words, int64_t at) { *(Floats*)(words + at) = values; }
};

#if defined(__AVX512BF16__)
struct PairWords {
  using Word = uint32_t;
  static constexpr int64_t DEPTH = 2;

  static Floats add_product(Floats acc, Word by, const Word* columns) {
    const __m512bh pairs = (__m512bh)_mm512_loadu_si512(columns);
    return (Floats)_mm512_dpbf16_ps((__m512)acc, (__m512bh)_mm512_set1_epi32(int32_t(by)), pairs);
  }
  static Word word(const bfloat16* first, const bfloat16* second) { return *first | uint32_t(*second) << 16; }
  static void put(Floats values, Word* words, int64_t at) {
    _mm256_storeu_si256((__m256i*)(words + at / DEPTH), (__m256i)_mm512_cvtneps_pbh((__m512)values));
  }
};
#endif

inline int64_t whole_panels(int64_t columns) { return (columns + COLUMNS - 1) / COLUMNS * COLUMNS; }

template <class W>
int64_t words_of(int64_t values) { return (values + W::DEPTH - 1) / W::DEPTH; }

// products[m][column] = or += row m . the panel's columns. rows: `depth` words each, `row_size` words apart.
template <class W, int M, bool ADDS>
void multiply_panel(const typename W::Word* rows, int64_t row_size, const typename W::Word* panel, int64_t depth,
               float* products, int64_t product_size) {
  Floats acc[M][4];
  for (int m = 0; m < M; ++m)
    for (int j = 0; j < 4; ++j) acc[m][j] = ADDS ? *(const Floats*)(products + m * product_size + j * LANES) : Floats{};
  for (int64_t k = 0; k < depth; ++k, panel += COLUMNS)
    for (int m = 0; m < M; ++m)
      for (int j = 0; j < 4; ++j) acc[m][j] = W::add_product(acc[m][j], rows[m * row_size + k], panel + j * LANES);
  for (int m = 0; m < M; ++m)
    for (int j = 0; j < 4; ++j) *(Floats*)(products + m * product_size + j * LANES) = acc[m][j];
}

// The same for any number of rows.
template <class W, bool ADDS>
void multiply_rows_by(const typename W::Word* rows, int64_t num_rows, int64_t row_size, const typename W::Word* panel,
                  int64_t depth, float* products, int64_t product_size) {
  constexpr int M = MOST_PANEL_ROWS;
  int64_t row = 0;
  for (; row + M <= num_rows; row += M)
    multiply_panel<W, M, ADDS>(rows + row * row_size, row_size, panel, depth, products + row * product_size, product_size);
  for (; row < num_rows; ++row)
    multiply_panel<W, 1, ADDS>(rows + row * row_size, row_size, panel, depth, products + row * product_size, product_size);
}

// Pack rows of a matrix as columns: column c is row c, COLUMNS to a panel, zeros after the last. `width` values a row.
template <class W, class V>
void pack_rows(const V* matrix, int64_t rows, int64_t row_size, int64_t width, typename W::Word* panels) {
  const int64_t depth = width / W::DEPTH;
  for (int64_t first = 0; first < rows; first += COLUMNS, panels += depth * COLUMNS) {
    const int64_t columns = std::min(COLUMNS, rows - first);
    if (columns < COLUMNS) std::fill_n(panels, depth * COLUMNS, typename W::Word(0));
    for (int64_t k = 0; k < depth; ++k)
      for (int64_t c = 0; c < columns; ++c) {
        const V* at = matrix + (first + c) * row_size + k * W::DEPTH;
        panels[k * COLUMNS + c] = W::word(at, at + 1);
      }
  }
}

// Pack a matrix of `rows` rows as it lies: its columns are the panels', its rows their depth; zeros beyond either end.
template <class W, class V>
void pack_columns(const V* matrix, int64_t rows, int64_t row_size, int64_t width, typename W::Word* panels) {
  const int64_t depth = words_of<W>(rows);
  for (int64_t first = 0; first < width; first += COLUMNS, panels += depth * COLUMNS) {
    const int64_t columns = std::min(COLUMNS, width - first);
    if (columns < COLUMNS) std::fill_n(panels, depth * COLUMNS, typename W::Word(0));
    for (int64_t k = 0; k < depth; ++k) {
      const V* at = matrix + k * W::DEPTH * row_size + first;
      const V* next = k * W::DEPTH + 1 < rows ? at + row_size : nullptr;
      const V none = 0;
      for (int64_t c = 0; c < columns; ++c) panels[k * COLUMNS + c] = W::word(at + c, next ? next + c : &none);
    }
  }
}

}  // namespace moevlm
