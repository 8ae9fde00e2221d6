"""Side-by-side benchmarks of captions: beam search of the 2f captioner, and its loss.

``python -m benchmarks.captions`` runs them on the CPU. Nothing here is part of the installed
package.
"""
