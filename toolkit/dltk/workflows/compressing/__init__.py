"""What `compress` reads of a run, the steps it takes or finds, and the run that it leaves."""
