#include "lstm_persistent.cuh"

namespace lrcn_fast::cuda {

template Status run_persistent<Tf32Products<3>>(const LstmForward*, int, LstmChoice, bool&, void*);
template Status run_persistent<Tf32Products<3>>(const LstmBackward*, int, LstmChoice, bool&, void*);

}  // namespace lrcn_fast::cuda
