"""What is measured: one file a task, and the registry that names them."""
