#include "lrcn_fast/lstm.h"

#include "kernels.h"

namespace lrcn_fast {

size_t lstm_forward_workspace_cpu(const LstmShape& shape) { return cpu::kernels().lstm_forward_workspace(shape); }

size_t lstm_backward_workspace_cpu(const LstmShape& shape) { return cpu::kernels().lstm_backward_workspace(shape); }

void lstm_forward_cpu(const LstmForward& args, const Parallel& parallel) {
  cpu::kernels().lstm_forward(args, parallel);
}

void lstm_backward_cpu(const LstmBackward& args, const Parallel& parallel) {
  cpu::kernels().lstm_backward(args, parallel);
}

void lstm_cell_forward_cpu(const LstmCellForward& params, const Parallel& parallel) {
  cpu::kernels().lstm_cell_forward(params, parallel);
}

void lstm_cell_backward_cpu(const LstmCellBackward& params, const Parallel& parallel) {
  cpu::kernels().lstm_cell_backward(params, parallel);
}

}  // namespace lrcn_fast
