// Which tokens chose each expert, and how the experts' rows are shared among threads.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace moevlm {

constexpr int64_t UNIT = 32;  // rows of an expert that are not split: two tiles

struct Shape {
  int64_t tokens, hidden_size, experts, rows;  // rows: width of one expert
};

// Tokens by expert. Dense: every expert has all tokens.
struct Choices {
  std::vector<int64_t> start;  // of each expert, and the end; one expert's where dense
  std::vector<int64_t> token;
  std::vector<float> weight;
  bool is_dense;

  int64_t count(int64_t expert) const { return is_dense ? int64_t(token.size()) : start[expert + 1] - start[expert]; }
  int64_t first(int64_t expert) const { return is_dense ? 0 : start[expert]; }
};

inline Choices all_tokens(int64_t tokens) {
  Choices all{{}, std::vector<int64_t>(tokens), std::vector<float>(tokens, 1.f), true};
  for (int64_t j = 0; j < tokens; ++j) all.token[j] = j;
  return all;
}

// Sort by expert, stable. ids: [tokens][top_k] in [0, experts]; `experts` itself marks a choice computed elsewhere.
inline Choices sort_choices(const int64_t* ids, const float* weights, int64_t tokens, int64_t top_k, int64_t experts) {
  Choices sorted{std::vector<int64_t>(experts + 2), {}, {}, false};
  for (int64_t j = 0; j < tokens * top_k; ++j) ++sorted.start[ids[j] + 1];
  for (int64_t e = 0; e <= experts; ++e) sorted.start[e + 1] += sorted.start[e];
  sorted.token.resize(tokens * top_k);
  sorted.weight.resize(tokens * top_k);
  std::vector<int64_t> next(sorted.start.begin(), sorted.start.end() - 1);
  for (int64_t j = 0; j < tokens * top_k; ++j) {
    const int64_t at = next[ids[j]]++;
    sorted.token[at] = j / top_k;
    sorted.weight[at] = weights[j];
  }
  return sorted;
}

// Rows [begin, end) of one expert for one thread.
struct Piece {
  int64_t expert, begin, end;
};

// Share all hit experts' rows among threads in order. A unit costs bytes_cost, for its weights, and its tokens.
inline std::vector<Piece> pieces_of(
    const Shape& shape, const Choices& choices, double bytes_cost, int64_t thread, int64_t threads) {
  const int64_t units = shape.rows / UNIT;
  double total = 0;
  for (int64_t e = 0; e < shape.experts; ++e)
    if (choices.count(e)) total += units * (bytes_cost + choices.count(e));
  const auto split = [&](double share, double before, double cost) {
    return std::clamp<int64_t>(std::llround((share * total - before) / cost), 0, units);
  };
  std::vector<Piece> pieces;
  double before = 0;
  for (int64_t e = 0; e < shape.experts; ++e) {
    if (!choices.count(e)) continue;
    const double cost = bytes_cost + choices.count(e);
    const int64_t begin = split(double(thread) / threads, before, cost);
    const int64_t end = split(double(thread + 1) / threads, before, cost);
    before += units * cost;
    if (begin < end) pieces.push_back({e, begin * UNIT, end * UNIT});
  }
  return pieces;
}

}  // namespace moevlm
