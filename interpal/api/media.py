"""Photos and albums: `client.media`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from interpal._clock import monotonic
from interpal.api.base import Operation, Operations, Topic
from interpal.api.endpoint import (
    FAMILY,
    SINGLE,
    Call,
    Route,
    a_list_of,
    a_number,
    acknowledged,
    an,
)
from interpal.api.messages import MessageCalls
from interpal.api.replies import Album, Message, Photo, PhotoUpload, PhotoUploadStatus, Reply
from interpal.api.upload import File, OnProgress, Upload
from interpal.exceptions import APIError, NetworkError, ValidationError
from interpal.sessions.wait import Flow  # noqa: TC001  (typing.get_type_hints reads it)
from interpal.transport.messages import Pause, Request

if TYPE_CHECKING:
    from interpal.api.base import Awaiting, Blocking
    from interpal.transport.messages import Response

C = TypeVar("C", bound="Blocking | Awaiting")

# Seconds between two questions how an upload stands: the first, and the most.
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 5.0
# What a status may be called that will not become another one.
_FAILED = frozenset({"failed", "failure", "error", "rejected"})
_MOST_REDIRECTS = 5

UPLOAD = Route(
    "POST",
    "/v1/photo",
    SINGLE,
    "with `file` and `use_token=true`, the reply is a token; an older form with `photo`, "
    "`caption` and `album_id` is a guess",
)
UPLOAD_STATUS = Route("GET", "/v1/upload-status/{upload_token}", SINGLE)
PHOTO = Route("GET", "/v1/photo/{photo_id}", FAMILY)
DELETE_PHOTO = Route("DELETE", "/v1/photo/{photo_id}", FAMILY)
USER_PHOTOS = Route(
    "GET", "/v1/user/{user_id}/photos", SINGLE, "the JavaScript port asks at `/v1/photo/user/{id}`"
)
PHOTO_COUNT = Route("GET", "/v1/total/{user_id}/photos", SINGLE)
ALBUM = Route("GET", "/v1/album/{album_id}", SINGLE)
USER_ALBUMS = Route(
    "GET", "/v1/user/{user_id}/albums", SINGLE, "the JavaScript port asks at `/v1/album/user/{id}`"
)
NEW_ALBUM = Route("POST", "/v1/album", FAMILY)
UPDATE_ALBUM = Route("PUT", "/v1/album/{album_id}", FAMILY)
DELETE_ALBUM = Route("DELETE", "/v1/album/{album_id}", FAMILY)


class MediaCalls:
    """Photos and albums."""

    @PHOTO.call
    def get_photo(self, photo_id: str) -> Call[Photo]:
        """A photo."""
        return Call(an(Photo), path={"photo_id": photo_id}, cached=True)

    @DELETE_PHOTO.call
    def delete_photo(self, photo_id: str) -> Call[Reply | None]:
        """Delete a photo."""
        return Call(acknowledged, path={"photo_id": photo_id})

    @USER_PHOTOS.call
    def get_user_photos(self, user_id: str, limit: int = 50, offset: int = 0) -> Call[list[Photo]]:
        """The photos of a user."""
        return Call(
            a_list_of(Photo, "photos", "data"),
            path={"user_id": user_id},
            query={"limit": limit, "offset": offset},
            cached=True,
        )

    @PHOTO_COUNT.call
    def get_photo_count(self, user_id: str) -> Call[int]:
        """How many photos a user has."""
        return Call(a_number("total", "count"), path={"user_id": user_id})

    @ALBUM.call
    def get_album(self, album_id: str) -> Call[Album]:
        """An album."""
        return Call(an(Album), path={"album_id": album_id}, cached=True)

    @USER_ALBUMS.call
    def get_user_albums(self, user_id: str) -> Call[list[Album]]:
        """The albums of a user."""
        return Call(a_list_of(Album, "albums", "data"), path={"user_id": user_id}, cached=True)

    @NEW_ALBUM.call
    def create_album(self, name: str, description: str | None = None) -> Call[Album]:
        """Make an album."""
        return Call(an(Album), form={"name": name, "description": description}, cached=True)

    @UPDATE_ALBUM.call
    def update_album(
        self, album_id: str, name: str | None = None, description: str | None = None
    ) -> Call[Album]:
        """Change the name or the description of an album; the album afterwards."""
        form = {"name": name, "description": description}
        return Call(an(Album), path={"album_id": album_id}, form=form, cached=True)

    @DELETE_ALBUM.call
    def delete_album(self, album_id: str) -> Call[Reply | None]:
        """Delete an album."""
        return Call(acknowledged, path={"album_id": album_id})

    @UPLOAD_STATUS.call
    def get_upload_status(self, upload_token: str) -> Call[PhotoUploadStatus]:
        """How an upload stands, by the token that it gave."""
        return Call(an(PhotoUploadStatus), path={"upload_token": upload_token})

    @Operation
    def wait_for_upload(self: Any, upload_token: str, *, timeout: float = 60.0) -> Flow[Photo]:
        """Ask how an upload stands until it is done, for *timeout* seconds; the photo.

        Raises `APIError` where the site says that it failed, or is not done in time.
        """
        deadline, pause = monotonic() + timeout, FIRST_PAUSE
        while True:
            upload = yield from MediaCalls.get_upload_status.flow(self, upload_token)
            if upload.payload is not None and upload.payload.id:
                photo: Photo = self._maker()()(Photo, upload.payload)
                return photo
            status = upload.status if isinstance(upload.status, str) else ""
            if status.lower() in _FAILED or status == "success":
                raise APIError("upload: the site did not take the photo", status_code=200)
            if monotonic() + pause > deadline:
                raise APIError(
                    f"upload: the site was not done after {timeout:g} seconds; ask again with "
                    "wait_for_upload()",
                    status_code=200,
                )
            yield Pause(pause)
            pause = min(LONGEST_PAUSE, 2 * pause)

    @UPLOAD.flow
    def upload_photo_with_token(
        self: Any,
        file_path: File,
        use_token: bool = True,
        *,
        caption: str | None = None,
        album_id: str | None = None,
        on_progress: OnProgress | None = None,
    ) -> Flow[PhotoUpload]:
        """Send a photo; the reply has the `token` for `get_upload_status`.

        *file_path* is a path, bytes, or a file open for reading bytes; it is streamed.
        *on_progress* is called with the bytes sent and their number; what it raises ends the
        upload. Raises OSError where the file cannot be read.
        """
        fields = {
            "use_token": "true" if use_token else "false",
            "caption": caption,
            "album_id": album_id,
        }
        with Upload("file", file_path, fields, on_progress) as upload:
            reply = yield from self._upload(UPLOAD.method, UPLOAD.path, upload)
        return PhotoUpload(reply if isinstance(reply, dict) else {})

    @UPLOAD.flow
    def upload_photo_async(
        self: Any,
        file_path: File,
        caption: str | None = None,
        album_id: str | None = None,
        *,
        on_progress: OnProgress | None = None,
    ) -> Flow[PhotoUpload]:
        """Send a photo and do not wait for it; ask with the `token` of the reply."""
        return (
            yield from MediaCalls.upload_photo_with_token.flow(
                self, file_path, caption=caption, album_id=album_id, on_progress=on_progress
            )
        )

    @UPLOAD.flow
    def upload_photo(
        self: Any,
        file_path: File,
        caption: str | None = None,
        album_id: str | None = None,
        *,
        on_progress: OnProgress | None = None,
        timeout: float = 60.0,
    ) -> Flow[Photo]:
        """Send a photo and wait until the site has it; the photo.

        *file_path* is a path, bytes, or a file open for reading bytes. *on_progress* is called
        with the bytes sent and their number. *timeout* is the seconds to wait for the site after
        that. Raises OSError where the file cannot be read, and `APIError` where the site does
        not take the photo.
        """
        upload = yield from MediaCalls.upload_photo_with_token.flow(
            self, file_path, caption=caption, album_id=album_id, on_progress=on_progress
        )
        if upload.token:
            return (yield from MediaCalls.wait_for_upload.flow(self, upload.token, timeout=timeout))
        if upload.get("id") or upload.get("photo_id"):
            photo: Photo = self._maker()()(Photo, upload)
            return photo
        raise APIError("upload: the reply has neither a token nor a photo", status_code=200)

    @Operation
    def send_photo_message(
        self: Any,
        thread_id: str,
        file_path: File | None = None,
        image_url: str | None = None,
        tmp_id: str | None = None,
        *,
        on_progress: OnProgress | None = None,
        timeout: float = 60.0,
    ) -> Flow[Message]:
        """Upload a photo and send it in a conversation.

        Give *file_path* (see `upload_photo`) or *image_url*, where it is fetched from without
        the session. Raises `ValidationError` for both and for neither.
        """
        if file_path is not None and image_url is not None:
            raise ValidationError("file_path, image_url: give one of them, not both")
        file: File | None = file_path
        if image_url is not None:
            file = yield from _fetched(self, image_url)
        if file is None:
            raise ValidationError("file_path, image_url: give one of them")
        photo = yield from MediaCalls.upload_photo.flow(
            self, file, on_progress=on_progress, timeout=timeout
        )
        return (yield from MessageCalls.send_photo.flow(self, thread_id, photo.id, tmp_id))


def _fetched(client: Operations, url: str) -> Flow[bytes]:
    """An image from the net, asked for without the session."""
    from urllib.parse import urljoin, urlsplit

    for _ in range(_MOST_REDIRECTS):
        scheme, host = urlsplit(str(url))[:2]
        if scheme not in ("http", "https") or not host or not url.isascii() or " " in url:
            raise ValidationError("image_url: expected a URL that begins with https://")
        headers = {"User-Agent": client._context.user_agent, "Accept": "image/*"}  # noqa: SLF001
        response: Response = yield Request("GET", url, headers)
        target = response.header("location")
        if response.status in (301, 302, 303, 307, 308) and target:
            url = urljoin(url, target)
            continue
        if response.status != 200:
            raise APIError(
                f"image_url: the server answered {response.status}", status_code=response.status
            )
        return response.body
    raise NetworkError("image_url: the server redirects too often")


class Media(MediaCalls, Topic[C]):
    """`client.media`."""
