"""What clients and the server say to each other: messages by noun, used by both sides and defined once."""
