"""GraphQL at /graphql: for people and the web UI."""
