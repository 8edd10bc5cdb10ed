"""One HTTP client: origin, deadlines, caps, redaction, and what headers say of rate limits."""
