#include "lrcn_fast/isa.h"

#include <atomic>
#include <cstring>

#include "kernels.h"

namespace lrcn_fast {
namespace {

struct Isa {
  const char* name;
  const cpu::Kernels* kernels;
};

// Ended by an empty entry; every list of names below follows its order.
const Isa* supported() {
  static Isa list[5] = {};
  static const bool filled = [] {
    int count = 0;
    // F16C is not asked for, because not every compiler knows its name here: all CPUs with AVX2 have it.
#if defined(LRCN_HAVE_AVX512)
    if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl") &&
        __builtin_cpu_supports("avx512dq")) {
#if defined(LRCN_HAVE_AVX512BF16)
      if (__builtin_cpu_supports("avx512bf16")) list[count++] = {"avx512bf16", &cpu::avx512bf16::kernels};
#endif
      list[count++] = {"avx512", &cpu::avx512::kernels};
    }
#endif
#if defined(LRCN_HAVE_AVX2)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
      list[count++] = {"avx2", &cpu::avx2::kernels};
    }
#endif
    list[count] = {"baseline", &cpu::baseline::kernels};
    return true;
  }();
  (void)filled;
  return list;
}

std::atomic<const Isa*>& in_use() {
  static std::atomic<const Isa*> isa{supported()};
  return isa;
}

}  // namespace

const char* const* cpu_isas() {
  static const char* names[6] = {};
  const Isa* list = supported();
  for (int k = 0; k < 5; ++k) names[k] = list[k].name;
  return names;
}

const char* cpu_isa() { return in_use().load()->name; }

bool set_cpu_isa(const char* name) {
  for (const Isa* isa = supported(); isa->name != nullptr; ++isa) {
    if (std::strcmp(isa->name, name) != 0) continue;
    in_use().store(isa);
    return true;
  }
  return false;
}

namespace cpu {
const Kernels& kernels() { return *in_use().load()->kernels; }
}  // namespace cpu

}  // namespace lrcn_fast
