#pragma once

// The persistent kernels that are compiled, for their launchers and for the planner. A row gives template arguments;
// what follows from them, and from 8 warps a block, is computed by csrc/cuda/lstm_{cluster,grid}_*.cuh and checked
// against the planner's own numbers where both are known.
//
// Cluster kernels: X(groups, chunks, in_registers, eights)
//   groups        eights (forward) or sixteens (backward) of hidden units a block owns
//   chunks        64 bytes of the depth of the product, of which each warp holds so many
//   in_registers  of these chunks; the others lie in shared memory
//   eights        rows of the batch in a slice, by 8
// Grid kernels: X(chunks, in_registers, eights), with groups = 1.

#define LRCN_CLUSTER_FORWARD_HALF(X) \
  X(2, 1, 1, 1) X(2, 1, 1, 2) X(2, 2, 2, 1) X(2, 2, 2, 2) X(2, 2, 2, 4) X(4, 8, 5, 1) X(4, 8, 5, 2) X(4, 8, 5, 4)
#define LRCN_CLUSTER_BACKWARD_HALF(X) \
  X(1, 2, 2, 1) X(1, 2, 2, 2) X(1, 4, 4, 1) X(1, 4, 4, 2) X(1, 4, 4, 4) X(2, 16, 8, 1) X(2, 16, 8, 2)
#define LRCN_CLUSTER_FORWARD_TF32(X) X(2, 2, 2, 1) X(2, 4, 2, 1) X(2, 4, 2, 2)
#define LRCN_CLUSTER_BACKWARD_TF32(X) X(1, 4, 4, 1) X(1, 8, 4, 1) X(1, 8, 4, 2)
#define LRCN_GRID_FORWARD_HALF(X) X(2, 2, 1) X(4, 4, 1) X(4, 4, 2) X(4, 4, 4)
#define LRCN_GRID_BACKWARD_HALF(X) X(8, 8, 1) X(16, 10, 1) X(16, 10, 2)
#define LRCN_GRID_FORWARD_TF32(X) X(8, 3, 1)
#define LRCN_GRID_BACKWARD_TF32(X) X(32, 6, 1)
