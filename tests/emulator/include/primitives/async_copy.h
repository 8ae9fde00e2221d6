#pragma once

#include "primitives/cluster.h"
#include "primitives/mbarrier.h"
#include "primitives/shared.h"

namespace lrcn_fast::cuda {

template <unsigned kBytes>
void copy_async(void* shared, const void* global, unsigned bytes = kBytes) {
  static_assert(kBytes == 4 || kBytes == 8 || kBytes == 16, "4, 8 or 16 bytes");
  emulator::copy_async(shared, global, kBytes, bytes);
}

inline void copy_async_commit() { emulator::copy_async_commit(); }

template <unsigned kPending>
void copy_async_wait() {
  emulator::copy_async_wait(kPending);
}

inline void copy_bulk_to_shared(void* shared, const void* global, unsigned bytes, Mbarrier* barrier) {
  emulator::copy_bulk_to_shared(shared, global, bytes, barrier);
}
inline void copy_bulk_to_peer(void* to, unsigned rank, const void* from, unsigned bytes, Mbarrier* barrier) {
  emulator::copy_bulk_to_peer(to, rank, from, bytes, barrier);
}
inline void copy_bulk_to_global(void* global, const void* shared, unsigned bytes) {
  emulator::copy_bulk_to_global(global, shared, bytes);
}
inline void copy_bulk_commit() { emulator::copy_bulk_commit(); }

template <unsigned kPending>
void copy_bulk_wait() {
  emulator::copy_bulk_wait(kPending);
}

inline void fence_async_copy() { emulator::fence_async_copy(); }

}  // namespace lrcn_fast::cuda
