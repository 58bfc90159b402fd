"""What the page says: sentences computed from the numbers."""
