#pragma once

#include <cstdint>
#include <cstring>
#include <type_traits>

#include "emulator/qualifiers.h"
#include "emulator/runtime.h"

namespace lrcn_fast::cuda {

struct alignas(16) Words4 {
  std::uint32_t word[4];
};

template <class T>
constexpr bool kOneAccess = std::is_trivially_copyable<T>::value &&
                            (sizeof(T) == 1 || sizeof(T) == 2 || sizeof(T) == 4 || sizeof(T) == 8 || sizeof(T) == 16);

template <class To, class From>
To bits_as(From from) {
  static_assert(sizeof(To) == sizeof(From), "the same bits");
  To to;
  std::memcpy(&to, &from, sizeof(To));
  return to;
}

inline void renew(Words4&) {}
inline void renew(int&) {}

}  // namespace lrcn_fast::cuda
