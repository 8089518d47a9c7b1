"""The plain runners with reports: every state and log line goes to the server in numbered batches, in the background."""
