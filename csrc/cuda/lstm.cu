#include "lrcn_fast/lstm.h"
#include "lstm_run.cuh"

namespace lrcn_fast {
namespace {

template <class Call>
Status with_products(DType dtype, Float32Products products, Call call) {
  switch (dtype) {
    case DType::kFloat64:
      return call(cuda::ScalarProducts<double>{});
    case DType::kFloat16:
      return call(cuda::HalfProducts<cuda::half_t>{});
    case DType::kBFloat16:
      return call(cuda::HalfProducts<cuda::bfloat16_t>{});
    case DType::kFloat32:
      switch (products) {
        case Float32Products::kFloat32:
          return call(cuda::ScalarProducts<float>{});
        case Float32Products::kTf32:
          return call(cuda::Tf32Products<1>{});
        case Float32Products::kTf32x3:
          return call(cuda::Tf32Products<3>{});
      }
  }
  return Status::kUnsupportedDType;
}

}  // namespace

size_t lstm_forward_workspace_cuda(const LstmShape& shape) {
  const cuda::ForwardWorkspace workspace(shape);
  return workspace.cell_bytes + workspace.unprojected_bytes;
}

size_t lstm_backward_workspace_cuda(const LstmShape& shape) { return cuda::ForwardWorkspace(shape).cell_bytes; }

Status lstm_forward_cuda(const LstmForward& args, Float32Products products, void* stream) {
  if (args.shape.batch == 0) return Status::kOk;
  return with_products(args.shape.dtype, products,
                       [&](auto product) { return cuda::run_forward<decltype(product)>(args, stream); });
}

Status lstm_backward_cuda(const LstmBackward& args, const TransposedWeights& weights, Float32Products products,
                          void* stream) {
  if (args.shape.batch == 0) return Status::kOk;
  return with_products(args.shape.dtype, products,
                       [&](auto product) { return cuda::run_backward<decltype(product)>(args, weights, stream); });
}

}  // namespace lrcn_fast
