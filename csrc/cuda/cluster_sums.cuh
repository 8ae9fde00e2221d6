#pragma once

#include <cstddef>

#include "primitives/cluster.h"
#include "primitives/ids.h"
#include "primitives/mbarrier.h"
#include "primitives/shared.h"

// Blocks of a cluster that share out the depth of a product. Each multiplies the weights of all their units with its
// share of the states, and sends the sums to whose units they are: into that block's shared memory, where an mbarrier
// counts the bytes. Sums are added in the order of the blocks.
//
// Two buffers in turn are enough without another barrier. A block sends the sums of turn n + 2 after it has all those
// of turn n + 1, and its peers sent these after a barrier behind their last look at the sums of turn n.

namespace lrcn_fast::cuda {

// kValues: sums that travel together, an item. kItems: those that a block owns in a turn. kBlocks: of the cluster; of
// one there is nothing to exchange.
template <class Sum, int kValues, int kItems, int kBlocks>
class ClusterSums {
 public:
  struct alignas(sizeof(Sum) * kValues) Item {
    Sum at[kValues];
  };
  static constexpr int kPeers = kBlocks - 1;
  static constexpr unsigned kTurnBytes = kPeers * kItems * sizeof(Item);
  static constexpr std::size_t kBytes = kPeers == 0 ? 0 : 2 * kTurnBytes + 2 * sizeof(Mbarrier);

  // shared: kBytes of shared memory. By all threads of the cluster.
  __device__ explicit ClusterSums(unsigned char* shared)
      : arrived_(reinterpret_cast<Mbarrier*>(shared + 2 * kTurnBytes)), received_(reinterpret_cast<Item*>(shared)) {
    if constexpr (kPeers > 0) {
      if (thread_index() == 0) {
        for (int n = 0; n < 2; ++n) {
          mbarrier_init(arrived_ + n, 1);
          mbarrier_arrive_expect(arrived_ + n, kTurnBytes);
        }
        mbarrier_init_fence();
      }
      cluster_barrier();
    }
  }

  static __device__ int rank() { return kPeers == 0 ? 0 : static_cast<int>(cluster_rank()); }

  // sums_of(owner, item): this block's sums of an item of block `owner`. By all threads, behind a barrier.
  template <class SumsOf>
  __device__ void send(unsigned turn, SumsOf sums_of) {
    if constexpr (kPeers > 0) {
      for (int m = static_cast<int>(thread_index()); m < kPeers * kItems; m += static_cast<int>(thread_count())) {
        const int owner = (rank() + 1 + m / kItems) % kBlocks, item = m % kItems;
        store_async(received(turn, rank(), owner) + item, static_cast<unsigned>(owner), sums_of(owner, item),
                    arrived_ + turn % 2);
      }
    }
  }

  // The sums of all blocks. By thread 0 at least, in each turn.
  template <class SumsOf>
  __device__ Item total(unsigned turn, int item, SumsOf sums_of) {
    const Item own = sums_of(rank(), item);
    if constexpr (kPeers == 0) {
      return own;
    } else {
      mbarrier_wait_cluster(arrived_ + turn % 2, turn / 2 % 2);
      if (thread_index() == 0) mbarrier_arrive_expect(arrived_ + turn % 2, kTurnBytes);
      Item total = {};
#pragma unroll
      for (int source = 0; source < kBlocks; ++source) {
        const Item part = source == rank() ? own : load_shared(received(turn, source, rank()) + item);
#pragma unroll
        for (int n = 0; n < kValues; ++n) total.at[n] += part.at[n];
      }
      return total;
    }
  }

 private:
  // Where `owner` gets what `source` sends.
  __device__ Item* received(unsigned turn, int source, int owner) const {
    const int place = source < owner ? source : source - 1;
    return received_ + (static_cast<int>(turn % 2) * kPeers + place) * kItems;
  }

  Mbarrier* arrived_;
  Item* received_;
};

}  // namespace lrcn_fast::cuda
