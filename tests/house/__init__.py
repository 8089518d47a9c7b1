"""The rules of the house as tests; each failure says which rule and why."""
