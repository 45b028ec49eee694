"""People and posts to find: `client.search`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from interpal.api.base import Topic
from interpal.api.endpoint import DOUBTFUL, FAMILY, SINGLE, Call, Route, a_list_of
from interpal.api.replies import Post, Profile

if TYPE_CHECKING:
    from interpal.api.base import Awaiting, Blocking

C = TypeVar("C", bound="Blocking | Awaiting")

SEARCH = Route(
    "GET",
    "/v1/search/user",
    FAMILY,
    "the web page has its own search, `/app/search`, with other names",
)
GEO = Route("GET", "/v1/search/geo", SINGLE, "the JavaScript port asks at `/v1/search/location`")
FEED = Route("GET", "/v1/feed", FAMILY)
NEARBY = Route("GET", "/v1/nearby", DOUBTFUL, "the JavaScript port asks at `/v1/search/nearby`")
SUGGESTIONS = Route(
    "GET", "/v1/suggestions", DOUBTFUL, "the JavaScript port asks at `/v1/search/suggestions`"
)


class SearchCalls:
    """People and posts to find."""

    @SEARCH.call
    def search_users(
        self,
        /,
        query: str | None = None,
        age_min: int | None = None,
        age_max: int | None = None,
        gender: str | None = None,
        country: str | None = None,
        city: str | None = None,
        language: str | None = None,
        looking_for: str | None = None,
        online_only: bool = False,
        limit: int = 50,
        offset: int = 0,
        sort: str | None = None,
        order: str | None = None,
        username: str | None = None,
        new: bool | None = None,
        radius: int | None = None,
        known_level_min: int | None = None,
        lfor_friend: bool | None = None,
        lfor_langex: bool | None = None,
        lfor_meet: bool | None = None,
        lfor_relation: bool | None = None,
        lfor_snail: bool | None = None,
        **others: Any,
    ) -> Call[list[Profile]]:
        """Search for users.

        *gender* is `male` or `female`, *country* a two-letter code, *sort* one of `last_login`,
        `modified`, `id`, *radius* is in kilometres. *others* are sent as they are.
        """
        return Call(
            a_list_of(Profile, "results", "data"),
            query={
                "text": query,
                "age1": age_min,
                "age2": age_max,
                "sex": gender,
                "country": country,
                "city": city,
                "language": language,
                "looking_for": looking_for,
                "online": online_only,
                "limit": limit,
                "offset": offset,
                "sort": sort,
                "order": order,
                "username": username,
                "new": new,
                "radius": radius,
                "knownlevelmin": known_level_min,
                "lfor_friend": lfor_friend,
                "lfor_langex": lfor_langex,
                "lfor_meet": lfor_meet,
                "lfor_relation": lfor_relation,
                "lfor_snail": lfor_snail,
                **others,
            },
            cached=True,
        )

    @GEO.call
    def search_by_location(
        self, latitude: float, longitude: float, radius: int = 50, limit: int = 50
    ) -> Call[list[Profile]]:
        """Search for users around a place; *radius* is in kilometres."""
        query = {"lat": latitude, "lon": longitude, "radius": radius, "limit": limit}
        return Call(a_list_of(Profile, "results", "data"), query=query, cached=True)

    @FEED.call
    def get_feed(
        self,
        /,
        feed_type: str = "global",
        limit: int = 20,
        offset: int = 0,
        extra: str | None = "photos.user",
        owner_id: str | None = None,
        owner_only: bool | None = None,
        post_type: str | None = None,
        **others: Any,
    ) -> Call[list[Post]]:
        """Posts: of everybody (`global`), of those one follows (`following`), of one `user`.

        *owner_id* is the user of a `user` feed, *owner_only* leaves out what others wrote there.
        *others* are sent as they are.
        """
        query = {"type": feed_type, "limit": limit, "offset": offset, "extra": extra}
        of = {"owner_id": owner_id, "owner_only": owner_only, "post_type": post_type}
        return Call(a_list_of(Post, "data", "feed"), query={**query, **of, **others})

    @NEARBY.call
    def get_nearby_users(self, limit: int = 50) -> Call[list[Profile]]:
        """Users near the account's place."""
        return Call(a_list_of(Profile, "users", "data"), query={"limit": limit}, cached=True)

    @SUGGESTIONS.call
    def get_suggestions(self, limit: int = 20) -> Call[list[Profile]]:
        """Users that the site proposes."""
        return Call(a_list_of(Profile, "suggestions", "data"), query={"limit": limit}, cached=True)


class Search(SearchCalls, Topic[C]):
    """`client.search`."""
