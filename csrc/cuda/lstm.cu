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

// The first of the plan's choices that the device has room for takes as many scans as it says from the first on: their
// number, 0 if there is none. Persistent kernels are there for tensor cores alone.
template <class Products, class Args>
Status try_plan(const Args* scans, int count, const LstmPlan& plan, int& taken, void* stream) {
  taken = 0;
  for (std::int32_t n = 0; n < plan.choices; ++n) {
    if constexpr (Products::kTensorCores) {
      bool fitted = false;
      const int together = std::clamp(static_cast<int>(plan.choice[n].scans), 1, std::min(kMostScans, count));
      const Status status = cuda::run_persistent<Products>(scans, together, plan.choice[n], fitted, stream);
      if (fitted) taken = together;
      if (fitted || status != Status::kOk) return status;
    } else {
      return Status::kInvalidSize;
    }
  }
  return Status::kOk;
}

// run_steps(number): a scan, one launch a step.
template <class Products, class Args, class RunSteps>
Status run_scans(const Args* scans, int count, const LstmPlan& plan, RunSteps run_steps, void* stream) {
  for (int first = 0, taken = 0; first < count; first += std::max(taken, 1)) {
    Status status = try_plan<Products>(scans + first, count - first, plan, taken, stream);
    if (status == Status::kOk && taken == 0) status = run_steps(first);
    if (status != Status::kOk) return status;
  }
  return Status::kOk;
}

bool may_run_grid(const LstmPlan& plan) {
  return std::any_of(plan.choice, plan.choice + plan.choices,
                     [](const LstmChoice& choice) { return choice.kernel == LstmKernel::kGrid; });
}

}  // namespace

size_t lstm_workspace_cuda(const LstmForward& scan, const LstmPlan& plan) {
  const cuda::ForwardWorkspace steps(scan.shape);
  const cuda::GridWorkspace grid(scan.shape, 1);
  return std::max(steps.cell_bytes + steps.unprojected_bytes,
                  may_run_grid(plan) ? grid.exchange_bytes() + grid.states_bytes : 0);
}

size_t lstm_workspace_cuda(const LstmBackward& scan, const LstmPlan& plan) {
  return std::max(cuda::ForwardWorkspace(scan.shape).cell_bytes,
                  may_run_grid(plan) ? cuda::GridWorkspace(scan.shape, 4).exchange_bytes() : 0);
}

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
