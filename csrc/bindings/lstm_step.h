#pragma once

#include <optional>

#include "checks.h"
#include "lrcn_fast/lstm_step.h"

// What the bindings of every device share for the op lstm_step: check, allocate, fill the struct in.
namespace lrcn_fast::bindings {

// Owns the tensors that its params point into.
struct LstmStepCall {
  static constexpr const char* kOp = "lstm_step";
  using Optional = std::optional<Tensor>;

  LstmStepCall(const Tensor& h_any, const Tensor& c_any, const Tensor& parents_any, const Tensor& weight_hh_any,
               const Optional& input_any, const Optional& weight_ih_any, const Optional& table_any,
               const Optional& words_any, const Optional& static_any, const Optional& images_any)
      : h(torch::stable::contiguous(h_any)),
        c(torch::stable::contiguous(c_any)),
        parents(torch::stable::contiguous(parents_any)),
        weight_hh(torch::stable::contiguous(weight_hh_any)),
        input(dense(input_any)),
        weight_ih(dense(weight_ih_any)),
        table(dense(table_any)),
        words(dense(words_any)),
        static_gates(dense(static_any)),
        images(dense(images_any)) {
    check_rank(kOp, "h", h, 2, "(M, H)");
    params.dtype = check_floating(kOp, "h", h);
    params.parents = h.size(0);
    params.hidden = h.size(1);
    if (params.hidden == 0) fail(kOp, "argument 'h' must have at least one unit, got ", describe(h));
    const std::int64_t gates = 4 * params.hidden;
    check_like(kOp, "c", c, h, {params.parents, params.hidden}, "(M, H)");
    check_rank(kOp, "parents", parents, 1, "(N,)");
    params.rows = parents.size(0);
    check_index("parents", parents);
    check_like(kOp, "weight_hh", weight_hh, h, {gates, params.hidden}, "(4H, H)");
    check_together("input", input, "weight_ih", weight_ih);
    if (input.has_value()) {
      check_rank(kOp, "input", *input, 2, "(N, I)");
      params.inputs = input->size(1);
      check_like(kOp, "input", *input, h, {params.rows, params.inputs}, "(N, I)");
      check_like(kOp, "weight_ih", *weight_ih, h, {gates, params.inputs}, "(4H, I)");
    }
    check_gates("table", table, "(R, 4H)", "words", words);
    check_gates("static_gates", static_gates, "(S, 4H)", "images", images);

    h_n = torch::stable::new_empty(h, {params.rows, params.hidden});
    c_n = torch::stable::new_empty(h, {params.rows, params.hidden});
    params.h = h.const_data_ptr();
    params.c = c.const_data_ptr();
    params.parent = static_cast<const std::int64_t*>(parents.const_data_ptr());
    params.weight_hh = weight_hh.const_data_ptr();
    params.input = data_or_null(input);
    params.weight_ih = data_or_null(weight_ih);
    params.table = data_or_null(table);
    params.word = static_cast<const std::int64_t*>(data_or_null(words));
    params.static_gates = data_or_null(static_gates);
    params.image = static_cast<const std::int64_t*>(data_or_null(images));
    params.h_n = h_n.mutable_data_ptr();
    params.c_n = c_n.mutable_data_ptr();
  }

  // Looks at the values of the indices, which must be on the CPU.
  void check_indices() const {
    check_within("parents", params.parent, params.parents, true);
    if (table.has_value()) check_within("words", params.word, table->size(0), false);
    if (static_gates.has_value()) check_within("images", params.image, static_gates->size(0), false);
  }

  Tensor h, c, parents, weight_hh;
  Optional input, weight_ih, table, words, static_gates, images;
  Tensor h_n, c_n;
  LstmStep params = {};

 private:
  static Optional dense(const Optional& tensor) {
    if (!tensor.has_value()) return std::nullopt;
    return torch::stable::contiguous(*tensor);
  }

  static void check_together(const char* first_name, const Optional& first, const char* second_name,
                             const Optional& second) {
    if (first.has_value() == second.has_value()) return;
    fail(kOp, "arguments '", first_name, "' and '", second_name, "' must be given together, got only '",
         first.has_value() ? first_name : second_name, "'");
  }

  void check_index(const char* argument, const Tensor& index) const {
    check_shape(kOp, argument, index, {params.rows}, "(N,)");
    check_dtype(kOp, argument, index, ScalarType::Long);
    check_device(kOp, argument, index, h);
  }

  void check_gates(const char* argument, const Optional& gates, const char* letters, const char* index_name,
                   const Optional& index) const {
    check_together(argument, gates, index_name, index);
    if (!gates.has_value()) return;
    check_rank(kOp, argument, *gates, 2, letters);
    check_like(kOp, argument, *gates, h, {gates->size(0), 4 * params.hidden}, letters);
    check_index(index_name, *index);
  }

  void check_within(const char* argument, const std::int64_t* index, std::int64_t end, bool may_be_negative) const {
    for (std::int64_t n = 0; n < params.rows; ++n) {
      if (index[n] < end && (may_be_negative || index[n] >= 0)) continue;
      fail(kOp, "argument '", argument, "' must have values below ", end,
           may_be_negative ? ", or negative ones" : " and none below 0", ", got ", index[n]);
    }
  }
};

}  // namespace lrcn_fast::bindings
