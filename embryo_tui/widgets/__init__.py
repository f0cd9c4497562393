"""What is drawn on: one widget a file, each given frozen values to show; none asks a store."""
