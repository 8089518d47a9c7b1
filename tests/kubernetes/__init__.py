"""A cluster without Kubernetes: its API over HTTP, the controllers of jobs and owners, and a node that starts each pod as a process of this machine."""
