"""The Hog: operations, enrichments and searches."""
