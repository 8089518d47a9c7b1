"""What a run writes to its standard streams, and how it becomes lines of the run's log."""
