"""Resume, login and call as generators: each decision of the clients, made once.

A flow does its own disk and key work, yields a `Request` when it needs the network and is sent
the `Response` (or has a `NetworkError` thrown in), and yields `Pause` when it has to wait. No
step of a flow blocks on a lock. The drivers are `client.py` and `async_client.py`.

`account.py` is what a client's flows share, `wait.py` how they wait, `resume.py` steps 1 to 5
of the resume table, `login.py` steps 6 and 7, `calls.py` a request with an ended session.
"""
