"""A trained generator outside this package: converted, or served."""
