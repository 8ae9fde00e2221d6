#pragma once

namespace lrcn_fast {

// Instruction sets that were compiled in and that this CPU has, widest first, ended by a null pointer.
const char* const* cpu_isas();

// The one in use: the widest, unless set_cpu_isa() chose another.
const char* cpu_isa();

// False when `name` is not among cpu_isas(). Must not be called while kernels run.
bool set_cpu_isa(const char* name);

}  // namespace lrcn_fast
