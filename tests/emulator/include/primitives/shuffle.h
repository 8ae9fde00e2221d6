#pragma once

#include <type_traits>

#include "emulator/qualifiers.h"
#include "emulator/runtime.h"

namespace lrcn_fast::cuda {

// Every lane brings a value and the lane that it reads.
template <class T>
struct Shuffle {
  T value;
  unsigned source;
  T result;

  static void exchange(void* const* lanes) {
    for (unsigned i = 0; i < 32; ++i) {
      auto* own = static_cast<Shuffle*>(lanes[i]);
      own->result = static_cast<const Shuffle*>(lanes[own->source])->value;
    }
  }
};

template <class T>
T shuffle(const char* name, T v, unsigned source) {
  Shuffle<T> operand = {v, source, v};
  emulator::meet(name, &operand, Shuffle<T>::exchange);
  return operand.result;
}

template <class T>
T shuffle_xor(T v, unsigned mask) {
  return shuffle("shuffle_xor", v, (emulator::place().thread ^ mask) % 32);
}

template <class T>
T shuffle_down(T v, unsigned delta) {
  const unsigned own = emulator::place().thread % 32;
  return shuffle("shuffle_down", v, own + delta < 32 ? own + delta : own);
}

template <class T>
T shuffle_from(T v, unsigned lane) {
  return shuffle("shuffle_from", v, lane % 32);
}

}  // namespace lrcn_fast::cuda
