"""An HTTP server on loopback that plays both APIs with scripted jobs and faults."""
