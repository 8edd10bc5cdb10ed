"""The store in a SQLite file, or in SQLite's memory when there is no file to write."""
