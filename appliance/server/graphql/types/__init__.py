"""The GraphQL types, one file per noun. Plain attributes are read directly; resolvers use the request's batches."""
