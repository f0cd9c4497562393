"""Panels as plain text, for scripts, logs and terminals that are none. Asks the store once and leaves."""
