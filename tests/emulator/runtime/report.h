#pragma once

#include <string>

namespace lrcn_fast::emulator {

// Who waits where, of a launch in which nobody can go on.
std::string deadlock();

// The running thread returns from its kernel.
void end_thread();

}  // namespace lrcn_fast::emulator
