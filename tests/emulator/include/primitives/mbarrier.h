#pragma once

#include <cstdint>

#include "primitives/cluster.h"
#include "primitives/shared.h"

namespace lrcn_fast::cuda {

struct alignas(8) Mbarrier {
  std::uint64_t state;
};

inline void mbarrier_init(Mbarrier* barrier, unsigned count) { emulator::mbarrier_init(barrier, count); }
inline void mbarrier_init_fence() {}
inline void mbarrier_arrive(Mbarrier* barrier) { emulator::mbarrier_arrive(barrier, emulator::place().rank); }
inline void mbarrier_expect(Mbarrier* barrier, unsigned bytes) { emulator::mbarrier_expect(barrier, bytes); }
inline void mbarrier_arrive_expect(Mbarrier* barrier, unsigned bytes) {
  mbarrier_expect(barrier, bytes);
  mbarrier_arrive(barrier);
}
inline void mbarrier_arrive_peer(Mbarrier* barrier, unsigned rank) { emulator::mbarrier_arrive(barrier, rank); }
inline void mbarrier_wait(Mbarrier* barrier, unsigned parity) { emulator::mbarrier_wait(barrier, parity, false); }
inline void mbarrier_wait_cluster(Mbarrier* barrier, unsigned parity) {
  emulator::mbarrier_wait(barrier, parity, true);
}

template <class T>
void store_async(T* p, unsigned rank, T value, Mbarrier* barrier) {
  static_assert(sizeof(T) == 4 || sizeof(T) == 8 || sizeof(T) == 16, "4, 8 or 16 bytes");
  emulator::store_async(p, rank, &value, sizeof(T), barrier);
}

}  // namespace lrcn_fast::cuda
