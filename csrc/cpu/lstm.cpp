#include "lrcn_fast/lstm.h"

#include "kernels.h"

namespace lrcn_fast {
namespace {

// Recurrent weights of a scan, as stored, that one core keeps close enough to work on alone.
constexpr int64_t kWeightsOfOneCore = 1 << 20;

// Threads that share a scan meet at every step. Where there is one for each scan, none has to.
bool one_thread_each(const LstmShape& shape, int64_t count, const Parallel& parallel) {
  return count > 1 && parallel.threads == count && 4 * shape.hidden * shape.projected <= kWeightsOfOneCore;
}

template <class Scan>
void run_scans(void (*run)(const Scan&, const Parallel&), const Scan* scans, int64_t count, const Parallel& parallel) {
  if (!one_thread_each(scans[0].shape, count, parallel)) {
    for (int64_t n = 0; n < count; ++n) run(scans[n], parallel);
    return;
  }
  struct Job {
    void (*run)(const Scan&, const Parallel&);
    const Scan* scans;
  } job{run, scans};
  const auto in_this_thread = [](int64_t begin, int64_t end, void* context) {
    const Parallel alone{1, [](int64_t n, Parallel::Body body, void* given) { body(0, n, given); }};
    const Job& all = *static_cast<Job*>(context);
    for (int64_t n = begin; n < end; ++n) all.run(all.scans[n], alone);
  };
  parallel.run(count, in_this_thread, &job);
}

}  // namespace

size_t lstm_forward_workspace_cpu(const LstmShape& shape) { return cpu::kernels().lstm_forward_workspace(shape); }

size_t lstm_backward_workspace_cpu(const LstmShape& shape) { return cpu::kernels().lstm_backward_workspace(shape); }

void lstm_forward_cpu(const LstmForward& args, const Parallel& parallel) {
  cpu::kernels().lstm_forward(args, parallel);
}

void lstm_backward_cpu(const LstmBackward& args, const Parallel& parallel) {
  cpu::kernels().lstm_backward(args, parallel);
}

void lstm_scans_forward_cpu(const LstmForward* scans, int64_t count, const Parallel& parallel) {
  run_scans(lstm_forward_cpu, scans, count, parallel);
}

void lstm_scans_backward_cpu(const LstmBackward* scans, int64_t count, const Parallel& parallel) {
  run_scans(lstm_backward_cpu, scans, count, parallel);
}

void lstm_cell_forward_cpu(const LstmCellForward& params, const Parallel& parallel) {
  cpu::kernels().lstm_cell_forward(params, parallel);
}

void lstm_cell_backward_cpu(const LstmCellBackward& params, const Parallel& parallel) {
  cpu::kernels().lstm_cell_backward(params, parallel);
}

}  // namespace lrcn_fast
