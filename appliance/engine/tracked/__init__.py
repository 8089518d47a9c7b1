"""The plain runners with reporting: every state and log line is sent to the server in numbered batches, in the background."""
