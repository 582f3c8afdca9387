// SwiGLU of a block of rows of one expert in AMX tiles (16 x 32 bfloat16), for experts that several tokens chose.
//
// Up: a tile of weights is 16 rows as they are stored, the other operand is 16 tokens packed once an expert, so that no
// weight is copied. Down: 16 tokens of activations times 32 rows of 16 columns, which the instruction wants as pairs of
// rows: a stripe of columns is interleaved in cache and used by all tokens.
#pragma once

#include "lanes.h"
#include "swiglu.h"
#include "vector.h"

namespace moevlm {
constexpr int64_t STRIPE = 256;  // columns of down that are interleaved at a time: 512 B of each row in turn
}

#if defined(__AMX_BF16__) && defined(__AVX512BF16__) && defined(__linux__)
#define MOEVLM_TILES
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>

namespace moevlm {

constexpr int SIDE = 16, DEPTH = 32;               // a tile: 16 rows of 32 bfloat16; a product: 16 x 16 floats
constexpr int TILE = SIDE * SIDE;                  // 32-bit words of a tile
constexpr int FETCH_ROWS = 16;                     // of down, ahead of the pair that is interleaved
constexpr int REQUEST_PERMISSION = 0x1023, TILE_DATA = 18;  // Linux's ARCH_REQ_XCOMP_PERM, XFEATURE_XTILEDATA

inline bool tiles_allowed() {
  static const bool allowed = syscall(SYS_arch_prctl, REQUEST_PERMISSION, TILE_DATA) == 0;
  return allowed;
}

struct UseTiles {  // configures this thread's eight tiles, and gives them back
  UseTiles() {
    struct alignas(64) { uint8_t palette, start, reserved[14]; uint16_t row_bytes[16]; uint8_t rows[16]; } config = {};
    config.palette = 1;
    for (int tile = 0; tile < 8; ++tile) config.row_bytes[tile] = 4 * SIDE, config.rows[tile] = SIDE;
    _tile_loadconfig(&config);
  }
  ~UseTiles() { _tile_release(); }
  UseTiles(const UseTiles&) = delete;
};

inline void transpose(__m512i (&r)[SIDE]) {  // 16 x 16 words
  __m512i t[SIDE];
  for (int i = 0; i < 16; i += 2) {
    t[i] = _mm512_unpacklo_epi32(r[i], r[i + 1]);
    t[i + 1] = _mm512_unpackhi_epi32(r[i], r[i + 1]);
  }
  for (int i = 0; i < 16; i += 4)
    for (int j = 0; j < 2; ++j) {
      r[i + 2 * j] = _mm512_unpacklo_epi64(t[i + j], t[i + j + 2]);
      r[i + 2 * j + 1] = _mm512_unpackhi_epi64(t[i + j], t[i + j + 2]);
    }
  for (int half = 0; half < 16; half += 8)
    for (int i = half; i < half + 4; ++i) {
      t[i] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0x88);
      t[i + 4] = _mm512_shuffle_i32x4(r[i], r[i + 4], 0xdd);
    }
  for (int i = 0; i < 8; ++i) {
    r[i] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0x88);
    r[i + 8] = _mm512_shuffle_i32x4(t[i], t[i + 8], 0xdd);
  }
}

// Pack tokens into tiles [count / 16][hidden_size / 32][16 pairs][16 tokens]; absent tokens are zero.
inline void pack_tokens(const bfloat16* const* inputs, int64_t count, int64_t hidden_size, uint32_t* packed) {
  for (int64_t token = 0; token < count; token += SIDE)
    for (int64_t k = 0; k < hidden_size; k += DEPTH, packed += TILE) {
      __m512i words[SIDE];
      for (int j = 0; j < SIDE; ++j)
        words[j] = token + j < count ? _mm512_loadu_si512(inputs[token + j] + k) : _mm512_setzero_si512();
      transpose(words);
      for (int j = 0; j < SIDE; ++j) _mm512_store_si512(packed + SIDE * j, words[j]);
    }
}

// gates and ups: products [16 rows][16 tokens]. acts: [16 tokens][stride].
inline void store_acts(const float* gates, const float* ups, bfloat16* acts, int64_t stride) {
  alignas(64) float products[TILE];
  for (int j = 0; j < TILE; ++j) products[j] = swiglu(gates[j], ups[j]);
  __m512i words[SIDE];
  for (int j = 0; j < SIDE; ++j) words[j] = _mm512_load_si512(products + SIDE * j);
  transpose(words);
  for (int j = 0; j < SIDE; ++j)
    _mm256_storeu_si256((__m256i*)(acts + j * stride), (__m256i)_mm512_cvtneps_pbh((__m512)words[j]));
}

inline void store_products(float (&products)[4][TILE]) {
  _tile_stored(0, products[0], 4 * SIDE);
  _tile_stored(1, products[1], 4 * SIDE);
  _tile_stored(2, products[2], 4 * SIDE);
  _tile_stored(3, products[3], 4 * SIDE);
}

inline void clear_products() {
  _tile_zero(0);
  _tile_zero(1);
  _tile_zero(2);
  _tile_zero(3);
}

// Fetch the 16 rows after these, along four streams of each matrix: the tiles' own 32 are more than prefetchers follow.
inline void fetch_next(const bfloat16* gate, const bfloat16* up, int64_t H, int64_t k) {
  for (int stream = 0; stream < 4; ++stream)
    for (int line = 0; line < 4; ++line) {
      const int64_t at = (SIDE + 4 * stream) * H + 4 * k + line * DEPTH;
      prefetch(gate + at, 0);
      prefetch(up + at, 0);
    }
}

