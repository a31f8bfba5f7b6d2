"""The command line (floor 13): one file per command, one error boundary."""
