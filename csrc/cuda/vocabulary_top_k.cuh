#pragma once

#include <algorithm>
#include <cstddef>

#include "lrcn_fast/vocabulary_top_k.h"
#include "lstm_launch.cuh"
#include "score_sum.cuh"

// The kernels of vocabulary_top_k.h. A block multiplies some rows with 32 words, of which each lane of a warp then
// holds one: a warp finds a row's share of the log-sum-exp and its best words among them. A second launch merges them.

namespace lrcn_fast::cuda {

inline constexpr int kTopWords = 32;  // of a block

struct TopKLaunch {
  VocabularyTopK params;
  std::int64_t blocks;  // of words
  std::int64_t kept;    // best words of a block: k, or all it has
  // In the workspace, by row and block: (N, blocks, kept) ranks and words, (N, blocks) greatest and sum.
  void* ranks;
  std::int32_t* words;
  void* greatest;
  void* sums;

  static std::int64_t blocks_of(const VocabularyTopK& p) { return (p.words + kTopWords - 1) / kTopWords; }
  static std::int64_t kept_of(const VocabularyTopK& p) { return std::min<std::int64_t>(p.k, kTopWords); }
};

// The greatest rank and, of equal ones, the lowest word. Ranks are scores, but for -inf and NaN, which rank lowest of
// all words; -inf is the rank of what is no word.
template <class R>
struct Candidate {
  R rank;
  std::int32_t word;

