#include "lstm_cell.cuh"

namespace lrcn_fast {

Status lstm_cell_forward_cuda(const LstmCellForward& params, void* stream) {
  return cuda::lstm_cell_forward(params, stream);
}

Status lstm_cell_backward_cuda(const LstmCellBackward& params, void* stream) {
  return cuda::lstm_cell_backward(params, stream);
}

}  // namespace lrcn_fast
