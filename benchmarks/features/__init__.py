"""Side-by-side benchmarks of single operators on frames and feature maps.

``python -m benchmarks.features`` runs them on the CPU. Nothing here is part of the installed
package.
"""
