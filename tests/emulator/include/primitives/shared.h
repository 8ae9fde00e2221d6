#pragma once

#include "primitives/words.h"

namespace lrcn_fast::cuda {

inline unsigned char* dynamic_shared() { return emulator::shared_memory(); }

template <class T>
T load_shared(const T* p) {
  static_assert(kOneAccess<T>, "plain data of 1, 2, 4, 8 or 16 bytes");
  T value;
  emulator::load_shared(p, emulator::place().rank, &value, sizeof(T));
  return value;
}

template <class T>
void store_shared(T* p, T value) {
  static_assert(kOneAccess<T>, "plain data of 1, 2, 4, 8 or 16 bytes");
  emulator::store_shared(p, emulator::place().rank, &value, sizeof(T));
}

}  // namespace lrcn_fast::cuda