  static __device__ Candidate none() { return {-R(INFINITY), 0x7fffffff}; }
  __device__ bool exists() const { return rank > -R(INFINITY); }
  __device__ bool before(const Candidate& other) const {
    return rank > other.rank || (rank == other.rank && word < other.word);
  }
};

template <class R>
__device__ __forceinline__ R lowest_rank() {
  return sizeof(R) == 8 ? R(-1.7976931348623157e308) : R(-3.4028234663852886e38);
}

template <class R>
__device__ Candidate<R> warp_best(Candidate<R> best) {
  for (unsigned mask = 16; mask > 0; mask /= 2) {
    const Candidate<R> other{shuffle_xor(best.rank, mask), shuffle_xor(best.word, mask)};
    if (other.before(best)) best = other;
  }
  return best;
}

template <class P, int kRows, bool kVector>
__global__ void __launch_bounds__(Tile<P, kRows, kTopWords / 8, kVector>::kThreads, 1)
    block_top_k(const __grid_constant__ TopKLaunch launch) {
  using T = StorageOf<P>;
  using R = SumOf<P>;
  using WordTile = Tile<P, kRows, kTopWords / 8, kVector>;
  const VocabularyTopK& p = launch.params;
  const BlockPlace<kRows> place(p.words, kTopWords);
  WordTile tile;
  tile.multiply(
      p.hidden,
      [&](int m) -> const T* {
        const std::int64_t n = place.first_row + m;
        return n < p.rows ? static_cast<const T*>(p.states) + n * p.hidden : nullptr;
      },
      [&](int n, int j) -> const T* {
        const std::int64_t word = place.first_column + n * 8 + j;
        return word < p.words ? static_cast<const T*>(p.weight) + word * p.hidden : nullptr;
      });
  tile.share();

  const int j = static_cast<int>(lane());
  const std::int64_t word = place.first_column + j, block = place.first_column / kTopWords;
  for (int r = static_cast<int>(warp()); r < kRows * 16; r += P::kWarps) {
    const std::int64_t n = place.first_row + r;
    if (n >= p.rows) break;
    R score = -R(INFINITY);
    Candidate<R> own = Candidate<R>::none();
    if (word < p.words) {
      score = WordTile::sum(r, j % 8, j / 8) + to_real(element_or_zero<T>(p.bias, word));
      const bool allowed = p.forbidden == nullptr || !load_constant(p.forbidden + word);
      if (allowed) own = {score > lowest_rank<R>() ? score : lowest_rank<R>(), static_cast<std::int32_t>(word)};
    }
    ScoreSum<R> total = ScoreSum<R>::none();
    total.add(score);
    total = warp_sum(total);
    const std::int64_t at = n * launch.blocks + block;
    if (j == 0) {
      store(static_cast<R*>(launch.greatest) + at, total.greatest);
      store(static_cast<R*>(launch.sums) + at, total.sum);
    }
    for (std::int64_t k = 0; k < launch.kept; ++k) {
      const Candidate<R> best = warp_best(own);
      if (best.word == own.word) own = Candidate<R>::none();
      if (j != 0) continue;
      store(static_cast<R*>(launch.ranks) + at * launch.kept + k, best.rank);
      store(launch.words + at * launch.kept + k, best.word);
    }
  }
}

// A warp for each row.
template <class R>
__global__ void merge_top_k(const __grid_constant__ TopKLaunch launch) {
  const VocabularyTopK& p = launch.params;
  const std::int64_t n = block_x(), candidates = launch.blocks * launch.kept;
  ScoreSum<R> total = ScoreSum<R>::none();
  for (std::int64_t b = lane(); b < launch.blocks; b += 32) {
    const std::int64_t at = n * launch.blocks + b;
    total.add(
        ScoreSum<R>{load(static_cast<const R*>(launch.greatest) + at), load(static_cast<const R*>(launch.sums) + at)});
  }
  total = warp_sum(total);
  const R log_of_sum = logarithm(total.sum);
  Candidate<R> last{R(INFINITY), -1};
  for (std::int64_t k = 0; k < p.k; ++k) {
    Candidate<R> best = Candidate<R>::none();
    for (std::int64_t at = lane(); at < candidates; at += 32) {
      const Candidate<R> other{load(static_cast<const R*>(launch.ranks) + n * candidates + at),
                               load(launch.words + n * candidates + at)};
      if (last.before(other) && other.before(best)) best = other;
    }
    best = warp_best(best);
    last = best;
    if (lane() != 0) continue;
    const R score = best.rank > lowest_rank<R>() ? best.rank : -R(INFINITY);
    store(static_cast<R*>(p.log_probs) + n * p.k + k,
          best.exists() ? (score - total.greatest) - log_of_sum : -R(INFINITY));
    store(p.found + n * p.k + k, best.exists() ? static_cast<std::int64_t>(best.word) : std::int64_t(-1));
  }
}

template <class P, int kRows, bool kVector>
TileKernel<TopKLaunch> top_k_kernel() {
  using WordTile = Tile<P, kRows, kTopWords / 8, kVector>;
  return {block_top_k<P, kRows, kVector>, kRows * 16, kTopWords, kTopWords, WordTile::kThreads, WordTile::kSharedBytes};
}

inline std::size_t vocabulary_top_k_workspace(const VocabularyTopK& p) {
  const std::int64_t real = p.dtype == DType::kFloat64 ? 8 : 4;
  const std::int64_t blocks = p.rows * TopKLaunch::blocks_of(p);
  return static_cast<std::size_t>(blocks * (TopKLaunch::kept_of(p) * (real + 4) + 2 * real));
}

template <class P>
Status run_top_k(const VocabularyTopK& p, void* stream) {
  using T = StorageOf<P>;
  using R = SumOf<P>;
  TopKLaunch launch{};
  launch.params = p;
  launch.blocks = TopKLaunch::blocks_of(p);
  launch.kept = TopKLaunch::kept_of(p);
  R* memory = static_cast<R*>(p.workspace);
  launch.greatest = memory;
  launch.sums = memory + p.rows * launch.blocks;
  launch.ranks = memory + 2 * p.rows * launch.blocks;
  launch.words = reinterpret_cast<std::int32_t*>(memory + (2 + launch.kept) * p.rows * launch.blocks);

  Cheapest<TopKLaunch> kernels(p.rows, p.words);
  if (rows_of_vectors<T>(p.hidden, p.states, p.weight)) {
    kernels.consider(top_k_kernel<P, 1, true>());
    if constexpr (P::kMostRows >= 2) kernels.consider(top_k_kernel<P, 2, true>());
  } else {
    kernels.consider(top_k_kernel<P, 1, false>());
  }
  const Status status = StepLaunches<TopKLaunch>(kernels.best(), p.rows, p.words)(launch, false, stream);
  if (status != Status::kOk) return status;
  LaunchShape shape;
  shape.blocks_x = static_cast<unsigned>(p.rows);
  return cuda::launch(merge_top_k<R>, shape, launch, stream);
}

inline Status vocabulary_top_k(const VocabularyTopK& params, void* stream) {
  if (params.rows < 0 || params.words < 1 || params.k < 1 || params.words > 0x7ffffffe) return Status::kInvalidSize;
  if (params.rows == 0) return Status::kOk;
  switch (params.dtype) {
    case DType::kFloat32:
      return run_top_k<ScalarProducts<float>>(params, stream);
    case DType::kFloat64:
      return run_top_k<ScalarProducts<double>>(params, stream);
    case DType::kFloat16:
      return run_top_k<HalfProducts<half_t>>(params, stream);
    case DType::kBFloat16:
      return run_top_k<HalfProducts<bfloat16_t>>(params, stream);
  }
  return Status::kUnsupportedDType;
}

}  // namespace lrcn_fast::cuda
