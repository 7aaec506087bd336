import os
import sqlite3
import tempfile
import unittest

from orders.store import InvalidOrder, Store, UnknownOrder, hash_password, total

MIGRATIONS = os.path.join(os.path.dirname(__file__), "..", "migrations")


def fresh_store(case):
    folder = tempfile.TemporaryDirectory()
    case.addCleanup(folder.cleanup)
    path = os.path.join(folder.name, "orders.db")
    connection = sqlite3.connect(path)
    for name in sorted(os.listdir(MIGRATIONS)):
        with open(os.path.join(MIGRATIONS, name)) as file:
            connection.executescript(file.read())
    connection.execute(
        "INSERT INTO users VALUES ('ana', '0011', ?)", (hash_password("right", "0011"),)
    )
    connection.commit()
    connection.close()
    return Store(path)


ITEM = {"article": "tea", "quantity": 2, "cents": 350}


class Totals(unittest.TestCase):
    def test_nothing(self):
        self.assertEqual(total([]), 0)

    def test_quantity_counts(self):
        self.assertEqual(total([ITEM]), 700)

    def test_items_add_up(self):
        self.assertEqual(total([ITEM, {"article": "cup", "quantity": 1, "cents": 1200}]), 1900)


class Orders(unittest.TestCase):
    def setUp(self):
        self.store = fresh_store(self)

    def test_ping(self):
        self.store.ping()

    def test_create_gives_the_order(self):
        order = self.store.create("Bo", [ITEM])
        self.assertEqual(order["customer"], "Bo")
        self.assertEqual(order["total_cents"], 700)

    def test_get_gives_it_again(self):
        order = self.store.create("Bo", [ITEM])
        self.assertEqual(self.store.get(order["id"]), order)

    def test_names_are_trimmed(self):
        self.assertEqual(self.store.create(" Bo ", [ITEM])["customer"], "Bo")

    def test_unknown(self):
        with self.assertRaises(UnknownOrder):
            self.store.get(99)

    def test_list_is_newest_first(self):
        for name in ("Bo", "Cy"):
            self.store.create(name, [ITEM])
        self.assertEqual([o["customer"] for o in self.store.list()], ["Cy", "Bo"])

    def test_list_is_bounded(self):
        for _ in range(3):
            self.store.create("Bo", [ITEM])
        self.assertEqual(len(self.store.list(limit=2)), 2)

    def test_a_refused_order_leaves_nothing(self):
        with self.assertRaises(InvalidOrder):
            self.store.create("Bo", [ITEM, {"article": "cup", "quantity": 0, "cents": 1}])
        self.assertEqual(self.store.list(), [])


class Refusals(unittest.TestCase):
    CASES = {
        "no customer": (None, [ITEM]),
        "blank customer": ("  ", [ITEM]),
        "no items": ("Bo", []),
        "items no list": ("Bo", ITEM),
        "item no object": ("Bo", ["tea"]),
        "no article": ("Bo", [{"quantity": 1, "cents": 1}]),
        "no quantity": ("Bo", [{"article": "tea", "cents": 1}]),
        "too many": ("Bo", [{"article": "tea", "quantity": 1001, "cents": 1}]),
        "quantity true": ("Bo", [{"article": "tea", "quantity": True, "cents": 1}]),
        "negative price": ("Bo", [{"article": "tea", "quantity": 1, "cents": -1}]),
    }


def _refusal(customer, items):
    def test(self):
        with self.assertRaises(InvalidOrder):
            fresh_store(self).create(customer, items)

    return test


for _label, (_customer, _items) in Refusals.CASES.items():
    setattr(Refusals, "test_" + _label.replace(" ", "_"), _refusal(_customer, _items))


class Logins(unittest.TestCase):
    def setUp(self):
        self.store = fresh_store(self)

    def test_right(self):
        self.assertTrue(self.store.check_login("ana", "right"))

    def test_wrong(self):
        self.assertFalse(self.store.check_login("ana", "wrong"))

    def test_nobody(self):
        self.assertFalse(self.store.check_login("nobody", "right"))
