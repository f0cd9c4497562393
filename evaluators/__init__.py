"""Checkpoints in, results out: evaluates every saved step of a run and stores what it finds."""
