"""A network in integers as the layers, tables and memory of C code."""
