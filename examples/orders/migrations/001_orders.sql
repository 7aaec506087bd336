CREATE TABLE orders(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    customer TEXT NOT NULL,
    created_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%SZ', 'now'))
) STRICT;

CREATE TABLE items(
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    order_id INTEGER NOT NULL REFERENCES orders(id),
    article TEXT NOT NULL,
    quantity INTEGER NOT NULL,
    cents INTEGER NOT NULL
) STRICT;
CREATE INDEX items_by_order ON items(order_id);

CREATE TABLE users(
    name TEXT PRIMARY KEY,
    salt TEXT NOT NULL,
    hash TEXT NOT NULL
) STRICT;
