#include "../kernels.h"

#include "cross_entropy.h"
#include "element.h"
#include "frames_to_input.h"
#include "lstm_backward.h"
#include "lstm_cell.h"
#include "lstm_forward.h"
#include "lstm_step.h"
#include "relu_max_pool_lrn.h"
#include "vocabulary_top_k.h"

namespace lrcn_fast::cpu::LRCN_ISA {
namespace {

size_t lstm_forward_workspace(const LstmShape& shape) {
  LstmForward args{};
  args.shape = shape;
  return with_dtype(shape.dtype, [&](auto element) {
    return ForwardJob<typename decltype(element)::Type>(args, nullptr).workspace_bytes();
  });
}

size_t lstm_backward_workspace(const LstmShape& shape) {
  LstmBackward args{};
  args.shape = shape;
  return with_dtype(shape.dtype, [&](auto element) {
    return BackwardJob<typename decltype(element)::Type>(args, nullptr).workspace_bytes();
  });
}

void lstm_forward(const LstmForward& args, const Parallel& parallel) {
  with_dtype(args.shape.dtype,
             [&](auto element) { ForwardJob<typename decltype(element)::Type>(args, args.workspace).run(parallel); });
}

void lstm_backward(const LstmBackward& args, const Parallel& parallel) {
  with_dtype(args.shape.dtype,
             [&](auto element) { BackwardJob<typename decltype(element)::Type>(args, args.workspace).run(parallel); });
}

void lstm_cell_forward(const LstmCellForward& params, const Parallel& parallel) {
  CellJob<LstmCellForward> job{params};
  with_dtype(params.dtype, [&](auto element) {
    parallel.run(params.batch * job.items_per_row, cell_forward<typename decltype(element)::Type>, &job);
  });
}

void lstm_cell_backward(const LstmCellBackward& params, const Parallel& parallel) {
  CellJob<LstmCellBackward> job{params};
  with_dtype(params.dtype, [&](auto element) {
    parallel.run(params.batch * job.items_per_row, cell_backward<typename decltype(element)::Type>, &job);
  });
}

void frames_to_input(const FramesToInput& params, const Parallel& parallel) {
  with_dtype(params.dtype, [&](auto element) {
    FramesJob<typename decltype(element)::Type> job(params);
    parallel.run(job.items(), convert_frames<typename decltype(element)::Type>, &job);
  });
}

void cross_entropy(const CrossEntropy& params, const Parallel& parallel) {
  with_dtype(params.dtype, [&](auto element) {
    parallel.run(params.rows, cross_entropy_rows<typename decltype(element)::Type>, const_cast<CrossEntropy*>(&params));
  });
}

size_t lstm_step_workspace(const LstmStep& params, int64_t threads) {
  return with_dtype(params.dtype, [&](auto element) {
    return StepJob<typename decltype(element)::Type>(params, threads, nullptr).workspace_bytes();
  });
}

void lstm_step(const LstmStep& params, const Parallel& parallel) {
  with_dtype(params.dtype, [&](auto element) {
    StepJob<typename decltype(element)::Type>(params, parallel.threads, params.workspace).run(parallel);
  });
}

size_t vocabulary_top_k_workspace(const VocabularyTopK& params, int64_t threads) {
  return with_dtype(params.dtype, [&](auto element) {
    return TopKJob<typename decltype(element)::Type>(params, threads, nullptr).workspace_bytes();
  });
}

void vocabulary_top_k(const VocabularyTopK& params, const Parallel& parallel) {
  with_dtype(params.dtype, [&](auto element) {
    TopKJob<typename decltype(element)::Type>(params, parallel.threads, params.workspace).run(parallel);
  });
}

}  // namespace

const Kernels kernels{lstm_forward_workspace,
                      lstm_backward_workspace,
                      lstm_forward,
                      lstm_backward,
                      lstm_cell_forward,
                      lstm_cell_backward,
                      cross_entropy,
                      lstm_step_workspace,
                      lstm_step,
                      vocabulary_top_k_workspace,
                      vocabulary_top_k,
                      frames_to_input,
                      relu_max_pool_lrn_forward_workspace,
                      relu_max_pool_lrn_backward_workspace,
                      relu_max_pool_lrn_forward,
                      relu_max_pool_lrn_backward};

}  // namespace lrcn_fast::cpu::LRCN_ISA
