"""The screens, in the order of their number keys. Each shows frozen answers; none asks a store."""
