"""What the people of the sandbox have made: photos, albums, posts, comments, trips, friends, …

In memory, like everything of a `World`; shapes are those of `interpal.api.replies`. One user sees
and changes what the site would let one: another's photo cannot be deleted, a post of anybody's
can be liked.
"""

from __future__ import annotations

import math
import time
from typing import TYPE_CHECKING, Any

from interpal.sandbox.values import (
    Fields,
    Json,
    RequestError,
    is_true,
    moment,
    page,
    user_id,
    whole,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from interpal.sandbox.data import World

_SEEDED_AT = 1795330800  # 2026-11-22T07:00:00Z
_LIKES = (
    *("likes_like", "likes_adore", "likes_laugh"),
    *("likes_wonder", "likes_tears", "likes_anger"),
)
# Where the seeded people live, by city: degrees north and east.
_PLACES = {
    "Bergen": (60.39, 5.32),
    "Porto": (41.15, -8.61),
    "Tainan": (22.99, 120.21),
    "Kumasi": (6.69, -1.62),
    "Leipzig": (51.34, 12.37),
}
_FIRST_IDS = {
    "notice": 20 * 10**17,
    "post": 21 * 10**17,
    "photo": 22 * 10**17,
    "album": 23 * 10**17,
    "trip": 24 * 10**17,
    "comment": 25 * 10**17,
    "like": 26 * 10**17,
    "bookmark": 27 * 10**17,
    "relation": 28 * 10**17,
    "view": 29 * 10**17,
}


class Content:
    """The things of a `World`. With *upload_polls* an upload is `pending` for so many questions."""

    def __init__(self, world: World, *, upload_polls: int = 0) -> None:
        self._world = world
        self._upload_polls = upload_polls
        self._ids = dict(_FIRST_IDS)
        self._photos: dict[str, Json] = {}
        self._albums: dict[str, Json] = {}
        self._posts: dict[str, Json] = {}
        self._comments: dict[str, Json] = {}
        self._trips: dict[str, Json] = {}
        self._likes: list[Json] = []
        self._bookmarks: list[Json] = []
        self._blocks: dict[tuple[str, str], Json] = {}
        self._uploads: dict[str, Json] = {}
        self._notices: dict[str, list[Json]] = {}
        self._views: dict[str, list[Json]] = {}
        self._push_tokens: dict[str, set[str]] = {}

    # photos and albums

    def upload(self, viewer: str, fields: Fields) -> Json:
        """Take a photo, as `file` or `photo`; its token where one is asked for."""
        file = fields.get("file", fields.get("photo"))
        if not isinstance(file, dict) or not file.get("size"):
            raise RequestError(400, "A photo needs a file")
        album = str(fields.get("album_id", ""))
        if album and self._own(self._albums, album, viewer, "album"):
            pass
        photo = self._new_photo(viewer, str(fields.get("caption", "")), album)
        photo["size"] = file["size"]
        if is_true(fields.get("use_token")) or is_true(fields.get("async")):
            token = f"upload-{photo['id']}"
            self._uploads[token] = {"photo": photo, "left": self._upload_polls, "uid": viewer}
            return {"token": token}
        return photo

    def upload_status(self, viewer: str, token: str) -> Json:
        """Say how an upload stands."""
        upload = self._uploads.get(token)
        if upload is None or upload["uid"] != viewer:
            raise RequestError(404, "No such upload")
        if upload["left"] > 0:
            upload["left"] -= 1
            return {"status": "pending", "payload": None}
        return {"status": "success", "payload": upload["photo"]}

    def photo(self, _viewer: str, pid: str) -> Json:
        """Return a photo."""
        return self._known(self._photos, pid, "photo")

    def delete_photo(self, viewer: str, pid: str) -> None:
        """Delete a photo of one's own."""
        self._own(self._photos, pid, viewer, "photo")
        del self._photos[pid]

    def photos_of(self, viewer: str, uid: str, query: Mapping[str, str]) -> list[Json]:
        """Return the photos of a user, the newest first."""
        return page(self._photos_of(self._user_id(viewer, uid))[::-1], query)

    def photo_count(self, viewer: str, uid: str) -> Json:
        """Return how many photos a user has."""
        return {"total": len(self._photos_of(self._user_id(viewer, uid)))}

    def profile_photos(self, uid: str) -> Json:
        """Return the album of a user's own pictures, and the pictures."""
        pictures = self._photos_of(uid)[:1] or [self._new_photo(uid, "", "")]
        album = {
            "id": f"{23 * 10**17 - int(uid) % 10**12}",
            "title": "Profile photos",
            "profile_photos": True,
            "photo_ids": [picture["id"] for picture in pictures],
            "album_cover_id": pictures[0]["id"],
        }
        return {"album": album, "avatars": pictures}

    def album(self, _viewer: str, aid: str) -> Json:
        """Return an album with its photos."""
        return self._filled(self._known(self._albums, aid, "album"))

    def albums_of(self, viewer: str, uid: str) -> list[Json]:
        """Return the albums of a user."""
        owner = self._user_id(viewer, uid)
        return [self._filled(a) for a in self._albums.values() if a["owner_id"] == owner]

    def new_album(self, viewer: str, fields: Fields) -> Json:
        """Make an album."""
        name = str(fields.get("name", ""))
        if not name:
            raise RequestError(400, "An album needs a name")
        aid = self._next_id("album")
        self._albums[aid] = {
            "id": aid,
            "name": name,
            "description": str(fields.get("description", "")),
            "owner_id": viewer,
            "created": moment(time.time()),
            "updated": moment(time.time()),
        }
        return self._filled(self._albums[aid])

    def update_album(self, viewer: str, aid: str, fields: Fields) -> Json:
        """Change the name or the description of an album."""
        album = self._own(self._albums, aid, viewer, "album")
        album |= {n: str(fields[n]) for n in ("name", "description") if n in fields}
        album["updated"] = moment(time.time())
        return self._filled(album)

    def delete_album(self, viewer: str, aid: str) -> None:
        """Delete an album; its photos stay."""
        self._own(self._albums, aid, viewer, "album")
        del self._albums[aid]
        for photo in self._photos.values():
            photo["aid"] = "" if photo["aid"] == aid else photo["aid"]

    # posts and comments

    def feed(self, viewer: str, query: Mapping[str, str]) -> list[Json]:
        """Return posts as a bare list, which suits every client (docs/sandbox.md, rule 17)."""
        posts = [self._seen_post(post, viewer) for post in self._all_posts()]
        kind, owner = query.get("type", "global"), query.get("owner_id")
        if owner or kind == "user":
            posts = [post for post in posts if post["feed_owner_id"] == (owner or viewer)]
        if kind == "following":
            friends = self.friends_of(viewer)
            posts = [post for post in posts if post["poster_uid"] in friends]
        if query.get("post_type"):
            posts = [post for post in posts if post["post_type"] == query["post_type"]]
        return page(posts, query)

    def new_post(self, viewer: str, fields: Fields) -> Json:
        """Write a post."""
        text = str(fields.get("content", fields.get("message", "")))
        if not text:
            raise RequestError(400, "A post needs a text")
        pid = self._next_id("post")
        self._posts[pid] = {
            "id": pid,
            "message": text,
            "content": text,
            "post_type": "user-post",
            "poster_uid": viewer,
            "feed_owner_id": viewer,
            "view_acl": str(fields.get("privacy", "public")),
            "privacy": str(fields.get("privacy", "public")),
            "created": moment(time.time()),
            "photos": [],
        }
        return self._seen_post(self._posts[pid], viewer)

    def post(self, viewer: str, pid: str) -> Json:
        """Return a post."""
        return self._seen_post(self._post(pid), viewer)

    def update_post(self, viewer: str, pid: str, fields: Fields) -> Json:
        """Change a post."""
        post = self._post(pid)
        if post["poster_uid"] != viewer:
            raise RequestError(403, "Not your post")
        if "content" in fields or "message" in fields:
            post["message"] = post["content"] = str(fields.get("content", fields.get("message")))
        if "privacy" in fields:
            post["view_acl"] = post["privacy"] = str(fields["privacy"])
        post["modified"] = moment(time.time())
        return self._seen_post(post, viewer)

    def delete_post(self, viewer: str, pid: str) -> None:
        """Delete a post of one's own, with its comments."""
        self._own(self._posts, pid, viewer, "post", of="poster_uid")
        del self._posts[pid]
        self._comments = {c: v for c, v in self._comments.items() if v["post_id"] != pid}

    def comments(self, viewer: str, pid: str, query: Mapping[str, str]) -> list[Json]:
        """Return the comments to a post, the oldest first; answers inside of them if asked."""
        self._post(pid)
        found = [self._seen_comment(c, viewer) for c in self._comments.values()]
        found = [comment for comment in found if comment["post_id"] == pid]
        if is_true(query.get("nest_replies")):
            for comment in found:
                answers = [other for other in found if other["parent_id"] == comment["id"]]
                comment |= {"replies": answers, "replies_count": len(answers)}
            found = [comment for comment in found if not comment["parent_id"]]
        return page(found, query)

    def new_comment(self, viewer: str, fields: Fields) -> Json:
        """Comment on a post, or answer a comment."""
        text, pid = str(fields.get("content", "")), str(fields.get("post_id", ""))
        parent = str(fields.get("parent_id", ""))
        self._post(pid)
        if not text:
            raise RequestError(400, "A comment needs a text")
        if parent and self._known(self._comments, parent, "comment")["post_id"] != pid:
            raise RequestError(404, "No such comment")
        cid = self._next_id("comment")
        self._comments[cid] = {
            "id": cid,
            "post_id": pid,
            "uid": viewer,
            "content": text,
            "parent_id": parent,
            "created": moment(time.time()),
        }
        return self._seen_comment(self._comments[cid], viewer)

    def update_comment(self, viewer: str, cid: str, fields: Fields) -> Json:
        """Change a comment."""
        comment = self._own(self._comments, cid, viewer, "comment", of="uid")
        comment["content"] = str(fields.get("content", comment["content"]))
        comment["updated"] = moment(time.time())
        return self._seen_comment(comment, viewer)

    def delete_comment(self, viewer: str, cid: str) -> None:
        """Delete a comment of one's own, with the answers to it."""
        self._own(self._comments, cid, viewer, "comment", of="uid")
        gone = {cid}
        gone |= {c for c, value in self._comments.items() if value["parent_id"] in gone}
        self._comments = {c: v for c, v in self._comments.items() if c not in gone}

    # trips

    def trips(self, viewer: str, uid: str, query: Mapping[str, str]) -> list[Json]:
        """Return the trips of a user, the next one first."""
        owner = self._user_id(viewer, uid)
        found = [dict(trip) for trip in self._trips.values() if trip["user_id"] == owner]
        return page(sorted(found, key=lambda trip: str(trip["start_date"])), query)

    def new_trip(self, viewer: str, fields: Fields) -> Json:
        """Announce a trip."""
        if not fields.get("destination") or not fields.get("start_date"):
            raise RequestError(400, "A trip needs a destination and a start_date")
        tid = self._next_id("trip")
        made = {"id": tid, "user_id": viewer, "created": moment(time.time())}
        self._trips[tid] = {**fields, **made}
        return dict(self._trips[tid])

    def update_trip(self, viewer: str, tid: str, fields: Fields) -> Json:
        """Change a trip."""
        trip = self._own(self._trips, tid, viewer, "trip", of="user_id")
        trip |= {n: v for n, v in fields.items() if n not in ("id", "user_id", "created")}
        trip["updated"] = moment(time.time())
        return dict(trip)

    def delete_trip(self, viewer: str, tid: str) -> None:
        """Delete a trip."""
        self._own(self._trips, tid, viewer, "trip", of="user_id")
        del self._trips[tid]

    # people

    def relation(self, viewer: str, other: str) -> Json:
        """Return how two users stand to each other."""
        now = moment(_SEEDED_AT)
        return {
            "uid": viewer,
            "target_id": other,
            "friend_status": "friends" if other in self.friends_of(viewer) else "none",
            "user_blocks_target": (viewer, other) in self._blocks,
            "target_blocks_user": (other, viewer) in self._blocks,
            "modified": now,
            "created": now,
        }

    def relations(self, viewer: str, uid: str) -> list[Json]:
        """Return the friends of a user, and for oneself those who are blocked."""
        owner = self._user_id(viewer, uid)
        return self.friends(viewer, owner) + (self.blocked(viewer) if owner == viewer else [])

    def friends_of(self, uid: str) -> list[str]:
        """Return the ids of the friends of a user: lin.m is everybody's friend."""
        friend = user_id("lin.m")
        others = [other for other in self._world.people if other != friend]
        return others if uid == friend else [friend]

    def friends(self, viewer: str, uid: str) -> list[Json]:
        """Return the friends of a user."""
        return [
            self._related(friend, "friend")
            for friend in self.friends_of(self._user_id(viewer, uid))
            if friend in self._world.people
        ]

    def block(self, viewer: str, uid: str) -> Json:
        """Block a user."""
        self._person(uid, viewer)
        self._blocks.setdefault((viewer, uid), self._related(uid, "blocked"))
        return self.relation(viewer, uid)

    def unblock(self, viewer: str, uid: str) -> Json:
        """No longer block a user."""
        self._person(uid, viewer)
        self._blocks.pop((viewer, uid), None)
        return self.relation(viewer, uid)

    def blocked(self, viewer: str) -> list[Json]:
        """Return those whom a user has blocked."""
        return [dict(entry) for (who, _), entry in self._blocks.items() if who == viewer]

    def bookmark(self, viewer: str, fields: Fields) -> Json:
        """Bookmark a user."""
        uid = str(fields.get("user_id", ""))
        self._person(uid, viewer)
        self._bookmarks = [b for b in self._bookmarks if (b["uid"], b["user_id"]) != (viewer, uid)]
        made = {
            "id": self._next_id("bookmark"),
            "uid": viewer,
            "user_id": uid,
            "user": self._world.summary(uid),
            "note": str(fields.get("note", "")),
            "created_at": moment(time.time()),
        }
        self._bookmarks.append(made)
        return dict(made)

    def bookmarks(self, viewer: str) -> list[Json]:
        """Return whom a user has bookmarked."""
        return [dict(entry) for entry in self._bookmarks if entry["uid"] == viewer]

    def remove_bookmark(self, viewer: str, uid: str) -> None:
        """Remove a bookmark."""
        left = [b for b in self._bookmarks if (b["uid"], b["user_id"]) != (viewer, uid)]
        if len(left) == len(self._bookmarks):
            raise RequestError(404, "No such bookmark")
        self._bookmarks = left

    def like(self, viewer: str, fields: Fields) -> Json:
        """Like a photo, a post or a profile."""
        cid = str(fields.get("content_id", ""))
        if not cid:
            raise RequestError(400, "content_id is missing")
        self._likes = [v for v in self._likes if (v["user_id"], v["content_id"]) != (viewer, cid)]
        made = {
            "id": self._next_id("like"),
            "content_id": cid,
            "content_type": str(fields.get("content_type", "photo")),
            "user_id": viewer,
            "user": self._world.summary(viewer),
            "created_at": moment(time.time()),
        }
        self._likes.append(made)
        return dict(made)

    def unlike(self, viewer: str, cid: str) -> None:
        """No longer like something."""
        left = [v for v in self._likes if (v["user_id"], v["content_id"]) != (viewer, cid)]
        if len(left) == len(self._likes):
            raise RequestError(404, "No such like")
        self._likes = left

    def likes(self, cid: str) -> list[Json]:
        """Return who likes something."""
        return [dict(entry) for entry in self._likes if entry["content_id"] == cid]

    def geo(self, viewer: str, query: Mapping[str, str]) -> list[Json]:
        """Search people around `lat, lon`, within `radius` kilometres."""
        try:
            here = (float(query.get("lat", "")), float(query.get("lon", "")))
        except ValueError:
            raise RequestError(400, "lat and lon must be numbers") from None
        radius = whole(query, "radius", 50)
        return page(
            [
                dict(person)
                for uid, person in self._world.people.items()
                if uid != viewer
                and _kilometres(here, _PLACES.get(person["city"], (90.0, 0.0))) <= radius
            ],
            query,
        )

    def others(
        self, viewer: str, query: Mapping[str, str], *, online: bool = False, friends: bool = True
    ) -> list[Json]:
        """Return other people: those who are online, or whom one does not know yet."""
        known = () if friends else self.friends_of(viewer)
        return page(
            [
                dict(person)
                for uid, person in self._world.people.items()
                if uid != viewer and uid not in known and (person["is_online"] or not online)
            ],
            query,
        )

    def activity(self, viewer: str) -> Json:
        """Return what a user did lately."""
        return {
            "last_login": self._world.people[viewer]["last_login"],
            "posts": sum(post["poster_uid"] == viewer for post in self._posts.values()),
            "photos": len(self._photos_of(viewer)),
            "comments": sum(c["uid"] == viewer for c in self._comments.values()),
        }

    # notifications, views, push tokens

    def notifications(self, viewer: str, query: Mapping[str, str]) -> list[Json]:
        """Return the notifications as a bare list; one friend request to begin with."""
        notices = [dict(notice) for notice in self._notices_of(viewer)]
        if is_true(query.get("unread_only")):
            notices = [notice for notice in notices if not notice["read"]]
        return page(notices, query)

    def read_notification(self, viewer: str, nid: str) -> None:
        """Mark a notification as read."""
        self._notice(viewer, nid)["read"] = True

    def read_all_notifications(self, viewer: str) -> None:
        """Mark all notifications as read."""
        for notice in self._notices_of(viewer):
            notice["read"] = True

    def delete_notification(self, viewer: str, nid: str) -> None:
        """Delete a notification."""
        self._notices_of(viewer).remove(self._notice(viewer, nid))

    def register_push_token(self, viewer: str, fields: Fields) -> None:
        """Take note of a device."""
        if not fields.get("token"):
            raise RequestError(400, "token is missing")
        self._push_tokens.setdefault(viewer, set()).add(str(fields["token"]))

    def unregister_push_token(self, viewer: str, token: str) -> None:
        """Forget a device."""
        if token not in self._push_tokens.get(viewer, ()):
            raise RequestError(404, "No such token")
        self._push_tokens[viewer].remove(token)

    def views(self, viewer: str, query: Mapping[str, str]) -> list[Json]:
        """Return who looked at the profile of a user; lin.m did."""
        return page([dict(view) for view in self._views_of(viewer)], query)

    def reset_views(self, viewer: str) -> None:
        """Count the views from zero."""
        self._views[viewer] = []

    # inside

    def _next_id(self, kind: str) -> str:
        self._ids[kind] += 1
        return str(self._ids[kind])

    def _user_id(self, viewer: str, uid: str) -> str:
        return viewer if uid == "self" else self._person(uid)

    def _person(self, uid: str, viewer: str = "") -> str:
        if uid not in self._world.people or uid == viewer:
            raise RequestError(404, "No such user")
        return uid

    def _known(self, things: dict[str, Json], identity: str, what: str) -> Json:
        if identity not in things:
            raise RequestError(404, f"No such {what}")
        return things[identity]

    def _own(
        self,
        things: dict[str, Json],
        identity: str,
        viewer: str,
        what: str,
        *,
        of: str = "owner_id",
    ) -> Json:
        thing = self._known(things, identity, what)
        if thing[of] != viewer:
            raise RequestError(403, f"Not your {what}")
        return thing

    def _new_photo(self, uid: str, caption: str, album: str) -> Json:
        pid = self._next_id("photo")
        url = f"/media/{pid}"
        self._photos[pid] = {
            "id": pid,
            "uid": uid,
            "owner_id": uid,
            "url": f"{url}.jpg",
            "thumb_small": f"{url}s.jpg",
            "thumb_medium": f"{url}m.jpg",
            "thumb_large": f"{url}l.jpg",
            "width": 1024,
            "height": 768,
            "aid": album,
            "hidden": False,
            "description": caption,
            "caption": caption,
            "created": moment(time.time()),
            "likes_comments": _likes_comments(0, liked=False),
        }
        return self._photos[pid]

    def _photos_of(self, uid: str) -> list[Json]:
        return [photo for photo in self._photos.values() if photo["owner_id"] == uid]

    def _filled(self, album: Json) -> Json:
        photos = [photo for photo in self._photos.values() if photo["aid"] == album["id"]]
        return {**album, "photos": photos, "photo_count": len(photos)}

    def _all_posts(self) -> list[Json]:
        """Seeded posts of two people behind what was written since, the newest first."""
        if not any(int(pid) < 21 * 10**17 + 2 for pid in self._posts):
            for number, (uid, person) in enumerate(list(self._world.people.items())[1:3]):
                pid = str(21 * 10**17 - 2 + number)
                self._posts[pid] = {
                    "id": pid,
                    "message": person["about"]["general"],
                    "post_type": "user-post",
                    "poster_uid": uid,
                    "feed_owner_id": uid,
                    "created": moment(_SEEDED_AT - 3600 * number),
                    "photos": [],
                }
        return sorted(self._posts.values(), key=lambda post: str(post["created"]), reverse=True)

    def _post(self, pid: str) -> Json:
        self._all_posts()
        return self._known(self._posts, pid, "post")

    def _seen_post(self, post: Json, viewer: str) -> Json:
        likes = self.likes(post["id"])
        comments = sum(c["post_id"] == post["id"] for c in self._comments.values())
        mine = any(like["user_id"] == viewer for like in likes)
        return {
            **post,
            "user": self._world.summary(post["poster_uid"]),
            "likes_comments": {**_likes_comments(len(likes), liked=mine), "comments": comments},
            "can_edit": post["poster_uid"] == viewer,
            "can_delete": post["poster_uid"] == viewer,
        }

    def _seen_comment(self, comment: Json, viewer: str) -> Json:
        mine = comment["uid"] == viewer
        likes = self.likes(comment["id"])
        return {
            **comment,
            "user": self._world.summary(comment["uid"]),
            "likes": len(likes),
            "user_liked": any(like["user_id"] == viewer for like in likes),
            "can_edit": mine,
            "can_delete": mine,
        }

    def _related(self, uid: str, kind: str) -> Json:
        return {
            "id": self._next_id("relation"),
            "user_id": uid,
            "user": self._world.summary(uid),
            "type": kind,
            "created_at": moment(_SEEDED_AT),
        }

    def _notices_of(self, viewer: str) -> list[Json]:
        if viewer not in self._notices:
            people = self._world.people
            actor = next(u for u in map(user_id, ("pedro_k", "lin.m")) if u != viewer)
            notice = {
                "id": str(_FIRST_IDS["notice"] + 3),
                "type": "friend_request",
                "title": "New friend request",
                "message": f"{people[actor]['name']} wants to be friends",
                "actor_id": actor,
                "actor": self._world.summary(actor),
                "read": False,
                "action_url": "/app/friends",
                "created_at": moment(_SEEDED_AT - 6600),
            }
            self._notices[viewer] = [notice]
        return self._notices[viewer]

    def _notice(self, viewer: str, nid: str) -> Json:
        for notice in self._notices_of(viewer):
            if notice["id"] == nid:
                return notice
        raise RequestError(404, "No such notification")

    def _views_of(self, viewer: str) -> list[Json]:
        if viewer not in self._views:
            friend = self.friends_of(viewer)[0]
            view: dict[str, Any] = {
                "id": self._next_id("view"),
                "user": self._world.summary(friend),
                "created_at": moment(_SEEDED_AT - 900),
            }
            self._views[viewer] = [view]
        return self._views[viewer]


def _likes_comments(likes: int, *, liked: bool) -> Json:
    kinds = dict.fromkeys(_LIKES, 0) | {"likes_like": likes}
    return {"likes": likes, "comments": 0, **kinds, "user_liked": liked}


def _kilometres(one: tuple[float, float], other: tuple[float, float]) -> float:
    """The distance of two places on a sphere as large as the Earth."""
    north, east, north2, east2 = map(math.radians, (*one, *other))
    half = math.sin((north2 - north) / 2) ** 2
    half += math.cos(north) * math.cos(north2) * math.sin((east2 - east) / 2) ** 2
    return 12742 * math.asin(math.sqrt(half))
