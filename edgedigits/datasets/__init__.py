"""Images with labels: where they lie, what they must be, and how they are read."""
