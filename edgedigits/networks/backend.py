"""Keras and TensorFlow, imported without their announcements. Import both from here."""

import os

from edgedigits.interrupts import interrupts_later
from edgedigits.native_output import hidden_native_output
from edgedigits.user_cache import home_for_imports

os.environ.setdefault("KERAS_BACKEND", "tensorflow")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# Products this small gain nothing from a second thread (0.35 s per epoch with one, 0.45 s with two), and the next
# epoch's warps want the other core. Sums of one thread also do not depend on how many cores a machine has.
_THREADS = int(os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1"))
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

with interrupts_later(), hidden_native_output(), home_for_imports():
    import keras
    import tensorflow as tf

    # The first operation looks for accelerators, and says so.
    tf.constant(0)

__all__ = ["intra_op_threads", "keras", "tf"]


def intra_op_threads() -> int:
    """Return how many threads TensorFlow may use within an operation."""
    asked = tf.config.threading.get_intra_op_parallelism_threads() or _THREADS
    return asked or os.cpu_count() or 1  # 0 stands for all cores
