"""What the templates that generate texts from an encoded input share."""
