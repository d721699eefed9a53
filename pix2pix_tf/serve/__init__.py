"""The HTTP server of a trained generator, and its drawing page."""
