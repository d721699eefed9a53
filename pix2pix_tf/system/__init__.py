"""The machine, its files and processes, and the two versions of TensorFlow."""
