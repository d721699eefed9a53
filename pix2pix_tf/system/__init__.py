"""What the machine and the two TensorFlow versions ask for."""
