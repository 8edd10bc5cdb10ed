"""APIs described in tables: no code of theirs, and JSONPath for where in an answer what is."""
