"""Running a model: the port that both runtimes implement, their sessions, the worker process, the device."""
