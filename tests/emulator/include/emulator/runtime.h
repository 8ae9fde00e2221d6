#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>

#include "lrcn_fast/types.h"

// What the primitives ask of the runtime. All but run() and launch_refused() are for a kernel's threads.
// Whatever a kernel does wrong ends its launch: run() throws a std::runtime_error that says who did what where.

namespace lrcn_fast::emulator {

struct Shape {
  unsigned blocks[3];
  unsigned threads;
  std::size_t shared_bytes;
  unsigned cluster;
  bool overlaps_previous;
};

Status run(const Shape& shape, const char* params_type, const std::function<void()>& kernel);
bool refuses(const Shape& shape);
int compute_capability();
int multiprocessors();
unsigned blocks_at_once();

struct Place {
  unsigned thread, threads;
  unsigned block[3], blocks[3];
  unsigned rank, cluster;
};
const Place& place();

// Global memory.
void load_global(const void* p, void* to, unsigned bytes);
void load_constant(const void* p, void* to, unsigned bytes);
void store_global(void* p, const void* from, unsigned bytes);
void wait_for_previous_launch();

// Global memory at the scope of the GPU.
void load_strong(const void* p, void* to, unsigned bytes, bool acquire);
void store_strong(void* p, const void* from, unsigned bytes, bool release);
void add_release(std::uint32_t* p, std::uint32_t value);
void fence_gpu();

// Shared memory of the block of this rank in the cluster; `p` is an address in the caller's own.
unsigned char* shared_memory();
void load_shared(const void* p, unsigned rank, void* to, unsigned bytes);
void store_shared(void* p, unsigned rank, const void* from, unsigned bytes);

void block_barrier();
void cluster_arrive();
void cluster_wait();

// All lanes of a warp meet; the last one runs `work` on what each has brought. `name` tells one meeting from
// another. Orders no memory, warp_barrier() does.
using Work = void (*)(void* const* operands);
void meet(const char* name, void* operand, Work work);
void warp_barrier();

void mbarrier_init(void* barrier, unsigned count);
void mbarrier_arrive(void* barrier, unsigned rank);
void mbarrier_expect(void* barrier, unsigned bytes);
void mbarrier_wait(void* barrier, unsigned parity, bool cluster);

// Asynchronous copies.
void copy_async(void* shared, const void* global, unsigned size, unsigned bytes);
void copy_async_commit();
void copy_async_wait(unsigned pending);
void store_async(void* p, unsigned rank, const void* from, unsigned bytes, void* barrier);
void copy_bulk_to_shared(void* shared, const void* global, unsigned bytes, void* barrier);
void copy_bulk_to_peer(void* to, unsigned rank, const void* from, unsigned bytes, void* barrier);
void copy_bulk_to_global(void* global, const void* shared, unsigned bytes);
void copy_bulk_commit();
void copy_bulk_wait(unsigned pending);
void fence_async_copy();

}  // namespace lrcn_fast::emulator
