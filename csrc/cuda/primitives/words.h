#pragma once

#ifndef __CUDACC__
#include <primitives/words.h>
#else

#include <cstdint>
#include <cstring>
#include <type_traits>

// How a value of 1 to 16 bytes travels in one instruction.

namespace lrcn_fast::cuda {

struct alignas(16) Words4 {
  std::uint32_t word[4];
};

template <std::size_t kBytes>
struct WordOf;
template <>
struct WordOf<1> {
  using Type = unsigned char;
};
template <>
struct WordOf<2> {
  using Type = unsigned short;
};
template <>
struct WordOf<4> {
  using Type = unsigned;
};
template <>
struct WordOf<8> {
  using Type = uint2;
};
template <>
struct WordOf<16> {
  using Type = uint4;
};

template <class T>
using Word = typename WordOf<sizeof(T)>::Type;

template <class To, class From>
__device__ __forceinline__ To bits_as(From from) {
  static_assert(sizeof(To) == sizeof(From), "the same bits");
  static_assert(std::is_trivially_copyable<To>::value && std::is_trivially_copyable<From>::value, "plain data");
  To to;
  memcpy(&to, &from, sizeof(To));
  return to;
}

// The compiler takes the value for a new one: what follows from it is not computed once for all rounds of a loop.
__device__ __forceinline__ void renew(Words4& words) {
  asm volatile("" : "+r"(words.word[0]), "+r"(words.word[1]), "+r"(words.word[2]), "+r"(words.word[3]));
}
__device__ __forceinline__ void renew(int& value) { asm volatile("" : "+r"(value)); }

}  // namespace lrcn_fast::cuda

#endif
