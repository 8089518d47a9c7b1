"""The GraphQL types, one noun a file. Plain attributes are read at once; fields with a resolver ask the request's batches."""
