"""Resume, login and call as generators: each decision of the clients, made once.

A flow does its own disk and key work, yields a `Request` when it needs the network and is sent
the `Response` (or has a `NetworkError` thrown in), and yields `Pause` when it has to wait. No
step of a flow blocks on a lock. The drivers are `client.py` and `async_client.py`.

`context.py` is what a client's flows share, around the one value of `sessions/state.py`;
`arguments.py` checks arguments, `identity.py` whose a session is. `resume.py` is the
start of a client, steps 1 to 5 of the resume table, `login.py` step 6, `saving.py` step 7,
`apply_reply.py` asks the server about a session and keeps what a reply changes, `request.py` is a
request with a session that may have ended,
`explicit.py` what is done at the caller's own word.
"""
