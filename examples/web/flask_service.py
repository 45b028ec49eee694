"""The same service with Flask: `flask --app flask_service run`, or any WSGI server."""

import json
import os
import threading

from flask import Flask, abort, jsonify
from flask.typing import ResponseReturnValue

from interpal import AuthenticationError, InterpalClient, NetworkError, RateLimitError

with open(os.environ["ACCOUNTS_FILE"]) as file:
    PASSWORDS: dict[str, str] = json.load(file)

app = Flask(__name__)
# Empty until a request comes: a server that forks its workers has forked by then.
clients: dict[str, InterpalClient] = {}
lock = threading.Lock()


def client_of(username: str) -> InterpalClient:
    if username not in PASSWORDS:
        abort(404, "no such account")
    with lock:
        if username not in clients:
            clients[username] = InterpalClient(
                username,
                PASSWORDS[username],
                auto_login=True,
                persist_session=True,
                store="sqlite:accounts.db",
            )
        return clients[username]


@app.get("/accounts/<username>")
def account(username: str) -> ResponseReturnValue:
    profile = client_of(username).get_self()
    return jsonify(username=username, name=profile["name"])


@app.errorhandler(RateLimitError)
def too_many(error: RateLimitError) -> ResponseReturnValue:
    headers = {"Retry-After": str(int(error.retry_after or 60))}
    return jsonify(detail="the site asks to wait"), 503, headers


@app.errorhandler(NetworkError)
def unreachable(error: NetworkError) -> ResponseReturnValue:
    return jsonify(detail="the site cannot be reached"), 503


@app.errorhandler(AuthenticationError)
def refused(error: AuthenticationError) -> ResponseReturnValue:
    return jsonify(detail="the site refuses this account's login"), 502
