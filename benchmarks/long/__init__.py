"""The long job measured: beside the engine alone, with more tasks, killed, and beside the function."""
