"""Model files of every format as one kind of object: pixels in, probabilities out."""
