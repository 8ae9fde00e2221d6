#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

// Device memory of a call: copies of the caller's arrays, with nothing around them, so that each access that
// leaves an array is found.

namespace lrcn_fast::emulator {

struct Buffer;

// A part of an array that lies together.
struct Run {
  std::size_t offset, bytes;
};

class Buffers {
 public:
  Buffers();
  ~Buffers();
  Buffers(const Buffers&) = delete;
  Buffers& operator=(const Buffers&) = delete;

  // `runs` of the `bytes` at `data` are the array; the rest lies between its rows.
  void* add(const std::string& name, void* data, std::size_t bytes, const std::vector<Run>& runs, bool writable);
  // Memory of the device alone, in which every number is a NaN.
  void* scratch(const std::string& name, std::size_t bytes);
  // Memory of the device alone, all zeros.
  void* zeros(const std::string& name, std::size_t bytes);
  // Copies what can be written back to the caller's arrays.
  void copy_back() const;

 private:
  struct Entry;
  std::vector<std::unique_ptr<Entry>> entries_;
};

}  // namespace lrcn_fast::emulator
