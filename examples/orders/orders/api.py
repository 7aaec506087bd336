"""The HTTP side: routes, status codes, JSON errors."""

import json

from bottle import Bottle, HTTPError, HTTPResponse, request

from orders.store import InvalidOrder, UnknownOrder


def answer(value, status=200):
    return HTTPResponse(
        body=json.dumps(value) + "\n", status=status, headers={"Content-Type": "application/json"}
    )


def read_json():
    try:
        value = json.loads(request.body.read(64 * 1024) or b"null")
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise answer({"error": "expected a JSON object"}, 400)
    return value


def make_app(store, release="unknown"):
    app = Bottle()

    @app.get("/health")
    def health():
        try:
            store.ping()
        except Exception as error:  # whatever is wrong with the database, we are not healthy
            return answer({"status": "failed", "error": type(error).__name__}, 503)
        return answer({"status": "ok", "release": release})

    @app.post("/login")
    def login():
        given = read_json()
        if not store.check_login(str(given.get("user", "")), str(given.get("password", ""))):
            return answer({"error": "wrong user or password"}, 401)
        return answer({"user": given["user"]})

    @app.post("/orders")
    def create():
        given = read_json()
        try:
            return answer(store.create(given.get("customer"), given.get("items")), 201)
        except InvalidOrder as error:
            return answer({"error": str(error)}, 422)

    @app.get("/orders")
    def list_orders():
        return answer({"orders": store.list()})

    @app.get("/orders/<order:int>")
    def get(order):
        try:
            return answer(store.get(order))
        except UnknownOrder:
            return answer({"error": f"no order {order}"}, 404)

    @app.error(404)
    @app.error(405)
    @app.error(500)
    def failed(error: HTTPError):
        error.content_type = "application/json"
        return json.dumps({"error": error.status_line}) + "\n"

    return app
