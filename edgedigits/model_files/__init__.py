"""Model files read without running them: nothing that a file says is believed before it is checked here."""
