"""The account itself, profiles, settings and trips: `client.user`."""

from __future__ import annotations

from collections.abc import Iterable  # noqa: TC003  (typing.get_type_hints reads it)
from typing import TYPE_CHECKING, Any, TypeVar

from interpal.api.base import Topic
from interpal.api.endpoint import (
    DOUBTFUL,
    FAMILY,
    GUESS,
    SINGLE,
    Call,
    Route,
    a_list_of,
    acknowledged,
    an,
    joined,
)
from interpal.api.replies import Profile, Reply, Trip, UserCounters, UserSettings

if TYPE_CHECKING:
    from interpal.api.base import Awaiting, Blocking

C = TypeVar("C", bound="Blocking | Awaiting")

SELF = Route("GET", "/v1/account/self", FAMILY)
UPDATE_SELF = Route(
    "PUT", "/v1/account/self", FAMILY, "a list of recorded requests says POST for this path"
)
PROFILE = Route("GET", "/v1/profile/{user_id}", FAMILY)
ACCOUNT = Route("GET", "/v1/account/{user_id}", SINGLE)
COUNTERS = Route("GET", "/v1/user-counters", SINGLE, "the names of its members are a guess")
SETTINGS = Route("GET", "/v1/settings/self", SINGLE)
UPDATE_SETTINGS = Route(
    "PUT", "/v1/settings/self", DOUBTFUL, "a list of recorded requests says POST for this path"
)
ACTIVITY = Route("GET", "/v1/activity/self", SINGLE)
TRIPS = Route("GET", "/v1/user/{user_id}/trips", SINGLE)
MY_TRIPS = Route("GET", "/v1/user/self/trips", SINGLE)
NEW_TRIP = Route("POST", "/v1/trip", GUESS)
UPDATE_TRIP = Route("PUT", "/v1/trip/{trip_id}", GUESS)
DELETE_TRIP = Route("DELETE", "/v1/trip/{trip_id}", GUESS)


class AccountCalls:
    """The account itself, profiles, settings and trips."""

    @SELF.call
    def get_self(self) -> Call[Profile]:
        """The profile of the account itself."""
        return Call(an(Profile), cached=True)

    @UPDATE_SELF.call
    def update_self(self, /, **fields: Any) -> Call[Profile]:
        """Change members of the account's profile (`city="Bergen"`); the profile afterwards."""
        return Call(an(Profile), form=fields, cached=True)

    @PROFILE.call
    def get_user(
        self,
        /,
        user_id: str,
        *,
        extra: str | Iterable[str] | None = None,
        extras: str | Iterable[str] | None = None,
        **others: Any,
    ) -> Call[Profile]:
        """The profile of a user.

        *extra* is what to add, such as `relation` or `profile_photos.avatars.likes_comments`: a
        list, or text with commas. *extras* is its name in interpal 1.x. *others* are sent as
        they are.
        """
        wanted = joined(extra if extra is not None else extras)
        return Call(
            an(Profile), path={"user_id": user_id}, query={"extra": wanted, **others}, cached=True
        )

    @ACCOUNT.call
    def get_account(self, user_id: str) -> Call[Profile]:
        """The account of a user."""
        return Call(an(Profile), path={"user_id": user_id}, cached=True)

    @COUNTERS.call
    def get_counters(self) -> Call[UserCounters]:
        """How many messages, friends, photos, views and likes the account has."""
        return Call(an(UserCounters))

    @SETTINGS.call
    def get_settings(self) -> Call[UserSettings]:
        """The settings of the account."""
        return Call(an(UserSettings))

    @UPDATE_SETTINGS.call
    def update_settings(self, /, **settings: Any) -> Call[UserSettings]:
        """Change settings of the account (`language="en"`); the settings afterwards."""
        return Call(an(UserSettings), form=settings)

    @ACTIVITY.call
    def get_activity(self) -> Call[Reply]:
        """What the account did lately."""
        return Call(an(Reply))

    @TRIPS.call
    def get_user_trips(self, user_id: str, limit: int = 50, offset: int = 0) -> Call[list[Trip]]:
        """The trips of a user."""
        return Call(
            a_list_of(Trip, "data", "trips"),
            path={"user_id": user_id},
            query={"limit": limit, "offset": offset},
        )

    @MY_TRIPS.call
    def get_my_trips(self, limit: int = 50, offset: int = 0) -> Call[list[Trip]]:
        """The account's own trips."""
        return Call(a_list_of(Trip, "data", "trips"), query={"limit": limit, "offset": offset})

    @NEW_TRIP.call
    def create_trip(
        self, /, destination: str, start_date: str, end_date: str | None = None, **details: Any
    ) -> Call[Trip]:
        """Announce a trip; dates are `YYYY-MM-DD`. *details* are sent as they are."""
        dates = {"start_date": start_date, "end_date": end_date}
        return Call(an(Trip), form={"destination": destination, **dates, **details})

    @UPDATE_TRIP.call
    def update_trip(self, /, trip_id: str, **details: Any) -> Call[Trip]:
        """Change members of a trip; the trip afterwards."""
        return Call(an(Trip), path={"trip_id": trip_id}, form=details)

    @DELETE_TRIP.call
    def delete_trip(self, trip_id: str) -> Call[Reply | None]:
        """Delete a trip."""
        return Call(acknowledged, path={"trip_id": trip_id})


class Users(AccountCalls, Topic[C]):
    """`client.user`."""
