"""The command line: commands, and how things are printed. No logic."""
