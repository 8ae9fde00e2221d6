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

// Persistent kernels are there for tensor cores alone.
template <class Products, class Args>
Status try_plan(const Args& args, const LstmPlan& plan, bool& fitted, void* stream) {
  if (plan.kernel == LstmKernel::kStep) return Status::kOk;
  if constexpr (Products::kTensorCores) return cuda::run_persistent<Products>(args, plan, fitted, stream);
  return Status::kInvalidSize;
}

}  // namespace

size_t lstm_forward_workspace_cuda(const LstmShape& shape) {
  const cuda::ForwardWorkspace workspace(shape);
  return workspace.cell_bytes + workspace.unprojected_bytes;
}

size_t lstm_backward_workspace_cuda(const LstmShape& shape) { return cuda::ForwardWorkspace(shape).cell_bytes; }

Status lstm_forward_cuda(const LstmForward& args, Float32Products products, const LstmPlan& plan, void* stream) {
  if (args.shape.batch == 0) return Status::kOk;
  return with_products(args.shape.dtype, products, [&](auto product) {
    using Products = decltype(product);
    bool fitted = false;
    const Status status = try_plan<Products>(args, plan, fitted, stream);
    return fitted || status != Status::kOk ? status : cuda::run_forward<Products>(args, stream);
  });
}

Status lstm_backward_cuda(const LstmBackward& args, const TransposedWeights& weights, Float32Products products,
                          const LstmPlan& plan, void* stream) {
  if (args.shape.batch == 0) return Status::kOk;
  return with_products(args.shape.dtype, products, [&](auto product) {
    using Products = decltype(product);
    bool fitted = false;
    const Status status = try_plan<Products>(args, plan, fitted, stream);
    return fitted || status != Status::kOk ? status : cuda::run_backward<Products>(args, weights, stream);
  });
}

}  // namespace lrcn_fast
