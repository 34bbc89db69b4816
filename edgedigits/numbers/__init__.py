"""Numbers in a picture: where their lines, pieces and digits are, and the likeliest way through them."""
