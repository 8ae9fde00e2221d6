"""Side-by-side benchmarks of lrcn_fast against torch.nn.LSTM.

``python -m benchmarks`` runs everything; ``python -m pytest benchmarks --benchmark-only``
runs the same cases under pytest-benchmark. Nothing here is part of the installed package.
"""
