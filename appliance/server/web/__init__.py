"""What browsers and monitoring request besides the API: the built UI, the docs, health and metrics."""
