#include <algorithm>

#include "lrcn_fast/lstm.h"
#include "lrcn_fast/lstm_plan.h"
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
Status try_plan(const Args* scans, int count, const LstmPlan& plan, bool& fitted, void* stream) {
  fitted = false;
  if (plan.kernel == LstmKernel::kStep) return Status::kOk;
  if constexpr (Products::kTensorCores) return cuda::run_persistent<Products>(scans, count, plan, fitted, stream);
  return Status::kInvalidSize;
}

// As many scans together as the plan says, else each alone, else a scan's steps: run_steps(its number).
template <class Products, class Args, class RunSteps>
Status run_scans(const Args* scans, int count, const LstmPlan& plan, RunSteps run_steps, void* stream) {
  for (int first = 0, together = 1; first < count; first += together) {
    bool fitted = false;
    together = std::clamp(static_cast<int>(plan.scans), 1, std::min(kMostScans, count - first));
    Status status = try_plan<Products>(scans + first, together, plan, fitted, stream);
    if (status == Status::kOk && !fitted && together > 1) {
      together = 1;
      status = try_plan<Products>(scans + first, together, plan, fitted, stream);
    }
    if (status == Status::kOk && !fitted) status = run_steps(first);
    if (status != Status::kOk) return status;
  }
  return Status::kOk;
}

}  // namespace

size_t lstm_forward_workspace_cuda(const LstmShape& shape) {
  const cuda::ForwardWorkspace workspace(shape);
  return workspace.cell_bytes + workspace.unprojected_bytes;
}

size_t lstm_backward_workspace_cuda(const LstmShape& shape) { return cuda::ForwardWorkspace(shape).cell_bytes; }

Status lstm_forward_cuda(const LstmForward* scans, int count, Float32Products products, const LstmPlan& plan,
                         void* stream) {
  if (scans[0].shape.batch == 0) return Status::kOk;
  return with_products(scans[0].shape.dtype, products, [&](auto product) {
    using Products = decltype(product);
    const auto run_steps = [&](int n) { return cuda::run_forward<Products>(scans[n], stream); };
    return run_scans<Products>(scans, count, plan, run_steps, stream);
  });
}

Status lstm_backward_cuda(const LstmBackward* scans, int count, const Transposer& transposer, Float32Products products,
                          const LstmPlan& plan, void* stream) {
  if (scans[0].shape.batch == 0) return Status::kOk;
  return with_products(scans[0].shape.dtype, products, [&](auto product) {
    using Products = decltype(product);
    const auto run_steps = [&](int n) {
      const TransposedWeights weights = transposer.transpose(transposer.context, n);
      return cuda::run_backward<Products>(scans[n], weights, stream);
    };
    return run_scans<Products>(scans, count, plan, run_steps, stream);
  });
}

}  // namespace lrcn_fast
