// Vector registers of the machine that compiles: how each dtype is loaded, multiplied and put back in column order.
//
// A kernel is written once over a policy: Float32 and Bfloat16 run on any processor (GCC's vector types), DotBfloat16
// on those that multiply pairs of bfloat16 (AVX512-BF16). All accumulate in float32.
#pragma once

#include <cstdint>
#include <cstring>
#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace moevlm {

#if defined(__AVX512F__)
constexpr int LANES = 16;  // floats of a register
#elif defined(__AVX__)
constexpr int LANES = 8;
#else
constexpr int LANES = 4;
#endif
typedef float Floats __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef int32_t Ints __attribute__((vector_size(LANES * 4), aligned(4), may_alias));
typedef uint16_t Halves __attribute__((vector_size(LANES * 2), aligned(2), may_alias));
typedef uint8_t Bytes __attribute__((vector_size(LANES), aligned(1), may_alias));
typedef uint16_t bfloat16;  // its bits

inline float widen(float x) { return x; }
inline float widen(bfloat16 x) {
  const uint32_t bits = uint32_t(x) << 16;
  float value;
  std::memcpy(&value, &bits, 4);
  return value;
}

inline void narrow(float x, float* to) { *to = x; }
inline void narrow(float x, bfloat16* to) {  // to nearest, ties to even; NaN stays NaN
  uint32_t bits;
  std::memcpy(&bits, &x, 4);
  const bool is_nan = (bits & 0x7fffffff) > 0x7f800000;
  *to = is_nan ? 0x7fc0 : bfloat16((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

// LANES values in their order.
inline Floats widen_lanes(const float* p) { return *(const Floats*)p; }
inline Floats widen_lanes(const bfloat16* p) {
  return (Floats)(__builtin_convertvector(*(const Halves*)p, Ints) << 16);
}
inline void narrow_lanes(Floats x, float* to) { *(Floats*)to = x; }
inline void narrow_lanes(Floats x, bfloat16* to) {  // as `narrow`
  const Ints bits = (Ints)x, is_nan = (bits & 0x7fffffff) > 0x7f800000;
  const Ints rounded = (bits + 0x7fff + ((bits >> 16) & 1)) >> 16;
  *(Halves*)to = __builtin_convertvector((is_nan & 0x7fc0) | (~is_nan & rounded), Halves);
}

// Keep an operand in a register: a compiler may load it anew for each product, and loads then take longer than products.
template <class Operand>
inline void hold(Operand&) {}
#if defined(__AVX512F__)
inline void hold(Floats& x) { asm("" : "+v"(x)); }
#endif

template <class P>
inline void prefetch(const P* p, int64_t ahead_bytes) {
  __builtin_prefetch(reinterpret_cast<const char*>(p) + ahead_bytes, 0, 2);
}

// Fetch BYTES in the order in which they lie; returns what follows them. An address that is none does no harm.
template <int64_t BYTES>
inline const void* prefetch_all(const void* from) {
  const char* at = static_cast<const char*>(from);
  for (int64_t j = 0; j < BYTES; j += 64) prefetch(at, j);
  return at + BYTES;
}

// Fetch so many floats that are soon added to.
template <int64_t COUNT>
inline void prefetch_to_add(float* sums) {
  for (int64_t j = 0; j < COUNT; j += 64 / int64_t(sizeof(float))) __builtin_prefetch(sums + j, 1, 3);
}

// A policy gives two products. Dot: acc += x * w over STEP values of a row, to be summed over lanes at the end.
// Outer: acc[ACCS] += f * c, where c holds LANES * ACCS columns of ROWS rows and f those rows' factors.

struct Float32 {
  using Value = float;
  static constexpr int STEP = LANES, ROWS = 1, ACCS = 1;
  using Operand = Floats;
  struct Columns { Floats a[1]; };
  using Factor = Floats;

  static Operand load(const float* p) { return *(const Floats*)p; }
  static Floats dot(Floats acc, Operand x, Operand w) { return acc + x * w; }
  static Columns columns(const float* p, int64_t) { return {{load(p)}}; }
  static Factor factor(const float* p) { return Floats{} + *p; }
  static void outer(Floats* acc, Factor f, const Columns& c) { acc[0] += f * c.a[0]; }
  static void add(float* out, const Floats* acc, float weight) { *(Floats*)out += weight * acc[0]; }
};

struct Bfloat16 {
  using Value = bfloat16;
  static constexpr int STEP = 2 * LANES, ROWS = 1, ACCS = 2;
  struct Operand { Floats even, odd; };
  struct Columns { Floats a[2]; };
  using Factor = Floats;

  static Operand load(const bfloat16* p) {
    const Ints pairs = *(const Ints*)p;
    return {(Floats)(pairs << 16), (Floats)(pairs & (int32_t)0xffff0000)};
  }
  static Floats dot(Floats acc, const Operand& x, const Operand& w) { return acc + x.even * w.even + x.odd * w.odd; }
  static Columns columns(const bfloat16* p, int64_t) { return {{widen_lanes(p), widen_lanes(p + LANES)}}; }
  static Factor factor(const bfloat16* p) {
    bfloat16 bits;  // copied, as its memory may have held floats
    std::memcpy(&bits, p, sizeof bits);
    return Floats{} + widen(bits);
  }
  static void outer(Floats* acc, Factor f, const Columns& c) {
    acc[0] += f * c.a[0];
    acc[1] += f * c.a[1];
  }
  static void add(float* out, const Floats* acc, float weight) {
    *(Floats*)out += weight * acc[0];
    *(Floats*)(out + LANES) += weight * acc[1];
  }
};

#if defined(__AVX512BF16__)
struct DotBfloat16 {
  using Value = bfloat16;
  static constexpr int STEP = 32, ROWS = 2, ACCS = 2;
  using Operand = __m512bh;
  struct Columns { __m512bh a[2]; };  // pairs of two rows; unpacking takes four columns of each eight
  using Factor = __m512bh;

  static Operand load(const bfloat16* p) { return (__m512bh)_mm512_loadu_si512(p); }
  static Floats dot(Floats acc, Operand x, Operand w) { return (Floats)_mm512_dpbf16_ps((__m512)acc, x, w); }
  static Columns columns(const bfloat16* p, int64_t row) {
    const __m512i first = _mm512_loadu_si512(p), second = _mm512_loadu_si512(p + row);
    return {{(__m512bh)_mm512_unpacklo_epi16(first, second), (__m512bh)_mm512_unpackhi_epi16(first, second)}};
  }
  static Factor factor(const bfloat16* p) {
    int32_t pair;
    std::memcpy(&pair, p, 4);
    return (__m512bh)_mm512_set1_epi32(pair);
  }
  static void outer(Floats* acc, Factor f, const Columns& c) {
    acc[0] = dot(acc[0], f, c.a[0]);
    acc[1] = dot(acc[1], f, c.a[1]);
  }
  static void add(float* out, const Floats* acc, float weight) {
    const __m512i low = _mm512_setr_epi32(0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
    const __m512i high = _mm512_setr_epi32(8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
    const __m512 a = (__m512)acc[0], b = (__m512)acc[1];
    *(Floats*)out += weight * (Floats)_mm512_permutex2var_ps(a, low, b);
    *(Floats*)(out + 16) += weight * (Floats)_mm512_permutex2var_ps(a, high, b);
  }
};
#endif

// The sum of a register's lanes, and the largest of them; lane after lane each waits for the one before.
inline float sum_of(Floats x) {
#if defined(__AVX512F__)
  return _mm512_reduce_add_ps((__m512)x);
#else
  float sum = 0;
  for (int lane = 0; lane < LANES; ++lane) sum += x[lane];
  return sum;
#endif
}

inline float largest_of(Floats x) {
#if defined(__AVX512F__)
  return _mm512_reduce_max_ps((__m512)x);
#else
  float most = x[0];
  for (int lane = 1; lane < LANES; ++lane) most = x[lane] > most ? x[lane] : most;
  return most;
#endif
}

inline void sum_lanes(const Floats (&v)[4], float* sums) {
#if defined(__AVX512F__)
  const __m512 a = (__m512)v[0], b = (__m512)v[1], c = (__m512)v[2], d = (__m512)v[3];
  const __m512d ab = (__m512d)_mm512_add_ps(_mm512_unpacklo_ps(a, b), _mm512_unpackhi_ps(a, b));
  const __m512d cd = (__m512d)_mm512_add_ps(_mm512_unpacklo_ps(c, d), _mm512_unpackhi_ps(c, d));
  const __m512 all = _mm512_add_ps((__m512)_mm512_unpacklo_pd(ab, cd), (__m512)_mm512_unpackhi_pd(ab, cd));
  const __m512 swapped = _mm512_shuffle_f32x4(all, all, 0x4e);
  const __m256 half = _mm256_add_ps(_mm512_castps512_ps256(all), _mm512_castps512_ps256(swapped));
  _mm_storeu_ps(sums, _mm_add_ps(_mm256_castps256_ps128(half), _mm256_extractf128_ps(half, 1)));
#else
  for (int j = 0; j < 4; ++j) sums[j] = sum_of(v[j]);
#endif
}

}  // namespace moevlm
