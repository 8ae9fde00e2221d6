#include "plan.h"

#include <atomic>
#include <cstdint>
#include <cstring>
#include <initializer_list>
#include <limits>

#include "lrcn_fast/gpu.h"
#include "lrcn_fast/lstm_plan.h"

namespace lrcn_fast::bindings {
namespace {

// By their numbers in Persistence, as LRCN_FAST_PERSISTENT has them.
constexpr const char* kPersistence[] = {"auto", "0", "1"};
std::atomic<Persistence> chosen{Persistence::kAuto};

// The values of a dict, whose keys are exactly those that are asked for. After a failure a Python error is set and
// all further values are 0.
class Reader {
 public:
  Reader(const char* argument, PyObject* dict) : argument_(argument), dict_(dict) {
    if (PyDict_Check(dict)) return;
    ok_ = false;
    PyErr_Format(PyExc_TypeError, "plan_lstm: argument '%s' must be a dict, got %R", argument, dict);
  }
  bool ok() const { return ok_; }

  std::int64_t integer(const char* key, std::int64_t least, std::int64_t most = kMost) {
    PyObject* value = find(key);
    if (value == nullptr) return 0;
    const bool is_integer = PyLong_Check(value) && !PyBool_Check(value);
    const long long number = is_integer ? PyLong_AsLongLong(value) : 0;
    if (PyErr_Occurred() != nullptr) PyErr_Clear();  // too large: -1, which is out of range as well
    if (is_integer && number >= least && number <= most) return number;
    ok_ = false;
    PyErr_Format(is_integer ? PyExc_ValueError : PyExc_TypeError,
                 "plan_lstm: %s['%s'] must be an int within %lld..%lld, got %R", argument_, key,
                 static_cast<long long>(least), static_cast<long long>(most), value);
    return 0;
  }

  bool truth(const char* key) {
    PyObject* value = find(key);
    if (value == nullptr) return false;
    if (PyBool_Check(value)) return value == Py_True;
    ok_ = false;
    PyErr_Format(PyExc_TypeError, "plan_lstm: %s['%s'] must be a bool, got %R", argument_, key, value);
    return false;
  }

  // One of `names`, as its position.
  int choice(const char* key, std::initializer_list<const char*> names, const char* expected) {
    PyObject* value = find(key);
    if (value == nullptr) return 0;
    int position = 0;
    for (const char* name : names) {
      if (PyUnicode_Check(value) && PyUnicode_CompareWithASCIIString(value, name) == 0) return position;
      ++position;
    }
    ok_ = false;
    PyErr_Format(PyExc_ValueError, "plan_lstm: %s['%s'] must be %s, got %R", argument_, key, expected, value);
    return 0;
  }

  // After all others: a key that nobody asked for is a misspelt one.
  void refuse_others(std::initializer_list<const char*> keys) {
    PyObject *key = nullptr, *value = nullptr;
    Py_ssize_t position = 0;
    while (ok_ && PyDict_Next(dict_, &position, &key, &value) != 0) {
      bool known = false;
      for (const char* name : keys) {
        known = known || (PyUnicode_Check(key) && PyUnicode_CompareWithASCIIString(key, name) == 0);
      }
      if (known) continue;
      ok_ = false;
      PyErr_Format(PyExc_KeyError, "plan_lstm: argument '%s' has an unknown key %R", argument_, key);
    }
  }

 private:
  static constexpr std::int64_t kMost = std::numeric_limits<std::int32_t>::max();

  PyObject* find(const char* key) {
    if (!ok_) return nullptr;
    PyObject* name = PyUnicode_FromString(key);
    PyObject* value = name == nullptr ? nullptr : PyDict_GetItemWithError(dict_, name);
    Py_XDECREF(name);
    if (value != nullptr) return value;
    ok_ = false;
    if (PyErr_Occurred() == nullptr) {
      PyErr_Format(PyExc_KeyError, "plan_lstm: argument '%s' lacks the key '%s'", argument_, key);
    }
    return nullptr;
  }

