"""A folder of models: files that are whole or not there, their hashes, and the manifest that knows them."""
