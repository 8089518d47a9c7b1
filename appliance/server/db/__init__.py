"""All SQL of the product: tables, reads, writes, migrations, and the session that is the only one to commit."""
