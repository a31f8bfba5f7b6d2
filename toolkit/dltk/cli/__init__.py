"""The command line (floor 13): one file a command, one error boundary."""
