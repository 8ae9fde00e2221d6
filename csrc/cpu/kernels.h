#pragma once

#include "lrcn_fast/cross_entropy.h"
#include "lrcn_fast/frames_to_input.h"
#include "lrcn_fast/lstm.h"
#include "lrcn_fast/lstm_cell.h"
#include "lrcn_fast/lstm_step.h"
#include "lrcn_fast/relu_max_pool_lrn.h"
#include "lrcn_fast/vocabulary_top_k.h"

namespace lrcn_fast::cpu {

// The kernels of one instruction set; csrc/cpu/isa is compiled into one such table for each.
struct Kernels {
  size_t (*lstm_forward_workspace)(const LstmShape&);
  size_t (*lstm_backward_workspace)(const LstmShape&);
  void (*lstm_forward)(const LstmForward&, const Parallel&);
  void (*lstm_backward)(const LstmBackward&, const Parallel&);
  void (*lstm_cell_forward)(const LstmCellForward&, const Parallel&);
  void (*lstm_cell_backward)(const LstmCellBackward&, const Parallel&);
  void (*cross_entropy)(const CrossEntropy&, const Parallel&);
  size_t (*lstm_step_workspace)(const LstmStep&, int64_t threads);
  void (*lstm_step)(const LstmStep&, const Parallel&);
  size_t (*vocabulary_top_k_workspace)(const VocabularyTopK&, int64_t threads);
  void (*vocabulary_top_k)(const VocabularyTopK&, const Parallel&);
  void (*frames_to_input)(const FramesToInput&, const Parallel&);
  size_t (*relu_max_pool_lrn_forward_workspace)(const ReluMaxPoolLrnShape&, int64_t threads);
  size_t (*relu_max_pool_lrn_backward_workspace)(const ReluMaxPoolLrnShape&, int64_t threads);
  void (*relu_max_pool_lrn_forward)(const ReluMaxPoolLrnForward&, const Parallel&);
  void (*relu_max_pool_lrn_backward)(const ReluMaxPoolLrnBackward&, const Parallel&);
};

namespace baseline {
extern const Kernels kernels;
}
namespace avx2 {
extern const Kernels kernels;
}
namespace avx512 {
extern const Kernels kernels;
}
namespace avx512bf16 {
extern const Kernels kernels;
}

// The kernels of the instruction set in use.
const Kernels& kernels();

}  // namespace lrcn_fast::cpu
