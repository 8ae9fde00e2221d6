#pragma once

namespace lrcn_fast {

// The CUDA runtime's description of the last launch refused on the calling thread. Static storage.
const char* launch_error();

}  // namespace lrcn_fast
