"""The version of this package. The build checks that pyproject.toml has the same."""

VERSION = "0.1.0"
