"""APIs as data: definitions (pages) in TOML, their loader, and the requests to an API and parsing of its answers."""
