// SwiGLU's elementwise part, silu(gate) * up, in plain C++ that the compiler vectorises.
#pragma once

#include <cstdint>
#include <cstring>

#include "lanes.h"

namespace moevlm {

constexpr float EXP_LOWEST = -87.f, EXP_HIGHEST = 88.f;  // beyond, exp leaves float32's normal range
constexpr float ROUNDER = 12582912.f;                    // 1.5 * 2^23: adding and subtracting it rounds to an integer

// exp(x), relative error about 2e-7: the polynomial of Cephes' expf (S. Moshier, netlib.org/cephes).
inline float exponential(float x) {
  x = x < EXP_LOWEST ? EXP_LOWEST : (x > EXP_HIGHEST ? EXP_HIGHEST : x);
  const float n = (x * 1.44269504088896341f + ROUNDER) - ROUNDER;
  const float r = (x - n * 0.693359375f) + n * 2.12194440e-4f;  // ln 2 in two parts
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const int32_t bits = (int32_t(n) + 127) << 23;
  float power;
  std::memcpy(&power, &bits, 4);
  return (p * r * r + r + 1.f) * power;
}

// exp of lanes, as `exponential`, and 0 below what float32's normal range holds.
inline Floats exponential_or_0(Floats x) {
  const Floats n = (x * 1.44269504088896341f + ROUNDER) - ROUNDER;
  const Floats r = (x - n * 0.693359375f) + n * 2.12194440e-4f;
  Floats p = 1.9875691500e-4f + Floats{};
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  const Floats power = (Floats)((__builtin_convertvector(n, Ints) + 127) << 23);
  return x < EXP_LOWEST ? Floats{} : (p * r * r + r + 1.f) * power;
}

inline float swiglu(float gate, float up) { return gate / (1.f + exponential(-gate)) * up; }

}  // namespace moevlm
