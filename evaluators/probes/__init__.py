"""Edge probing: linear classifiers on frozen span representations, every layer from one pass of the
encoder.
"""
