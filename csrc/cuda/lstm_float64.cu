#include "lstm_launch.cuh"

namespace lrcn_fast::cuda {

template Status run_forward<ScalarProducts<double>>(const LstmForward&, void*);
template Status run_backward<ScalarProducts<double>>(const LstmBackward&, const TransposedWeights&, void*);

}  // namespace lrcn_fast::cuda
