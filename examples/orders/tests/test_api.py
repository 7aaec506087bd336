import io
import json
import unittest

from orders.api import make_app
from tests.test_store import ITEM, fresh_store


class Api(unittest.TestCase):
    def setUp(self):
        self.app = make_app(fresh_store(self), release="test")

    def call(self, method, path, body=None):
        text = b"" if body is None else json.dumps(body).encode()
        environ = {
            "REQUEST_METHOD": method,
            "PATH_INFO": path,
            "SERVER_NAME": "test",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(text),
            "wsgi.errors": io.StringIO(),
            "CONTENT_LENGTH": str(len(text)),
        }
        seen = {}
        chunks = self.app(environ, lambda status, headers, *_: seen.update(status=int(status[:3])))
        return seen["status"], json.loads(b"".join(chunks))

    def test_health(self):
        self.assertEqual(self.call("GET", "/health"), (200, {"status": "ok", "release": "test"}))

    def test_create_and_get(self):
        status, order = self.call("POST", "/orders", {"customer": "Bo", "items": [ITEM]})
        self.assertEqual(status, 201)
        self.assertEqual(self.call("GET", f"/orders/{order['id']}"), (200, order))

    def test_list(self):
        self.assertEqual(self.call("GET", "/orders"), (200, {"orders": []}))

    def test_refused(self):
        status, body = self.call("POST", "/orders", {"customer": "", "items": []})
        self.assertEqual(status, 422)
        self.assertIn("customer", body["error"])

    def test_no_json(self):
        self.assertEqual(self.call("POST", "/orders")[0], 400)

    def test_unknown_order(self):
        self.assertEqual(self.call("GET", "/orders/7")[0], 404)

    def test_unknown_path(self):
        self.assertEqual(self.call("GET", "/nowhere")[0], 404)

    def test_login(self):
        self.assertEqual(self.call("POST", "/login", {"user": "ana", "password": "right"})[0], 200)

    def test_wrong_login(self):
        self.assertEqual(self.call("POST", "/login", {"user": "ana", "password": "wrong"})[0], 401)
