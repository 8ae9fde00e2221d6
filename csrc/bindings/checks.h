#pragma once

#include <torch/csrc/stable/ops.h>
#include <torch/csrc/stable/tensor.h>
#include <torch/headeronly/core/ScalarType.h>

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <sstream>
#include <stdexcept>
#include <string>

#include "lrcn_fast/types.h"

// What the bindings of an op do before a kernel sees a pointer. Every failure is a std::runtime_error, a
// RuntimeError in Python, that begins with the op and names the argument, what came and what was expected.

// torch 2.11's name for it.
#ifndef STABLE_TORCH_ERROR_CODE_CHECK
#define STABLE_TORCH_ERROR_CODE_CHECK TORCH_ERROR_CODE_CHECK
#endif

namespace lrcn_fast::bindings {

using torch::headeronly::ScalarType;
using torch::stable::Tensor;

template <typename... Words>
[[noreturn]] void fail(const char* op, const Words&... words) {
  std::ostringstream message;
  message << "lrcn_fast::" << op << ": ";
  (message << ... << words);
  throw std::runtime_error(message.str());
}

// torch's Python spelling of a dtype.
inline std::string name_of(ScalarType type) {
  switch (type) {
    case ScalarType::Float:
      return "float32";
    case ScalarType::Double:
      return "float64";
    case ScalarType::Half:
      return "float16";
    case ScalarType::BFloat16:
      return "bfloat16";
    case ScalarType::Bool:
      return "bool";
    case ScalarType::Long:
      return "int64";
    case ScalarType::Int:
      return "int32";
    default:
      return torch::headeronly::toString(type);
  }
}

template <typename Sizes>
std::string shape_text(const Sizes& sizes) {
  std::ostringstream text;
  const char* separator = "(";
  for (std::int64_t size : sizes) {
    text << separator << size;
    separator = ", ";
  }
  text << (sizes.size() == 0 ? "()" : sizes.size() == 1 ? ",)" : ")");
  return text.str();
}

inline std::string device_text(const Tensor& tensor) {
  if (tensor.is_cpu()) return "cpu";
  std::ostringstream text;
  text << (tensor.is_cuda() ? "cuda:" : "device ") << tensor.get_device_index();
  return text.str();
}

// For example "a float32 tensor of shape (3, 5) on cuda:0".
inline std::string describe(const Tensor& tensor) {
  return "a " + name_of(tensor.scalar_type()) + " tensor of shape " + shape_text(tensor.sizes()) + " on " +
         device_text(tensor);
}

inline void check_rank(const char* op, const char* argument, const Tensor& tensor, std::int64_t rank,
                       const char* letters) {
  if (tensor.dim() == rank) return;
  fail(op, "argument '", argument, "' must have ", rank, " dimensions ", letters, ", got ", describe(tensor));
}

// `letters` spells the shape out for the reader of the error, for example "(B, 4H)".
inline void check_shape(const char* op, const char* argument, const Tensor& tensor,
                        std::initializer_list<std::int64_t> expected, const char* letters) {
  const auto sizes = tensor.sizes();
  bool same = sizes.size() == expected.size();
  std::size_t dimension = 0;
  for (std::int64_t size : expected) same = same && sizes[dimension++] == size;
  if (same) return;
  fail(op, "argument '", argument, "' must have shape ", letters, " = ", shape_text(expected), ", got ",
       describe(tensor));
}

inline void check_dtype(const char* op, const char* argument, const Tensor& tensor, ScalarType expected) {
  if (tensor.scalar_type() == expected) return;
  fail(op, "argument '", argument, "' must have dtype ", name_of(expected), ", got ", describe(tensor));
}

inline std::optional<DType> floating(ScalarType type) {
  switch (type) {
    case ScalarType::Float:
      return DType::kFloat32;
    case ScalarType::Double:
      return DType::kFloat64;
    case ScalarType::Half:
      return DType::kFloat16;
    case ScalarType::BFloat16:
      return DType::kBFloat16;
    default:
      return std::nullopt;
  }
}

inline DType check_floating(const char* op, const char* argument, const Tensor& tensor) {
  if (const auto dtype = floating(tensor.scalar_type())) return *dtype;
  fail(op, "argument '", argument, "' must be float32, float64, float16 or bfloat16, got ", describe(tensor));
}

inline DType check_floating(const char* op, const char* argument, ScalarType type) {
  if (const auto dtype = floating(type)) return *dtype;
  fail(op, "argument '", argument, "' must be float32, float64, float16 or bfloat16, got ", name_of(type));
}

inline void check_device(const char* op, const char* argument, const Tensor& tensor, const Tensor& like) {
  if (tensor.device() == like.device()) return;
  fail(op, "argument '", argument, "' must be on ", device_text(like), " like the others, got ", describe(tensor));
}

// Shape, and the dtype and device that the op's first tensor has set.
inline void check_like(const char* op, const char* argument, const Tensor& tensor, const Tensor& like,
                       std::initializer_list<std::int64_t> expected, const char* letters) {
  check_shape(op, argument, tensor, expected, letters);
  check_dtype(op, argument, tensor, like.scalar_type());
  check_device(op, argument, tensor, like);
}

inline void check_optional(const char* op, const char* argument, const std::optional<Tensor>& tensor,
                           const Tensor& like, std::initializer_list<std::int64_t> expected, const char* letters) {
  if (tensor.has_value()) check_like(op, argument, *tensor, like, expected, letters);
}

inline void check_status(const char* op, const Tensor& first, Status status, const char* detail = "") {
  if (status == Status::kOk) return;
  fail(op, to_string(status), *detail == '\0' ? "" : ": ", detail, " (first argument: ", describe(first), ")");
}

// The tensor itself where its last dimension is dense, else a contiguous copy: gradients of sum() are
// expanded, with stride 0.
inline Tensor with_unit_last_stride(const Tensor& tensor) {
  const std::int64_t last = tensor.dim() - 1;
  if (last < 0 || tensor.size(last) <= 1 || tensor.stride(last) == 1) return tensor;
  return torch::stable::contiguous(tensor);
}

inline std::optional<Tensor> with_unit_last_stride(const std::optional<Tensor>& tensor) {
  if (!tensor.has_value()) return std::nullopt;
  return with_unit_last_stride(*tensor);
}

inline std::optional<Tensor> contiguous(const std::optional<Tensor>& tensor) {
  if (!tensor.has_value()) return std::nullopt;
  return torch::stable::contiguous(*tensor);
}

inline const void* data_or_null(const std::optional<Tensor>& tensor) {
  return tensor.has_value() ? tensor->const_data_ptr() : nullptr;
}

inline std::int64_t stride_or_zero(const std::optional<Tensor>& tensor, std::int64_t dimension) {
  return tensor.has_value() ? tensor->stride(dimension) : 0;
}

}  // namespace lrcn_fast::bindings
