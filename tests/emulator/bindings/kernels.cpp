#include "../kernels/assorted.h"
#include "../kernels/cluster_lstm.h"
#include "../kernels/copies.h"
#include "../kernels/exchange.h"
#include "../kernels/overlap.h"
#include "../kernels/product.h"
#include "../kernels/reduction.h"
#include "arrays.h"

// The kernels that prove the emulator.

namespace lrcn_fast::emulator {
namespace {

using namespace lrcn_fast::kernels;

template <class T>
const T* as(const void* p) {
  return static_cast<const T*>(p);
}
template <class T>
T* as(void* p) {
  return static_cast<T*>(p);
}

unsigned length(const py::array& array, int dimension) { return static_cast<unsigned>(array.shape(dimension)); }

void run_reduction(const py::array& in, py::array out, Fault fault) {
  Arrays arrays;
  const Reduction p = {as<float>(arrays.in("in", in)), length(in, 0), length(in, 1), as<float>(arrays.out("out", out)),
                       fault};
  arrays.run(reduction, p);
}

template <class T>
void run_product_of(const py::array& a, const py::array& b, py::array& out, Fault fault) {
  Arrays arrays;
  const Product<T> p = {as<T>(arrays.in("a", a)), as<T>(arrays.in("b", b)), length(a, 1),
                        as<float>(arrays.out("out", out)), fault};
  arrays.run(product<T>, p);
}

void run_product(const py::array& a, const py::array& b, py::array out, Fault fault) {
  switch (dtype_of(a)) {
    case DType::kFloat16:
      return run_product_of<half_t>(a, b, out, fault);
    case DType::kBFloat16:
      return run_product_of<bfloat16_t>(a, b, out, fault);
    default:
      return run_product_of<float>(a, b, out, fault);
  }
}

void run_exchange(const py::array& w, const py::array& h0, unsigned steps, bool by_words, py::array out, Fault fault) {
  Arrays arrays;
  Exchange p = {};
  p.w = as<float>(arrays.in("w", w));
  p.h0 = as<float>(arrays.in("h0", h0));
  p.n = length(h0, 0);
  p.steps = steps;
  p.h = as<float>(arrays.scratch("h", 2 * p.n * sizeof(float)));
  p.flags = as<std::uint32_t>(arrays.zeros("flags", p.n / 32 * sizeof(std::uint32_t)));
  if (by_words) p.words = as<Words4>(arrays.zeros("words", 3 * p.n / 2 * sizeof(Words4)));
  p.out = as<float>(arrays.out("out", out));
  p.fault = fault;
  arrays.run(exchange, p);
}

void run_cluster_lstm(const py::array& w, const py::array& gates, py::array out, Push push, Fault fault) {
  Arrays arrays;
  const ClusterLstm p = {as<float>(arrays.in("w", w)),
                         as<float>(arrays.in("gates", gates)),
                         length(w, 1),
                         length(gates, 0),
                         as<float>(arrays.out("out", out)),
                         push,
                         fault};
  arrays.run(cluster_lstm, p);
}

void run_copies(const py::array& in, py::array out, bool bulk, Fault fault) {
  Arrays arrays;
  const Copies p = {as<float>(arrays.in("in", in)), length(in, 0), as<float>(arrays.out("out", out)), bulk, fault};
  arrays.run(copies, p);
}

void run_overlap(const py::array& in, py::array out, Fault fault) {
  Arrays arrays;
  const unsigned bytes = length(in, 0) * sizeof(float);
  const Overlap p = {as<float>(arrays.in("in", in)), as<float>(arrays.scratch("middle", bytes)),
                     as<float>(arrays.out("out", out)), fault};
  arrays.run([&] { return overlap(p, length(in, 0), nullptr); });
}

void run_assorted(const py::array& in, py::array out, py::array arrivals, py::array flags) {
  Arrays arrays;
  const Assorted p = {as<float>(arrays.in("in", in)), as<float>(arrays.out("out", out)),
                      as<std::uint32_t>(arrays.out("arrivals", arrivals)),
                      as<std::uint64_t>(arrays.out("flags", flags))};
  arrays.run(assorted, p);
}

const Registration registration([](py::module_& m) {
  using py::arg;
  py::enum_<Push>(m, "Push")
      .value("STORE_ASYNC", Push::kStoreAsync)
      .value("STORE_PEER", Push::kStorePeer)
      .value("BULK", Push::kBulk);
  py::enum_<Fault> fault(m, "Fault");
  const char* names[] = {"NONE",
                         "NO_BLOCK_BARRIER",
                         "NO_WARP_BARRIER",
                         "DIVERGENT_SHUFFLE",
                         "LEAVES_EARLY",
                         "WARP_LEAVES_EARLY",
                         "BARRIER_IN_BRANCH",
                         "WRITES_INPUT",
                         "WRITES_CONSTANT",
                         "SMALL_SHARED",
                         "MISALIGNED",
                         "NO_PREVIOUS_WAIT",
                         "WRONG_LANES",
                         "WRONG_ROWS",
                         "NOT_ROUNDED",
                         "FLAG_FIRST",
                         "NO_RELEASE",
                         "NO_FENCE",
                         "NO_ACQUIRE",
                         "PLAIN_POLL",
                         "TORN_WORDS",
                         "SWAPPED_BUFFERS",
                         "NO_CLUSTER_BARRIER",
                         "WRONG_PARITY",
                         "WRONG_BYTES",
                         "BLOCK_SCOPE",
                         "NO_COPY_WAIT",
                         "NO_ASYNC_FENCE",
                         "CONSTANT_OF_WRITTEN",
                         "CONSTANT_OF_PREVIOUS"};
  for (int i = 0; i < static_cast<int>(std::size(names)); ++i) fault.value(names[i], static_cast<Fault>(i));

  const auto right = Fault::kNone;
  m.def("reduction", run_reduction, arg("in"), arg("out"), arg("fault") = right);
  m.def("product", run_product, arg("a"), arg("b"), arg("out"), arg("fault") = right);
  m.def("exchange", run_exchange, arg("w"), arg("h0"), arg("steps"), arg("by_words"), arg("out"), arg("fault") = right);
  m.def("cluster_lstm", run_cluster_lstm, arg("w"), arg("gates"), arg("out"), arg("push"), arg("fault") = right);
  m.def("overlap", run_overlap, arg("in"), arg("out"), arg("fault") = right);
  m.def("assorted", run_assorted, arg("in"), arg("out"), arg("arrivals"), arg("flags"));
  m.def("copies", run_copies, arg("in"), arg("out"), arg("bulk"), arg("fault") = right);
});

}  // namespace
}  // namespace lrcn_fast::emulator
