"""embryo_tui."""
