// SwiGLU experts of a CPU as operators: each weight of a chosen expert is read once, each token's row in place.
//
// A thread owns rows of experts from gate and up to its share of down, so that it streams contiguous weights and waits
// for nobody; shares are summed in float32 in the order of threads, so that a result depends on their number alone.
#pragma once

#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>

#include <type_traits>

#include "routing.h"
#include "scratch.h"
#include "step_ops.h"
#include "tiles.h"
#include "vector.h"

namespace moevlm {
namespace {

using torch::stable::Tensor;

// What a kernel may use, by the numbers that Python passes.
enum Tier : int64_t { GENERIC = 0, DOT = 1, TILES = 2 };

// Rows of a block. Few: they stay in cache for all tokens. Many: streams are longer, outputs are added to less often.
constexpr int64_t MOST_ROWS_OF_BLOCK = 256, TILE_ROWS = 64, MANY_TILE_ROWS = 512;
constexpr int64_t BLOCK_BYTES = 512 << 10;     // of gate, of up and of down, where many tokens share them in vectors
constexpr int64_t MANY_TOKENS = 128;           // of an expert, from which many rows pay in tiles
constexpr int64_t LEAST_TILE_TOKENS = 4;       // of an expert: fewer run as fast in vectors, without packing
constexpr int64_t TILE_TOKENS = 16;
constexpr int64_t CHUNK = 256, TILE_CHUNK = 512;  // tokens of an expert at a time, at most: more gained nothing

template <class V>
struct Problem {
  Shape shape;
  Choices choices;
  Tier tier;
  const V *gate_up, *down, *hidden;
};

template <class V>
bool in_tiles(Tier tier) { return std::is_same_v<V, bfloat16> && tier == TILES; }

template <class V>
int64_t chunk_of(Tier tier) { return in_tiles<V>(tier) ? TILE_CHUNK : CHUNK; }

// Rows of a block of this many bytes a row, in whole units.
int64_t block_rows(int64_t row_bytes) {
  return std::clamp(BLOCK_BYTES / row_bytes / UNIT * UNIT, UNIT, MOST_ROWS_OF_BLOCK);
}

int64_t multiple(int64_t value, int64_t of) { return (value + of - 1) / of * of; }

// Tokens of an expert at a time, `most` or fewer, about as many each time: a small rest would read all weights anew.
int64_t even_chunk(int64_t tokens, int64_t most) {
  const int64_t chunks = std::max<int64_t>(1, (tokens + most - 1) / most);
  return multiple((tokens + chunks - 1) / chunks, TILE_TOKENS);
}

// One thread's state: scratch for a chunk of tokens, and the share of the output that it adds to.
template <class V>
class Worker {
 public:
  Worker(const Problem<V>& problem, int64_t most_tokens, float* output)
      : p(problem), has_tiles(in_tiles<V>(p.tier)),
        chunk(std::min(chunk_of<V>(p.tier), multiple(most_tokens, TILE_TOKENS))),
        in_vectors((has_tiles ? LEAST_TILE_TOKENS : chunk) * std::min(p.shape.rows, MOST_ROWS_OF_BLOCK)),
        output(output), inputs(chunk), outputs(chunk), gates(in_vectors), ups(in_vectors),
        acts(has_tiles ? chunk * MANY_TILE_ROWS : in_vectors),
        packed(has_tiles ? chunk * p.shape.hidden_size / 2 : 0),
        stripe(has_tiles ? MANY_TILE_ROWS * STRIPE / 2 : 0) {}

  // Add the piece's share for the tokens of its expert's chunk of this number.
  void add(const Piece& piece, int64_t number) {
    const int64_t tokens = p.choices.count(piece.expert), most_of_it = even_chunk(tokens, chunk_of<V>(p.tier));
    const int64_t from = number * most_of_it, count = std::min(most_of_it, tokens - from), H = p.shape.hidden_size;
    if (count <= 0) return;
    const int64_t first = p.choices.first(piece.expert) + from;
    for (int64_t j = 0; j < count; ++j) {
      inputs[j] = p.hidden + p.choices.token[first + j] * H;
      outputs[j] = output + p.choices.token[first + j] * H;
    }
    const float* weights = p.choices.weight.data() + first;
#if defined(MOEVLM_TILES)
    if constexpr (std::is_same_v<V, bfloat16>)
      if (has_tiles && count >= LEAST_TILE_TOKENS) return tiles(piece, count, weights);
#endif
    const int64_t most = count <= FEW_TOKENS ? MOST_ROWS_OF_BLOCK : block_rows(H * sizeof(V));
    for (int64_t row = piece.begin; row < piece.end; row += most) vector(block(piece, row, most, count, weights));
  }

 private:
  Block<V> block(const Piece& piece, int64_t row, int64_t most, int64_t count, const float* weights) {
    const int64_t H = p.shape.hidden_size, rows = std::min(most, piece.end - row);
    const V* gate = p.gate_up + (piece.expert * 2 * p.shape.rows + row) * H;
    const V* down = p.down + (piece.expert * p.shape.rows + row) * H;
    return {gate, gate + p.shape.rows * H, down, H, rows, count, inputs.data(), outputs.data(), weights};
  }

