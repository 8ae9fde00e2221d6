#pragma once

#include <optional>

#include "checks.h"
#include "lrcn_fast/vocabulary_top_k.h"

// What the bindings of every device share for the op vocabulary_top_k: check, allocate, fill the struct in.
namespace lrcn_fast::bindings {

// Owns the tensors that its params point into.
struct VocabularyTopKCall {
  static constexpr const char* kOp = "vocabulary_top_k";
  using Optional = std::optional<Tensor>;

  VocabularyTopKCall(const Tensor& hidden_any, const Tensor& weight_any, const Optional& bias_any, std::int64_t k,
                     const Optional& forbidden_any)
      : hidden(torch::stable::contiguous(hidden_any)),
        weight(torch::stable::contiguous(weight_any)),
        bias(bias_any.has_value() ? Optional(torch::stable::contiguous(*bias_any)) : std::nullopt),
        forbidden(forbidden_any.has_value() ? Optional(torch::stable::contiguous(*forbidden_any)) : std::nullopt) {
    check_rank(kOp, "hidden", hidden, 2, "(N, H)");
    params.dtype = check_floating(kOp, "hidden", hidden);
    params.rows = hidden.size(0);
    params.hidden = hidden.size(1);
    check_rank(kOp, "weight", weight, 2, "(V, H)");
    params.words = weight.size(0);
    check_like(kOp, "weight", weight, hidden, {params.words, params.hidden}, "(V, H)");
    if (params.words == 0 || params.hidden == 0)
      fail(kOp, "argument 'weight' must have at least one word and unit, got ", describe(weight));
    check_optional(kOp, "bias", bias, hidden, {params.words}, "(V,)");
    if (k < 1) fail(kOp, "argument 'k' must be at least 1, got ", k);
    params.k = k;
    if (forbidden.has_value()) {
      check_shape(kOp, "forbidden", *forbidden, {params.words}, "(V,)");
      check_dtype(kOp, "forbidden", *forbidden, ScalarType::Bool);
      check_device(kOp, "forbidden", *forbidden, hidden);
    }

    const ScalarType compute = params.dtype == DType::kFloat64 ? ScalarType::Double : ScalarType::Float;
    log_probs = torch::stable::new_empty(hidden, {params.rows, k}, compute);
    words = torch::stable::new_empty(hidden, {params.rows, k}, ScalarType::Long);
    params.states = hidden.const_data_ptr();
    params.weight = weight.const_data_ptr();
    params.bias = data_or_null(bias);
    params.forbidden = static_cast<const bool*>(data_or_null(forbidden));
    params.log_probs = log_probs.mutable_data_ptr();
    params.found = static_cast<std::int64_t*>(words.mutable_data_ptr());
  }

  Tensor hidden, weight;
  Optional bias, forbidden;
  Tensor log_probs, words;
  VocabularyTopK params = {};
};

}  // namespace lrcn_fast::bindings
