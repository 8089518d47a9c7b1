"""Pure rules: facts in, a verdict out. No I/O, no framework, no clock."""
