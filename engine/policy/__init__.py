"""What rules come to: for a candidate, a waiting promotion, past promotions, made-up cases."""
