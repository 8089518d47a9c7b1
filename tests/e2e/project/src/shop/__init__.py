"""A package whose flow needs its real name: relative imports, a helper, and dataclasses that travel between processes."""
