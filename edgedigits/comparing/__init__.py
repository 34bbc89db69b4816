"""Two models that answered the same images: what differs, and whether it is more than chance."""
