"""The version of edgedigits, where every other module can ask for it."""

__version__ = "0.1.0"
