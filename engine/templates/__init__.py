"""Templates: the work that follows the decision. Node types, validation, order, built-in ones."""
