#include "arrays.h"
#include "lrcn_fast/lstm_step.h"
#include "lrcn_fast/vocabulary_top_k.h"

namespace lrcn_fast::emulator {
namespace {

using Optional = std::optional<py::array>;

const std::int64_t* indices(Arrays& arrays, const char* name, const Optional& array) {
  return static_cast<const std::int64_t*>(arrays.in(name, array));
}

void lstm_step(const py::array& h, const py::array& c, const py::array& parents, const py::array& weight_hh,
               const Optional& input, const Optional& weight_ih, const Optional& table, const Optional& words,
               const Optional& static_gates, const Optional& images, py::array h_n, py::array c_n) {
  Arrays arrays;
  LstmStep p = {};
  p.dtype = dtype_of(h);
  p.rows = h_n.shape(0);
  p.parents = h.shape(0);
  p.hidden = h_n.shape(1);
  p.inputs = input ? input->shape(1) : 0;
  p.h = arrays.in("h", h);
  p.c = arrays.in("c", c);
  p.parent = indices(arrays, "parents", parents);
  p.weight_hh = arrays.in("weight_hh", weight_hh);
  p.input = arrays.in("input", input);
  p.weight_ih = arrays.in("weight_ih", weight_ih);
  p.table = arrays.in("table", table);
  p.word = indices(arrays, "words", words);
  p.static_gates = arrays.in("static_gates", static_gates);
  p.image = indices(arrays, "images", images);
  p.h_n = arrays.out("h_n", h_n);
  p.c_n = arrays.out("c_n", c_n);
  arrays.run(lstm_step_cuda, p);
}

void vocabulary_top_k(const py::array& hidden, const py::array& weight, const Optional& bias, std::int64_t k,
                      const Optional& forbidden, py::array log_probs, py::array words) {
  Arrays arrays;
  VocabularyTopK p = {};
  p.dtype = dtype_of(hidden);
  p.rows = hidden.shape(0);
  p.hidden = hidden.shape(1);
  p.words = weight.shape(0);
  p.k = k;
  p.states = arrays.in("hidden", hidden);
  p.weight = arrays.in("weight", weight);
  p.bias = arrays.in("bias", bias);
  p.forbidden = static_cast<const bool*>(arrays.in("forbidden", forbidden));
  p.log_probs = arrays.out("log_probs", log_probs);
  p.found = static_cast<std::int64_t*>(arrays.out("words", words));
  p.workspace = arrays.scratch("workspace", vocabulary_top_k_workspace_cuda(p));
  arrays.run(vocabulary_top_k_cuda, p);
}

const Registration registration([](py::module_& m) {
  m.def("lstm_step", lstm_step);
  m.def("vocabulary_top_k", vocabulary_top_k);
});

}  // namespace
}  // namespace lrcn_fast::emulator
