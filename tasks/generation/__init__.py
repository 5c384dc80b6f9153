"""What templates that generate share: the decoder network, its texts, and how it is asked."""
