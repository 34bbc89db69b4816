"""From float weights to integers, and what these must answer."""
