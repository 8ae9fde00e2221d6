#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "lrcn_fast/isa.h"
#include "plan.h"

// The Python module: importing it registers the kernels of cpu.cpp and cuda.cpp; its functions tell how it
// was built and which instruction set it runs on.
namespace {

#define LRCN_TEXT_OF(value) #value
#define LRCN_TEXT(value) LRCN_TEXT_OF(value)

#if !defined(LRCN_CUDA_ARCHS)
#define LRCN_CUDA_ARCHS ""
#endif
#if !defined(LRCN_NVCC_VERSION)
#define LRCN_NVCC_VERSION ""
#endif

PyObject* cpu_isa(PyObject*, PyObject*) { return PyUnicode_FromString(lrcn_fast::cpu_isa()); }

PyObject* cpu_isas(PyObject*, PyObject*) {
  const char* const* names = lrcn_fast::cpu_isas();
  Py_ssize_t count = 0;
  while (names[count] != nullptr) ++count;
  PyObject* tuple = PyTuple_New(count);
  for (Py_ssize_t k = 0; tuple != nullptr && k < count; ++k) {
    PyTuple_SetItem(tuple, k, PyUnicode_FromString(names[k]));
  }
  return tuple;
}

PyObject* set_cpu_isa(PyObject*, PyObject* argument) {
  PyObject* bytes = PyUnicode_Check(argument) ? PyUnicode_AsUTF8String(argument) : nullptr;
  if (bytes == nullptr) {
    if (PyErr_Occurred() == nullptr) PyErr_SetString(PyExc_TypeError, "set_cpu_isa: argument 'name' must be a str");
    return nullptr;
  }
  const bool found = lrcn_fast::set_cpu_isa(PyBytes_AsString(bytes));
  Py_DECREF(bytes);
  if (!found) {
    PyErr_Format(PyExc_ValueError, "set_cpu_isa: argument 'name' must be one of cpu_isas(), got %R", argument);
    return nullptr;
  }
  Py_RETURN_NONE;
}

PyObject* build_info(PyObject*, PyObject*) {
  return Py_BuildValue("{s:s,s:s,s:s,s:s}", "torch_target", LRCN_TEXT(TORCH_TARGET_VERSION), "compiler", __VERSION__,
                       "cuda_archs", LRCN_CUDA_ARCHS, "nvcc", LRCN_NVCC_VERSION);
}

PyMethodDef methods[] = {
    {"cpu_isa", cpu_isa, METH_NOARGS, "Instruction set that the CPU kernels run on."},
    {"cpu_isas", cpu_isas, METH_NOARGS, "Instruction sets compiled in that this CPU has, widest first."},
    {"set_cpu_isa", set_cpu_isa, METH_O, "Choose the instruction set; not while kernels run."},
    {"plan_lstm", lrcn_fast::bindings::plan_lstm, METH_VARARGS, "Which kernel runs a problem on a GPU, and why."},
    {"plan_wavefront", lrcn_fast::bindings::plan_wavefront, METH_VARARGS,
     "Whether layers run as a wavefront, and why."},
    {"present_gpu", lrcn_fast::bindings::present_gpu, METH_NOARGS, "What a plan knows of the current GPU, or None."},
    {"persistent", lrcn_fast::bindings::persistent, METH_NOARGS, "Whether kernels may stay for a whole sequence."},
    {"set_persistent", lrcn_fast::bindings::set_persistent, METH_O, "Choose it: 'auto', '0' or '1'."},
    {"build_info", build_info, METH_NOARGS, "How this extension was built."},
    {nullptr, nullptr, 0, nullptr},
};

PyModuleDef module = {PyModuleDef_HEAD_INIT, "_C", nullptr, -1, methods, nullptr, nullptr, nullptr, nullptr};

}  // namespace

PyMODINIT_FUNC PyInit__C() { return PyModule_Create(&module); }
