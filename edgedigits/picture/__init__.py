"""Any picture -> the (28, 28) digit that a network reads: numpy and Pillow, nothing else."""
