"""A trained generator for other programs."""
