"""Live events: one WebSocket to the site, and the handlers that hear of its frames.

`frames.py` turns text into events and knows nothing of a network; `progress.py` remembers which
messages were handed out; `handlers.py` hands an event to those who asked for it; `missed.py`
fetches over the API what came while the socket was down; `access.py` is the one place that
touches the session; `connection.py` connects, listens, and connects again. `client.py` is what the
two clients offer of it.

Nothing of this is loaded before a client is asked for live events.
"""
