#include "launch_error.cuh"

namespace lrcn_fast {
namespace {

thread_local const char* last_error = "";

}  // namespace

void set_launch_error(cudaError_t error) { last_error = cudaGetErrorString(error); }

const char* launch_error() { return last_error; }

}  // namespace lrcn_fast
