"""Orders in SQLite. The schema comes from migrations/; this file never creates tables."""

import hashlib
import hmac
import sqlite3


class UnknownOrder(Exception):
    """No order has that number."""


class InvalidOrder(Exception):
    """The order as given cannot be taken; the text says why."""


class Store:
    def __init__(self, path):
        # One short connection a request: the file is the only state the process has.
        self._path = path

    def _connect(self):
        connection = sqlite3.connect(self._path, timeout=5)
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        return connection

    def ping(self):
        with self._connect() as connection:
            connection.execute("SELECT count(*) FROM orders").fetchone()

    def create(self, customer, items):
        if not isinstance(customer, str) or not customer.strip():
            raise InvalidOrder("'customer' must be a name")
        if not isinstance(items, list) or not items:
            raise InvalidOrder("'items' must be a list with at least one entry")
        rows = [_check_item(item) for item in items]
        with self._connect() as connection:
            order = connection.execute(
                "INSERT INTO orders(customer) VALUES (?)", (customer.strip(),)
            ).lastrowid
            connection.executemany(
                "INSERT INTO items(order_id, article, quantity, cents) VALUES (?, ?, ?, ?)",
                [(order, *row) for row in rows],
            )
        return self.get(order)

    def get(self, order):
        with self._connect() as connection:
            head = connection.execute(
                "SELECT id, customer, created_at FROM orders WHERE id = ?", (order,)
            ).fetchone()
            if head is None:
                raise UnknownOrder(order)
            items = connection.execute(
                "SELECT article, quantity, cents FROM items WHERE order_id = ? ORDER BY id", (order,)
            ).fetchall()
        items = [dict(item) for item in items]
        return {**dict(head), "items": items, "total_cents": total(items)}

    def list(self, limit=50):
        with self._connect() as connection:
            rows = connection.execute(
                "SELECT id, customer, created_at FROM orders ORDER BY id DESC LIMIT ?", (limit,)
            ).fetchall()
        return [dict(row) for row in rows]

    def check_login(self, user, password):
        with self._connect() as connection:
            row = connection.execute(
                "SELECT salt, hash FROM users WHERE name = ?", (user,)
            ).fetchone()
        salt, expected = (row["salt"], row["hash"]) if row else ("00", "")
        return hmac.compare_digest(hash_password(password, salt), expected)


def total(items):
    return sum(item["quantity"] * item["cents"] for item in items)


def hash_password(password, salt):
    return hashlib.scrypt(password.encode(), salt=bytes.fromhex(salt), n=2**12, r=8, p=1).hex()


def _check_item(item):
    if not isinstance(item, dict):
        raise InvalidOrder("an item must be an object")
    article, quantity, cents = item.get("article"), item.get("quantity"), item.get("cents")
    if not isinstance(article, str) or not article.strip():
        raise InvalidOrder("'article' must be a name")
    if not isinstance(quantity, int) or isinstance(quantity, bool) or not 1 <= quantity <= 1000:
        raise InvalidOrder("'quantity' must be a whole number from 1 to 1000")
    if not isinstance(cents, int) or isinstance(cents, bool) or cents < 0:
        raise InvalidOrder("'cents' must be a whole number, at least 0")
    return article.strip(), quantity, cents
