"""The store in a PostgreSQL database that a team shares; imported only where one is configured."""
