"""The token of Spotify in a vault: only a first run asks for one, or a run after it has ended.

pip install interpal-vault spotipy
SPOTIPY_CLIENT_ID=… SPOTIPY_CLIENT_SECRET=… python spotipy_token.py
"""

from spotipy import Spotify
from spotipy.oauth2 import SpotifyClientCredentials

from interpal.bridges.spotipy_cache import VaultCacheHandler
from interpal.vault import Vault


def main() -> None:
    with Vault.open("tokens.json", create=True) as vault:
        cache = VaultCacheHandler(vault, "spotify")
        print("A token is kept." if cache.get_cached_token() else "There is no token yet.")
        spotify = Spotify(auth_manager=SpotifyClientCredentials(cache_handler=cache))
        print("Artist:", spotify.artist("4NHQUGzhtTLFvgF5SZesLK")["name"])


if __name__ == "__main__":
    main()
