#include "fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <cstring>
#include <new>

namespace lrcn_fast::emulator {
namespace {

constexpr std::size_t kStack = 128 * 1024;
constexpr std::uint64_t kCanary = 0x5ca1ab1e0ddba11;

// Stacks are kept for the life of the process: their pages are the dear part of a launch.
std::vector<unsigned char*>& spare_stacks() {
  static std::vector<unsigned char*> stacks;
  return stacks;
}

unsigned char* take_stack() {
  auto& spare = spare_stacks();
  if (spare.empty()) {
    void* stack = mmap(nullptr, kStack, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (stack == MAP_FAILED) throw std::bad_alloc();
    std::memcpy(stack, &kCanary, sizeof(kCanary));
    return static_cast<unsigned char*>(stack);
  }
  unsigned char* stack = spare.back();
  spare.pop_back();
  return stack;
}

}  // namespace

bool Fiber::overflowed() const { return stack_ != nullptr && std::memcmp(stack_, &kCanary, sizeof(kCanary)) != 0; }

void Fiber::recycle() {
  if (stack_ == nullptr) return;
  std::memcpy(stack_, &kCanary, sizeof(kCanary));
  spare_stacks().push_back(stack_);
  stack_ = nullptr;
}

#if defined(__x86_64__)

// Keeps the registers that a function must keep, and the stack pointer, at `*from`; goes on at `to`.
extern "C" void lrcn_emulator_switch(void** from, void* to);
asm(R"(
.text
.globl lrcn_emulator_switch
.hidden lrcn_emulator_switch
.type lrcn_emulator_switch, @function
lrcn_emulator_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size lrcn_emulator_switch, .-lrcn_emulator_switch
)");

void Fiber::start(void (*body)()) {
  constexpr std::size_t kRegisters = 6;
  stack_ = take_stack();
  // From the top: a return address that ends the frames, the body that `ret` goes to, the registers. The body
  // begins with the alignment of a function that was called.
  auto* top = reinterpret_cast<void**>(stack_ + kStack);
  *--top = nullptr;
  *--top = reinterpret_cast<void*>(body);
  for (std::size_t i = 0; i < kRegisters; ++i) *--top = nullptr;
  inside_ = top;
}

void Fiber::resume() { lrcn_emulator_switch(&outside_, inside_); }
void Fiber::leave() { lrcn_emulator_switch(&inside_, outside_); }

#else

void Fiber::start(void (*body)()) {
  stack_ = take_stack();
  getcontext(&inside_);
  inside_.uc_stack.ss_sp = stack_;
  inside_.uc_stack.ss_size = kStack;
  inside_.uc_link = nullptr;
  makecontext(&inside_, body, 0);
}

void Fiber::resume() { swapcontext(&outside_, &inside_); }
void Fiber::leave() { swapcontext(&inside_, &outside_); }

#endif

}  // namespace lrcn_fast::emulator
