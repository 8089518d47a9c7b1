"""From a flow object to something that an agent can start."""
