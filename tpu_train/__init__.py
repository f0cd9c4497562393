"""Pretraining in pure TensorFlow: text in, checkpoints out (contract 1). Imports nothing of ours."""
