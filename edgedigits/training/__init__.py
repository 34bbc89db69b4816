"""Training: needs Keras and TensorFlow (``pip install 'edgedigits[train]'``)."""
