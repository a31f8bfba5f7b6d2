"""What a report says of a run: what each step and each layer did, and which command helps."""
