"""How an API is asked and read, as data: pages in TOML, the reader that loads them, and what it finds in answers."""
