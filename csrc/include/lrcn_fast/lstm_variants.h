#pragma once

// The persistent kernels that are compiled, for their launchers and for the planner. A row gives template arguments;
// what follows from them, and from 8 warps a block, is computed by csrc/cuda/lstm_{cluster,grid}_*.cuh and checked
// against the planner's own numbers where both are known.
//
// Cluster kernels: X(groups, chunks, in_registers, eights)
//   groups        eights (forward) or sixteens (backward) of hidden units a block owns
//   chunks        64 bytes of the depth of the product, of which each warp holds so many
//   in_registers  of the operands, one for each chunk and 16 rows of weights; the others lie in shared memory
//   eights        rows of the batch in a slice, by 8
// Grid kernels: X(octets, shares, chunks, in_registers, eights), backwards without octets
//   octets        eights of hidden units a block owns; backwards these are sixteen units
//   shares        blocks of a cluster that share out the depth; chunks are those of one of them

#define LRCN_CLUSTER_FORWARD_HALF(X) \
  X(2, 1, 2, 1) X(2, 1, 2, 2) X(2, 2, 4, 1) X(2, 2, 4, 2) X(2, 2, 4, 4) X(4, 8, 10, 1) X(4, 8, 10, 2) X(4, 8, 10, 4)
#define LRCN_CLUSTER_BACKWARD_HALF(X) \
  X(1, 2, 2, 1) X(1, 2, 2, 2) X(1, 4, 4, 1) X(1, 4, 4, 2) X(1, 4, 4, 4) X(2, 16, 9, 1) X(2, 16, 8, 2)
#define LRCN_CLUSTER_FORWARD_TF32(X) X(2, 2, 4, 1) X(2, 4, 4, 1) X(2, 4, 4, 2)
#define LRCN_CLUSTER_BACKWARD_TF32(X) X(1, 4, 4, 1) X(1, 8, 4, 1) X(1, 8, 4, 2)
#define LRCN_GRID_FORWARD_HALF(X) \
  X(1, 1, 2, 4, 1)                \
  X(1, 1, 4, 8, 1)                \
  X(1, 1, 4, 8, 2) X(1, 1, 4, 8, 4) X(2, 1, 4, 12, 2) X(1, 2, 2, 8, 4) X(2, 1, 8, 16, 1) X(2, 1, 8, 14, 2)
#define LRCN_GRID_BACKWARD_HALF(X) \
  X(1, 8, 8, 1)                    \
  X(1, 16, 10, 1)                  \
  X(1, 16, 10, 2) X(2, 8, 10, 2) X(4, 4, 10, 2) X(1, 32, 16, 1) X(1, 32, 16, 2) X(2, 16, 16, 2) X(4, 8, 16, 1)
#define LRCN_GRID_FORWARD_TF32(X) X(1, 1, 8, 6, 1) X(1, 1, 8, 6, 2) X(1, 2, 4, 6, 2)
#define LRCN_GRID_BACKWARD_TF32(X) X(1, 32, 6, 1) X(2, 16, 10, 2) X(4, 8, 10, 1)
