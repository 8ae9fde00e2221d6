#pragma once

#include <cstdint>

#include "primitives/flags.h"
#include "primitives/words.h"

// States that other blocks of the same launch are about to write. The memory is filled with kAbsent before the
// launch, every word of 16 bytes is written once and as a whole, and a word that is not kAbsent any more is the
// value: data that carries its own flag, in the place where the caller wants it anyway if its rows are made of such
// words. Nothing is written twice, so no word can be stale and no fence is needed.

namespace lrcn_fast::cuda {

constexpr int kAbsent = 0xff;  // of every byte

// Elements of a row that is made of words: units leave a block in eights.
__host__ __device__ constexpr std::int64_t in_eights(std::int64_t units) { return (units + 7) / 8 * 8; }

// As an element, a NaN that no arithmetic makes: those have another payload.
__device__ inline bool is_absent(const Words4& words) {
  return (words.word[0] & words.word[1] & words.word[2] & words.word[3]) == 0xffffffffu;
}

// A row of states, which lies at a multiple of 16 bytes.
template <class T>
struct Arriving {
  const T* row;  // null: zeros
  bool waits;    // whether it is written during the launch; if not, it is the caller's and may hold any bits

  __device__ Words4 ask(std::int64_t k, std::int64_t depth) const {
    if (row == nullptr || k >= depth) return Words4{};
    return load_words(reinterpret_cast<const Words4*>(row + k));
  }
  __device__ void wait_for(Words4& words, std::int64_t k) const {
    if (!waits) return;
    while (is_absent(words)) words = load_words(reinterpret_cast<const Words4*>(row + k));
  }
};

}  // namespace lrcn_fast::cuda
