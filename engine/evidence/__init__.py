"""Evidence: signed statements about promotions, and their verification."""