  void vector(const Block<V>& b) {
    if constexpr (std::is_same_v<V, float>) return vector_block<Float32>(b, gates.get(), ups.get(), acts.get());
#if defined(__AVX512BF16__)
    else if (p.tier >= DOT) return vector_block<DotBfloat16>(b, gates.get(), ups.get(), acts.get());
#endif
    else vector_block<Bfloat16>(b, gates.get(), ups.get(), acts.get());
  }

#if defined(MOEVLM_TILES)
  void tiles(const Piece& piece, int64_t count, const float* weights) {
    const int64_t most = count < MANY_TOKENS ? TILE_ROWS : MANY_TILE_ROWS;
    pack_tokens(inputs.data(), count, p.shape.hidden_size, packed.get());
    const UseTiles configured;
    for (int64_t row = piece.begin; row < piece.end; row += most)
      tile_block(block(piece, row, most, count, weights), packed.get(), acts.get(), stripe.get());
  }
#endif

  const Problem<V>& p;
  const bool has_tiles;
  const int64_t chunk, in_vectors;  // tokens at a time; values of their rows outside tiles
  float* const output;
  std::vector<const V*> inputs;
  std::vector<float*> outputs;
  Scratch<float> gates, ups;
  Scratch<V> acts;
  Scratch<uint32_t> packed, stripe;
};

template <class V>
void add_share(const Problem<V>& problem, int64_t thread, int64_t threads, float* output) {
  std::fill_n(output, problem.shape.tokens * problem.shape.hidden_size, 0.f);
  const double bytes_cost = sizeof(V) == 2 ? 100 : 20;  // tokens of compute that take as long as reading the weights
  const std::vector<Piece> pieces = pieces_of(problem.shape, problem.choices, bytes_cost, thread, threads);
  int64_t most_tokens = 0;
  for (const Piece& piece : pieces) most_tokens = std::max(most_tokens, problem.choices.count(piece.expert));
  if (!most_tokens) return;
  Worker<V> worker(problem, most_tokens, output);
  for (int64_t number = 0; number * chunk_of<V>(problem.tier) < most_tokens; ++number)
    for (const Piece& piece : pieces) worker.add(piece, number);
}

template <class V>
void compute(const Problem<V>& problem, V* output) {
  const int64_t size = problem.shape.tokens * problem.shape.hidden_size;
  int64_t hit = 0;
  for (int64_t e = 0; e < problem.shape.experts; ++e) hit += problem.choices.count(e) > 0;
  const int64_t bytes = 3 * hit * problem.shape.rows * problem.shape.hidden_size * sizeof(V);
  const int64_t threads = std::clamp<int64_t>(bytes / SMALLEST_SHARE, 1, torch::stable::get_num_threads());
  const Scratch<float> shares(threads * size);
  torch::stable::parallel_for(0, threads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t thread = begin; thread < end; ++thread)
      add_share(problem, thread, threads, shares.get() + thread * size);
  });
  torch::stable::parallel_for(0, size, 32768, [&](int64_t begin, int64_t end) {
    for (int64_t j = begin; j < end; ++j) {
      float sum = shares.get()[j];
      for (int64_t thread = 1; thread < threads; ++thread) sum += shares.get()[thread * size + j];
      narrow(sum, output + j);
    }
  });
}

template <class V>
void compute(
    Tensor output, const Tensor& gate_up, const Tensor& down, const Tensor& hidden, Choices choices, int64_t tier) {
  const Shape shape{hidden.size(0), hidden.size(1), down.size(0), down.size(1)};
  const auto values = [](const Tensor& t) { return static_cast<const V*>(t.const_data_ptr()); };
  compute<V>({shape, std::move(choices), Tier(tier), values(gate_up), values(down), values(hidden)},
             static_cast<V*>(output.mutable_data_ptr()));
}

// The best tier that this build and this machine have. Asking for tiles lets this process use them.
int64_t best_tier() {
#if defined(MOEVLM_TILES)
  if (tiles_allowed()) return TILES;
#endif
#if defined(__AVX512BF16__)
  return DOT;
#else
  return GENERIC;
#endif
}

Tensor output_of(const Tensor& gate_up, const Tensor& down, const Tensor& hidden, Choices choices, int64_t tier) {
  STD_TORCH_CHECK(tier >= GENERIC && tier <= best_tier(), "tier must be in [0, ", best_tier(), "] here, got ", tier);
  Tensor output = torch::stable::empty_like(hidden);
  if (hidden.element_size() == sizeof(float)) compute<float>(output, gate_up, down, hidden, std::move(choices), tier);
  else compute<bfloat16>(output, gate_up, down, hidden, std::move(choices), tier);
  return output;
}

Tensor experts(const Tensor gate_up, const Tensor down, const Tensor hidden, const Tensor ids, const Tensor weights,
               int64_t tier) {
  const int64_t experts = down.size(0);
  const auto* chosen = static_cast<const int64_t*>(ids.const_data_ptr());
  for (int64_t j = 0; j < ids.numel(); ++j)
    STD_TORCH_CHECK(chosen[j] >= 0 && chosen[j] <= experts, "expert ids must be in [0, ", experts, "], got ", chosen[j]);
  const auto* by = static_cast<const float*>(weights.const_data_ptr());
  return output_of(gate_up, down, hidden, sort_choices(chosen, by, ids.size(0), ids.size(1), experts), tier);
}

Tensor dense(const Tensor gate_up, const Tensor down, const Tensor hidden, int64_t tier) {
  return output_of(gate_up, down, hidden, all_tokens(hidden.size(0)), tier);
}

}  // namespace
}  // namespace moevlm
