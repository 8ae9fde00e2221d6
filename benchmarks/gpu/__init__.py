"""The check of a machine with a GPU: build, tests, sanitizers, probes and benchmarks.

``python -m benchmarks.gpu`` or ``make gpu-check`` runs everything with the Python packages that are
there; docs/gpu-check.md says what is measured and how. Every part is a process of its own, because
a fault on a GPU takes the process with it.
"""
