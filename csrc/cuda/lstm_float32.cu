#include "lstm_launch.cuh"

namespace lrcn_fast::cuda {

template Status run_forward<ScalarProducts<float>>(const LstmForward&, void*);
template Status run_backward<ScalarProducts<float>>(const LstmBackward&, const TransposedWeights&, void*);

}  // namespace lrcn_fast::cuda
