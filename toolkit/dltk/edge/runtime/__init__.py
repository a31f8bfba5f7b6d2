"""Running a model: one port for both runtimes, the worker process that holds it, the device, and its latency."""
