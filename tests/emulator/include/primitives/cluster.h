#pragma once

#include "primitives/shared.h"

namespace lrcn_fast::cuda {

constexpr bool has_clusters() { return true; }
inline unsigned cluster_rank() { return emulator::place().rank; }
inline unsigned cluster_size() { return emulator::place().cluster; }

inline void cluster_arrive() { emulator::cluster_arrive(); }
inline void cluster_wait() { emulator::cluster_wait(); }
inline void cluster_barrier() {
  cluster_arrive();
  cluster_wait();
}

template <class T>
T load_peer(const T* p, unsigned rank) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8 || sizeof(T) == 16, "4, 8 or 16 bytes");
  T value;
  emulator::load_shared(p, rank, &value, sizeof(T));
  return value;
}

template <class T>
void store_peer(T* p, unsigned rank, T value) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8 || sizeof(T) == 16, "4, 8 or 16 bytes");
  emulator::store_shared(p, rank, &value, sizeof(T));
}

}  // namespace lrcn_fast::cuda
