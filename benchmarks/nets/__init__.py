"""Side-by-side benchmarks of whole networks: features of frames, and a training step.

``python -m benchmarks.nets`` runs them on the CPU. Nothing here is part of the installed package.
"""
