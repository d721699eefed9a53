"""Files of side-by-side pairs: find, download, draw, make and check them, without TensorFlow."""
