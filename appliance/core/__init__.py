"""The words and rules of a flow: pure values and functions, no I/O."""
