#include "lstm_launch.cuh"

namespace lrcn_fast::cuda {

template Status run_forward<HalfProducts<half_t>>(const LstmForward&, void*);
template Status run_backward<HalfProducts<half_t>>(const LstmBackward&, const TransposedWeights&, void*);

}  // namespace lrcn_fast::cuda
