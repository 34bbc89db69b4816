"""Networks in Keras. Heavy: importing a module of this room loads TensorFlow."""
