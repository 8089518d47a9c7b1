"""GraphQL at /graphql: everything that people and the UI read and control. Queries read; each mutation is one action."""
