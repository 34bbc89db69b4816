"""One module a file format: how a network becomes its bytes."""
