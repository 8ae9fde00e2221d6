#pragma once

#include <cstdint>

#include "primitives/words.h"

namespace lrcn_fast::cuda {

template <class T>
T load_relaxed(const T* p) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "4 or 8 bytes");
  T value;
  emulator::load_strong(p, &value, sizeof(T), false);
  return value;
}

template <class T>
T load_acquire(const T* p) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "4 or 8 bytes");
  T value;
  emulator::load_strong(p, &value, sizeof(T), true);
  return value;
}

template <class T>
void store_relaxed(T* p, T value) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "4 or 8 bytes");
  emulator::store_strong(p, &value, sizeof(T), false);
}

template <class T>
void store_release(T* p, T value) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8, "4 or 8 bytes");
  emulator::store_strong(p, &value, sizeof(T), true);
}

inline void add_release(std::uint32_t* p, std::uint32_t value) { emulator::add_release(p, value); }
inline void fence_gpu() { emulator::fence_gpu(); }

inline Words4 load_words(const Words4* p) {
  Words4 value;
  emulator::load_strong(p, &value, sizeof(value), false);
  return value;
}

inline void store_words(Words4* p, const Words4& value) { emulator::store_strong(p, &value, sizeof(value), false); }

}  // namespace lrcn_fast::cuda