  const char* argument_;
  PyObject* dict_;
  bool ok_ = true;
};

bool read(PyObject* dict, GpuProperties& gpu) {
  Reader reader("gpu", dict);
  const auto count = [&](const char* key, std::int64_t least) {
    return static_cast<std::int32_t>(reader.integer(key, least));
  };
  gpu.capability = count("capability", 1);
  gpu.multiprocessors = count("multiprocessors", 1);
  gpu.shared_bytes_per_block = count("shared_bytes_per_block", 0);
  gpu.shared_bytes_per_multiprocessor = count("shared_bytes_per_multiprocessor", 0);
  gpu.registers_per_multiprocessor = count("registers_per_multiprocessor", 1);
  gpu.clusters_of_2 = count("clusters_of_2", 0);
  gpu.clusters_of_4 = count("clusters_of_4", 0);
  gpu.clusters_of_8 = count("clusters_of_8", 0);
  gpu.clusters_of_16 = count("clusters_of_16", 0);
  gpu.clock_mhz = count("clock_mhz", 1);
  reader.refuse_others({"capability", "multiprocessors", "shared_bytes_per_block", "shared_bytes_per_multiprocessor",
                        "registers_per_multiprocessor", "clusters_of_2", "clusters_of_4", "clusters_of_8",
                        "clusters_of_16", "clock_mhz"});
  return reader.ok();
}

bool read(PyObject* dict, LstmProblem& problem) {
  Reader reader("problem", dict);
  constexpr DType kDTypes[] = {DType::kFloat32, DType::kFloat64, DType::kFloat16, DType::kBFloat16};
  constexpr Float32Products kProducts[] = {Float32Products::kFloat32, Float32Products::kTf32, Float32Products::kTf32x3};
  problem.backward = reader.truth("backward");
  problem.dtype = kDTypes[reader.choice("dtype", {"float32", "float64", "float16", "bfloat16"},
                                        "'float32', 'float64', 'float16' or 'bfloat16'")];
  problem.products =
      kProducts[reader.choice("products", {"float32", "tf32", "tf32x3"}, "'float32', 'tf32' or 'tf32x3'")];
  problem.steps = reader.integer("steps", 0);
  problem.batch = reader.integer("batch", 0);
  problem.hidden = reader.integer("hidden", 0);
  problem.projects = reader.truth("projects");
  problem.scans = static_cast<std::int32_t>(reader.integer("scans", 1, kMostScans));
  problem.persistence = static_cast<Persistence>(
      reader.choice("persistent", {kPersistence[0], kPersistence[1], kPersistence[2]}, "'auto', '0' or '1'"));
  reader.refuse_others(
      {"backward", "dtype", "products", "steps", "batch", "hidden", "projects", "scans", "persistent"});
  return reader.ok();
}

const char* name_of(LstmKernel kernel) {
  switch (kernel) {
    case LstmKernel::kCluster:
      return "cluster";
    case LstmKernel::kGrid:
      return "grid";
    case LstmKernel::kStep:
      break;
  }
  return "step";
}

PyObject* choices_of(const LstmPlan& plan) {
  PyObject* tuple = PyTuple_New(plan.choices);
  for (Py_ssize_t n = 0; tuple != nullptr && n < plan.choices; ++n) {
    const LstmChoice& choice = plan.choice[n];
    PyTuple_SetItem(tuple, n, Py_BuildValue("(sii)", name_of(choice.kernel), choice.variant, choice.scans));
  }
  return tuple;
}

}  // namespace

Persistence persistence() { return chosen; }

PyObject* persistent(PyObject*, PyObject*) {
  return PyUnicode_FromString(kPersistence[static_cast<int>(persistence())]);
}

PyObject* set_persistent(PyObject*, PyObject* name) {
  for (std::int32_t n = 0; n < 3; ++n) {
    if (!PyUnicode_Check(name) || PyUnicode_CompareWithASCIIString(name, kPersistence[n]) != 0) continue;
    chosen = static_cast<Persistence>(n);
    Py_RETURN_NONE;
  }
  PyErr_Format(PyExc_ValueError, "set_persistent: argument 'name' must be 'auto', '0' or '1', got %R", name);
  return nullptr;
}

PyObject* plan_lstm(PyObject*, PyObject* arguments) {
  PyObject *gpu_dict = nullptr, *problem_dict = nullptr;
  if (PyArg_UnpackTuple(arguments, "plan_lstm", 2, 2, &gpu_dict, &problem_dict) == 0) return nullptr;
  GpuProperties gpu{};
  LstmProblem problem{};
  if (!read(gpu_dict, gpu) || !read(problem_dict, problem)) return nullptr;
  const LstmPlan plan = lrcn_fast::plan_lstm(gpu, problem);
  return Py_BuildValue("{s:s,s:i,s:i,s:i,s:i,s:i,s:i,s:L,s:L,s:L,s:d,s:d,s:d,s:s,s:N}", "kernel", name_of(plan.kernel),
                       "variant", plan.variant, "scans", plan.scans, "cluster", plan.cluster, "blocks", plan.blocks,
                       "units", plan.units, "rows", plan.rows, "slices", static_cast<long long>(plan.slices),
                       "register_bytes", static_cast<long long>(plan.register_bytes), "shared_bytes",
                       static_cast<long long>(plan.shared_bytes), "start_us", plan.start_us, "step_us", plan.step_us,
                       "floor_us", plan.floor_us, "reason", plan.reason, "choices", choices_of(plan));
}

PyObject* plan_wavefront(PyObject*, PyObject* arguments) {
  PyObject *gpu_dict = nullptr, *problem_dict = nullptr;
  int layers = 0, trains = 0;
  if (PyArg_ParseTuple(arguments, "OOip:plan_wavefront", &gpu_dict, &problem_dict, &layers, &trains) == 0) {
    return nullptr;
  }
  GpuProperties gpu{};
  LstmProblem problem{};
  if (!read(gpu_dict, gpu) || !read(problem_dict, problem)) return nullptr;
  const LstmWavefront found = lrcn_fast::plan_wavefront(gpu, problem, layers, trains != 0);
  return Py_BuildValue("{s:L,s:d,s:d,s:s}", "window", static_cast<long long>(found.window), "one_by_one_us",
                       found.one_by_one_us, "us", found.us, "reason", found.reason);
}

PyObject* present_gpu(PyObject*, PyObject*) {
#ifdef LRCN_WITH_CUDA
  GpuProperties gpu{};
  if (lrcn_fast::present_gpu(&gpu)) {
    return Py_BuildValue("{s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i,s:i}", "capability", gpu.capability, "multiprocessors",
                         gpu.multiprocessors, "shared_bytes_per_block", gpu.shared_bytes_per_block,
                         "shared_bytes_per_multiprocessor", gpu.shared_bytes_per_multiprocessor,
                         "registers_per_multiprocessor", gpu.registers_per_multiprocessor, "clusters_of_2",
                         gpu.clusters_of_2, "clusters_of_4", gpu.clusters_of_4, "clusters_of_8", gpu.clusters_of_8,
                         "clusters_of_16", gpu.clusters_of_16, "clock_mhz", gpu.clock_mhz);
  }
#endif
  Py_RETURN_NONE;
}

}  // namespace lrcn_fast::bindings
