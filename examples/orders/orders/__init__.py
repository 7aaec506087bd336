"""A small service that takes orders: HTTP and JSON in front, SQLite behind."""
