#pragma once

#define PY_SSIZE_T_CLEAN
#include <Python.h>

namespace lrcn_fast::bindings {

// plan_lstm(gpu: dict, problem: dict) -> dict, with the names of lrcn_fast/lstm_plan.h.
PyObject* plan_lstm(PyObject* module, PyObject* arguments);

}  // namespace lrcn_fast::bindings
