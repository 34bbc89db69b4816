"""Keras and TensorFlow, imported without their announcements. Import both from here."""

import os

from edgedigits.native_output import hidden_native_output

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

with hidden_native_output():
    import keras
    import tensorflow as tf

    # The first operation looks for accelerators, and says so.
    tf.constant(0)

__all__ = ["keras", "tf"]
