"""GraphQL at /graphql: what people and the UI read and steer. Queries read, mutations are one action each."""
