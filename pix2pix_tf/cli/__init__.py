"""The commands: each module turns flags into one call. Flags are known nowhere else."""
