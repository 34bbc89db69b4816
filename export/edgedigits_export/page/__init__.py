"""A network as a page and a module for browsers: tables, the WebAssembly that runs them, and what is around both."""
