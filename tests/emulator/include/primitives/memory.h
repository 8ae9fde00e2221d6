#pragma once

#include "primitives/words.h"

namespace lrcn_fast::cuda {

template <class T>
T load(const T* p) {
  static_assert(kOneAccess<T>, "plain data of 1, 2, 4, 8 or 16 bytes");
  T value;
  emulator::load_global(p, &value, sizeof(T));
  return value;
}

template <class T>
T load_constant(const T* p) {
  static_assert(kOneAccess<T>, "plain data of 1, 2, 4, 8 or 16 bytes");
  T value;
  emulator::load_constant(p, &value, sizeof(T));
  return value;
}

template <class T>
void store(T* p, T value) {
  static_assert(kOneAccess<T>, "plain data of 1, 2, 4, 8 or 16 bytes");
  emulator::store_global(p, &value, sizeof(T));
}

inline void prefetch(const void*) {}

}  // namespace lrcn_fast::cuda
