#pragma once

#include <cstddef>
#include <initializer_list>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "lstm.h"

// Lists of the op lstm_scans: a tensor for each scan, one layer in one direction. A list of what no scan has is empty,
// and a tensor of shape (0,) stands for what a scan lacks.
namespace lrcn_fast::bindings {

using Tensors = std::vector<Tensor>;

inline OptionalTensor optional_at(const Tensors& list, std::size_t scan) {
  if (list.empty() || (list[scan].dim() == 1 && list[scan].size(0) == 0)) return std::nullopt;
  return list[scan];
}

// Lists that have one element for each scan.
template <class List>
void check_count(const char* op, const char* argument, const List& list, std::size_t scans) {
  if (list.size() != scans)
    fail(op, "argument '", argument, "' must have one element for each of ", scans, " scans, got ", list.size());
}

struct NamedList {
  const char* name;
  const Tensors& list;
};

inline void check_optional_counts(const char* op, std::size_t scans, std::initializer_list<NamedList> lists) {
  for (const NamedList& named : lists) {
    if (!named.list.empty()) check_count(op, named.name, named.list, scans);
  }
}

// Kernels run scans side by side only where all blocks are alike.
template <class Call>
void check_alike(const char* op, const char* argument, const std::vector<Call>& calls, const Tensors& list) {
  for (std::size_t n = 1; n < calls.size(); ++n) {
    check_device(op, argument, list[n], list[0]);
    check_dtype(op, argument, list[n], list[0].scalar_type());
    const LstmShape &first = calls[0].args.shape, &other = calls[n].args.shape;
    if (first.batch != other.batch || first.hidden != other.hidden || first.projected != other.projected)
      fail(op, "argument '", argument, "' must have the same B, H and P in all scans, got ", describe(list[0]), " and ",
           describe(list[n]));
  }
}

template <class Call, std::size_t... kResults>
auto lists_of(const std::vector<Call>& calls, std::index_sequence<kResults...>) {
  const auto list = [&](auto result) {
    Tensors tensors;
    for (const Call& call : calls) tensors.push_back(std::get<result>(call.results()));
    return tensors;
  };
  return std::tuple(list(std::integral_constant<std::size_t, kResults>{})...);
}

// Each result as a list over the scans.
template <class Call>
auto lists_of(const std::vector<Call>& calls) {
  return lists_of(calls, std::make_index_sequence<std::tuple_size_v<decltype(calls[0].results())>>{});
}

struct LstmScansForward {
  static constexpr const char* kOp = "lstm_scans_forward";
  std::vector<LstmForwardCall> calls;

  LstmScansForward(const Tensors& gates, const Tensors& weight_hh, const Tensors& weight_hr,
                   const Tensors& static_gates, const Tensors& h0, const Tensors& c0, const Tensors& cont,
                   const Tensors& lengths, const std::vector<bool>& reverse, bool batch_first, bool save_cells,
                   bool save_activations) {
    const std::size_t count = gates.size();
    if (count == 0) fail(kOp, "argument 'gates' must have at least one scan, got an empty list");
    check_count(kOp, "weight_hh", weight_hh, count);
    check_count(kOp, "reverse", reverse, count);
    check_optional_counts(kOp, count,
                          {{"weight_hr", weight_hr},
                           {"static_gates", static_gates},
                           {"h0", h0},
                           {"c0", c0},
                           {"cont", cont},
                           {"lengths", lengths}});
    calls.reserve(count);
    for (std::size_t n = 0; n < count; ++n) {
      calls.emplace_back(kOp, gates[n], weight_hh[n], optional_at(weight_hr, n), optional_at(static_gates, n),
                         optional_at(h0, n), optional_at(c0, n), optional_at(cont, n), optional_at(lengths, n),
                         reverse[n], batch_first, save_cells, save_activations);
    }
    check_alike(kOp, "gates", calls, gates);
  }

  auto results() const { return lists_of(calls); }
};

struct LstmScansBackward {
  static constexpr const char* kOp = "lstm_scans_backward";
  std::vector<LstmBackwardCall> calls;

  LstmScansBackward(const Tensors& grad_output, const Tensors& grad_h_n, const Tensors& grad_c_n,
                    const Tensors& grad_cells, const Tensors& activations, const Tensors& cells,
                    const Tensors& weight_hh, const Tensors& weight_hr, const Tensors& c0, const Tensors& cont,
                    const Tensors& lengths, const std::vector<bool>& reverse, bool batch_first) {
    const std::size_t count = activations.size();
    if (count == 0) fail(kOp, "argument 'activations' must have at least one scan, got an empty list");
    check_count(kOp, "cells", cells, count);
    check_count(kOp, "weight_hh", weight_hh, count);
    check_count(kOp, "reverse", reverse, count);
    check_optional_counts(kOp, count,
                          {{"grad_output", grad_output},
                           {"grad_h_n", grad_h_n},
                           {"grad_c_n", grad_c_n},
                           {"grad_cells", grad_cells},
                           {"weight_hr", weight_hr},
                           {"c0", c0},
                           {"cont", cont},
                           {"lengths", lengths}});
    calls.reserve(count);
    for (std::size_t n = 0; n < count; ++n) {
      calls.emplace_back(kOp, optional_at(grad_output, n), optional_at(grad_h_n, n), optional_at(grad_c_n, n),
                         optional_at(grad_cells, n), activations[n], cells[n], weight_hh[n], optional_at(weight_hr, n),
                         optional_at(c0, n), optional_at(cont, n), optional_at(lengths, n), reverse[n], batch_first);
    }
    check_alike(kOp, "activations", calls, activations);
  }

  auto results() const { return lists_of(calls); }
};

}  // namespace lrcn_fast::bindings
