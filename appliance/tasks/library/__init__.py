"""What all subjects of the task library share: options, arguments with defaults, secrets, errors, and how a task is stopped."""
