"""What a browser or a probe is served: UI, docs, health, metrics."""
