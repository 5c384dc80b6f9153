"""What tagging needs: tokens with their characters, tags, their network, scores and tables."""
