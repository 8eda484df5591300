"""Results of other tools: read, checked, and kept beside the own ones."""
