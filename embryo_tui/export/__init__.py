"""What leaves the app: tables as CSV and LaTeX, looks as files, text on the clipboard."""
