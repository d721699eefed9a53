"""Files of side-by-side pairs: check, download and draw them. Nothing here needs TensorFlow."""
