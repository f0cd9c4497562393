"""Corpora: one reader a format, found in the data folder by what lies there."""
