"""`promote demo`: two releases through a whole system of its own, from nothing to nothing."""
