"""How to ask: one HTTP layer, the target parser, and one package an API."""
