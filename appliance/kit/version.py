"""The version of this package; the build checks that pyproject.toml says the same."""

VERSION = "0.1.0"
