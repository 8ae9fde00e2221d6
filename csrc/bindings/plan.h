#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include "lrcn_fast/lstm_plan.h"

namespace lrcn_fast::bindings {

// What set_persistent(name) chose, by its names: for the calls of all threads.
Persistence persistence();
PyObject* persistent(PyObject* module, PyObject* none);
PyObject* set_persistent(PyObject* module, PyObject* name);

// plan_lstm(gpu: dict, problem: dict) -> dict, with the names of lrcn_fast/lstm_plan.h.
PyObject* plan_lstm(PyObject* module, PyObject* arguments);
// plan_wavefront(gpu: dict, problem: dict, layers: int, trains: bool) -> dict
PyObject* plan_wavefront(PyObject* module, PyObject* arguments);

// present_gpu() -> dict or None, of the current device, with the names of lrcn_fast/lstm_plan.h.
PyObject* present_gpu(PyObject* module, PyObject* none);

}  // namespace lrcn_fast::bindings
