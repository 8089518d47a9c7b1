"""When flows run: clocks, filters, adjustments, calendars, and the rule that computes their times. Public."""
