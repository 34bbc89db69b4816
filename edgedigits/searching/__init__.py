"""The search for the best network within a budget of flash, RAM and instructions."""
