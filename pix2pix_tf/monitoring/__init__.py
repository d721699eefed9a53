"""Looking at a training while it runs; the post prints its losses and nothing else."""
