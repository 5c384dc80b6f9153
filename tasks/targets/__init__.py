"""What a model answers with: how answers become numbers to learn from, and numbers answers."""
