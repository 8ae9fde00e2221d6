#include "lstm_persistent.cuh"

namespace lrcn_fast::cuda {

template Status run_persistent<HalfProducts<half_t>>(const LstmForward*, int, LstmChoice, bool&, void*);
template Status run_persistent<HalfProducts<half_t>>(const LstmBackward*, int, LstmChoice, bool&, void*);

}  // namespace lrcn_fast::cuda
