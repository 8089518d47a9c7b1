"""What browsers and monitoring ask for beside the API: the built UI, the docs, health and metrics."""
