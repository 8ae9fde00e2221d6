#pragma once

#include <cstddef>
#include <vector>

#if !defined(__x86_64__)
#include <ucontext.h>
#endif

// One thread of control on a stack of its own. A fiber that is not resumed any more is simply dropped: what
// lies on its stack is not destroyed.

namespace lrcn_fast::emulator {

class Fiber {
 public:
  // `body` runs when the fiber is first resumed and must end with leave(), after which nobody resumes it.
  void start(void (*body)());
  void resume();
  // Called inside: back to whom resumed.
  void leave();

  bool started() const { return stack_ != nullptr; }
  bool overflowed() const;
  // Gives the stack to the next fiber that starts.
  void recycle();

 private:
  unsigned char* stack_ = nullptr;
#if defined(__x86_64__)
  void* inside_ = nullptr;
  void* outside_ = nullptr;
#else
  ucontext_t inside_, outside_;
#endif
};

}  // namespace lrcn_fast::emulator
