#pragma once

#include <cmath>

#include "primitives/ids.h"
#include "primitives/shuffle.h"

// The log-sum-exp of scores that come one by one, or in parts.

namespace lrcn_fast::cuda {

__device__ __forceinline__ float exponential(float x) { return expf(x); }
__device__ __forceinline__ double exponential(double x) { return exp(x); }
__device__ __forceinline__ float logarithm(float x) { return logf(x); }
__device__ __forceinline__ double logarithm(double x) { return log(x); }

// The greatest of some scores, and the sum of exp(score - greatest).
template <class R>
struct ScoreSum {
  R greatest, sum;

  // None yet; scores of -inf stay in this form.
  static __device__ ScoreSum none() { return {-R(INFINITY), R(0)}; }

  __device__ void add(R score) {
    if (score > greatest) {
      sum = sum * exponential(greatest - score) + R(1);
      greatest = score;
    } else if (!(score == -R(INFINITY))) {
      // NaN comes this way.
      sum += exponential(score - greatest);
    }
  }

  __device__ void add(const ScoreSum& other) {
    const R more = other.greatest > greatest ? other.greatest : greatest;
    if (more == -R(INFINITY)) {
      sum += other.sum;
      return;
    }
    sum = sum * exponential(greatest - more) + other.sum * exponential(other.greatest - more);
    greatest = more;
  }
};

// Of all lanes of a warp, for each of them.
template <class R>
__device__ ScoreSum<R> warp_sum(ScoreSum<R> total) {
  for (unsigned mask = 16; mask > 0; mask /= 2) {
    total.add(ScoreSum<R>{shuffle_xor(total.greatest, mask), shuffle_xor(total.sum, mask)});
  }
  return total;
}

}  // namespace lrcn_fast::cuda
