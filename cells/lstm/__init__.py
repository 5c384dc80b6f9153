"""Long short-term memory and its relatives."""
