"""A trained generator in this process."""
