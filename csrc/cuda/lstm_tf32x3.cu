#include "lstm_launch.cuh"

namespace lrcn_fast::cuda {

template Status run_forward<Tf32Products<3>>(const LstmForward&, void*);
template Status run_backward<Tf32Products<3>>(const LstmBackward&, const TransposedWeights&, void*);

}  // namespace lrcn_fast::cuda
