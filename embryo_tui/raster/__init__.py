"""Cells drawn from NumPy: curves, heat maps, palettes and axes. Knows no widget, no query, no store."""