// 16 rows of gate and up, 32 tokens from `token`
inline void up_two(const Block<bfloat16>& b, const uint32_t* packed, int64_t row, int64_t token, bfloat16* acts) {
  const int64_t H = b.hidden_size, next = H / DEPTH * TILE;
  const bfloat16 *gate = b.gate + row * H, *up = b.up + row * H;
  alignas(64) float products[4][TILE];
  clear_products();
  for (int64_t k = 0; k < H; k += DEPTH, packed += TILE) {
    if (token == 0) fetch_next(gate, up, H, k);
    _tile_loadd(4, gate + k, H * 2);
    _tile_loadd(6, packed, 4 * SIDE);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, packed + next, 4 * SIDE);
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, up + k, H * 2);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  store_products(products);
  store_acts(products[0], products[2], acts + row, b.rows);
  store_acts(products[1], products[3], acts + SIDE * b.rows + row, b.rows);
}

// 16 rows of gate, then of up, the last 16 tokens. One matrix at a time: memory is read along 16 rows, not along 32.
inline void up_one(const Block<bfloat16>& b, const uint32_t* packed, int64_t row, bfloat16* acts) {
  const int64_t H = b.hidden_size;
  alignas(64) float products[4][TILE];
  clear_products();
  for (int64_t k = 0; k < H; k += DEPTH) {
    _tile_loadd(4, b.gate + row * H + k, H * 2);
    _tile_loadd(6, packed + k / DEPTH * TILE, 4 * SIDE);
    _tile_dpbf16ps(0, 4, 6);
  }
  for (int64_t k = 0; k < H; k += DEPTH) {
    _tile_loadd(5, b.up + row * H + k, H * 2);
    _tile_loadd(7, packed + k / DEPTH * TILE, 4 * SIDE);
    _tile_dpbf16ps(1, 5, 7);
  }
  store_products(products);
  store_acts(products[0], products[1], acts + row, b.rows);
}

// A stripe of down as tiles [width / 32][rows / 32][2 halves][16 pairs][16 columns]
inline void interleave(const Block<bfloat16>& b, int64_t column, int64_t width, uint32_t* stripe) {
  for (int64_t i = 0; i < b.rows; i += 2) {
    const bfloat16* row = b.down + i * b.hidden_size + column;
    uint32_t* to = stripe + i / DEPTH * 2 * TILE + i % DEPTH / 2 * SIDE;
    for (int64_t h = 0; h < width; h += DEPTH, to += b.rows * SIDE) {
      prefetch(row + h + FETCH_ROWS * b.hidden_size, 0);
      prefetch(row + h + (FETCH_ROWS + 1) * b.hidden_size, 0);
      const DotBfloat16::Columns pairs = DotBfloat16::columns(row + h, b.hidden_size);
      _mm512_store_si512(to, (__m512i)pairs.a[0]);
      _mm512_store_si512(to + TILE, (__m512i)pairs.a[1]);
    }
  }
}

// 32 tokens (or 16, where no more are left), 32 columns, from interleaved tiles
inline void down_tiles(
    const Block<bfloat16>& b, const bfloat16* acts, int64_t token, int64_t column, const uint32_t* tiles) {
  const bool two = token + SIDE < b.count;
  alignas(64) float products[4][TILE];
  clear_products();
  for (int64_t k = 0; k < b.rows; k += DEPTH, tiles += 2 * TILE) {
    _tile_loadd(4, acts + token * b.rows + k, b.rows * 2);
    _tile_loadd(6, tiles, 4 * SIDE);
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, tiles + TILE, 4 * SIDE);
    _tile_dpbf16ps(1, 4, 7);
    if (!two) continue;
    _tile_loadd(5, acts + (token + SIDE) * b.rows + k, b.rows * 2);
    _tile_dpbf16ps(2, 5, 6);
    _tile_dpbf16ps(3, 5, 7);
  }
  store_products(products);
  for (int64_t j = 0; j < 2 * SIDE && token + j < b.count; ++j) {
    const float* low = products[j / SIDE * 2] + j % SIDE * SIDE;
    const Floats halves[2] = {*(const Floats*)low, *(const Floats*)(low + TILE)};
    DotBfloat16::add(b.outputs[token + j] + column, halves, b.weights[token + j]);
  }
}

// Add the block's share of the expert's output. packed: the tokens. acts: scratch of (count up to 16s) * rows values.
// stripe: scratch of rows * STRIPE / 2 words.
inline void tile_block(const Block<bfloat16>& b, const uint32_t* packed, bfloat16* acts, uint32_t* stripe) {
  const int64_t words = b.hidden_size / DEPTH * TILE;  // of 16 packed tokens
  for (int64_t row = 0; row < b.rows; row += SIDE) {
    int64_t token = 0;
    for (; token + SIDE < b.count; token += 2 * SIDE)
      up_two(b, packed + token / SIDE * words, row, token, acts + token * b.rows);
    if (token < b.count) up_one(b, packed + token / SIDE * words, row, acts + token * b.rows);
  }
  for (int64_t from = 0; from < b.hidden_size; from += STRIPE) {
    const int64_t width = std::min(STRIPE, b.hidden_size - from);
    interleave(b, from, width, stripe);
    for (int64_t token = 0; token < b.count; token += 2 * SIDE)
      for (int64_t h = 0; h < width; h += DEPTH)
        down_tiles(b, acts, token, from + h, stripe + h / DEPTH * b.rows * SIDE);
  }
}

}  // namespace moevlm
#endif
