#pragma once

#include <cstdint>

#include "primitives/matrix.h"
#include "primitives/memory.h"
#include "primitives/numbers.h"
#include "primitives/words.h"

// The arithmetics that a recurrent product can be made of. Each multiplies 16 rows of states with 8 rows of
// weights; a thread ends with the sums of state rows g and g + 8 and of weight rows 2c and 2c + 1, where
// g = lane / 4 and c = lane % 4:
//
//   sums[0] = (g, 2c)   sums[1] = (g, 2c + 1)   sums[2] = (g + 8, 2c)   sums[3] = (g + 8, 2c + 1)
//
// An operand of a thread is 16 bytes of consecutive elements of one row, read straight from memory. Tensor
// cores scatter the elements of a row over four threads in an order that does not matter as long as both
// operands share it: thread c takes the c-th quarter of a chunk, and its elements go to the slots in turn.

namespace lrcn_fast::cuda {

// float16 and bfloat16 on tensor cores, sums in float32.
template <class T>
struct HalfProducts {
  using Storage = T;
  using Sum = float;
  static constexpr bool kTensorCores = true;
  static constexpr int kTerms = 1;           // of the sum that a product of two operands is made of
  static constexpr int kChunk = 32;          // elements of a row that one call of multiply takes
  static constexpr int kWeightOperands = 1;  // rows of weights a thread holds: row g
  static constexpr int kWarps = 8;
  static constexpr int kMostRows = 4;  // of a tile, in sixteens: what the registers hold

  static __device__ int place(unsigned lane) { return static_cast<int>(lane % 4) * 8; }
  static __device__ int weight_row(unsigned lane, int) { return static_cast<int>(lane / 4); }

  static __device__ void multiply(float (&sums)[4], const Words4 (&states)[2], const Words4 (&weights)[1]) {
    for (int k = 0; k < 4; k += 2) {
      const std::uint32_t a[4] = {states[0].word[k], states[1].word[k], states[0].word[k + 1], states[1].word[k + 1]};
      const std::uint32_t b[2] = {weights[0].word[k], weights[0].word[k + 1]};
      mma(sums, a, b, T{});
    }
  }
};

// float32 on tensor cores as one TF32 product, or as three, which keep 22 bits of each operand.
template <int kCount>
struct Tf32Products {
  static constexpr int kTerms = kCount;
  static_assert(kTerms == 1 || kTerms == 3, "one product of the leading parts, or three with the remainders");
  using Storage = float;
  using Sum = float;
  static constexpr bool kTensorCores = true;
  static constexpr int kChunk = 16;
  static constexpr int kWeightOperands = 1;
  static constexpr int kWarps = 8;
  static constexpr int kMostRows = kTerms == 1 ? 4 : 2;

  static __device__ int place(unsigned lane) { return static_cast<int>(lane % 4) * 4; }
  static __device__ int weight_row(unsigned lane, int) { return static_cast<int>(lane / 4); }

  struct Split {
    std::uint32_t leading, rest;
  };
  static __device__ Split split(std::uint32_t word) {
    const float value = bits_as<float>(word);
    const std::uint32_t leading = to_tf32(value);
    return {leading, kTerms == 1 ? 0u : to_tf32(value - bits_as<float>(leading))};
  }

  static __device__ void multiply(float (&sums)[4], const Words4 (&states)[2], const Words4 (&weights)[1]) {
    for (int k = 0; k < 4; k += 2) {
      const Split a[4] = {split(states[0].word[k]), split(states[1].word[k]), split(states[0].word[k + 1]),
                          split(states[1].word[k + 1])};
      const Split b[2] = {split(weights[0].word[k]), split(weights[0].word[k + 1])};
      const std::uint32_t a_leading[4] = {a[0].leading, a[1].leading, a[2].leading, a[3].leading};
      const std::uint32_t b_leading[2] = {b[0].leading, b[1].leading};
      if (kTerms == 3) {
        // The small terms first: added to a large sum they would be rounded away.
        const std::uint32_t a_rest[4] = {a[0].rest, a[1].rest, a[2].rest, a[3].rest};
        const std::uint32_t b_rest[2] = {b[0].rest, b[1].rest};
        mma_tf32(sums, a_rest, b_leading);
        mma_tf32(sums, a_leading, b_rest);
      }
      mma_tf32(sums, a_leading, b_leading);
    }
  }
};

// float32 and float64 as they are, on the ordinary arithmetic units.
template <class T>
struct ScalarProducts {
  using Storage = T;
  using Sum = T;
  static constexpr bool kTensorCores = false;
  static constexpr int kChunk = 16 / sizeof(T);
  static constexpr int kWeightOperands = 2;  // rows 2c and 2c + 1
  static constexpr int kWarps = 8;
  static constexpr int kMostRows = sizeof(T) == 4 ? 2 : 1;

  static __device__ int place(unsigned) { return 0; }
  static __device__ int weight_row(unsigned lane, int operand) { return static_cast<int>(lane % 4) * 2 + operand; }

  struct Elements {
    T at[kChunk];
  };

  static __device__ void multiply(T (&sums)[4], const Words4 (&states)[2], const Words4 (&weights)[2]) {
    const Elements a[2] = {bits_as<Elements>(states[0]), bits_as<Elements>(states[1])};
    const Elements b[2] = {bits_as<Elements>(weights[0]), bits_as<Elements>(weights[1])};
    for (int k = 0; k < kChunk; ++k) {
      sums[0] = multiply_add(a[0].at[k], b[0].at[k], sums[0]);
      sums[1] = multiply_add(a[0].at[k], b[1].at[k], sums[1]);
      sums[2] = multiply_add(a[1].at[k], b[0].at[k], sums[2]);
      sums[3] = multiply_add(a[1].at[k], b[1].at[k], sums[3]);
    }
  }
};

}  // namespace lrcn_fast::cuda
