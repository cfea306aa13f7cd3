"""Fetching OpenAI Microscope's own pictures, once, to compare with: one at a time, and never when a page is looked at.

The service may be offline for good: that is one clear sentence, and what came before it stays.
"""

import contextlib
import email.utils
import http.client
import io
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import tenacity

from atlas import __version__
from atlas.errors import AtlasError
from atlas.files import write_atomically
from atlas.images.loader import UnfitError, read_image
from atlas.microscope import PICTURES, Microscope, picture

USER_AGENT = f"atlas-microscope/{__version__} (one request at a time, each picture once)"
PAUSE = 0.5  # seconds between two requests
TIMEOUT = 30.0  # seconds until an answer that does not go on is given up
TRIES = 5  # for one picture, with pauses that double
LONGEST = 600.0  # seconds: a service that asks for more is given up for today
LARGEST = 20_000_000  # bytes
SEVERAL = 5  # so many that are not there, and more than are, and the service is taken for gone
ABSENT = (404, 410)
BUSY = (408, 429, 500, 502, 503, 504)  # what may be otherwise in a moment
INSTEAD = (
    "try later, or take pictures that others have kept, with --pictures and without --fetch; what came before stays "
    "and is not asked for again"
)


@dataclass(frozen=True)
class Fetched:
    """What came of it: how many pictures were ``kept`` from before, and how many came ``new``.

    ``absent`` are the names, such as ``conv4_1_conv4_1_0/channel-4.png``, of those that are not there, ``broken`` of
    those that came and are no images. ``other`` counts those that were not asked for, since their weights are others.
    """

    kept: int
    new: int
    absent: tuple[str, ...]
    broken: tuple[str, ...]
    other: int


class _NoAnswerError(Exception):
    """No answer, or one that asks for patience: what came in its place, and how many seconds it asks for."""

    def __init__(self, said: str, after: float = 0.0):
        super().__init__(said)
        self.after = after


def fetch(
    places: Iterable[tuple[Microscope, int]],
    folder: Path,
    say: Callable[[int, int], None],
    *,
    base: str = PICTURES,
    pause: float = PAUSE,
) -> Fetched:
    """Fetch Microscope's pictures of channels into ``folder / place.folder / channel-N.png``.

    What is there is not asked for again, so the same call goes on where another one ended. Places whose weights are
    other ones are left out. ``say`` is told how many are done, and of how many, at first and after each. ``base`` is
    where the folders of Microscope's networks lie, ``pause`` the seconds between two requests.

    Raises AtlasError when there is no connection, when the service refuses or stays busy, when of several pictures
    more are missing than there, when ``base`` is no http address, and when a file cannot be written.
    """
    if urlsplit(base).scheme not in ("https", "http"):
        raise AtlasError(f"{base}: expected an address with https:// or http://, received another; correct it")
    asked = list(dict.fromkeys(places))
    fit = [(place, channel) for place, channel in asked if place.same != "other"]
    wanted = {f"{place.folder}/channel-{channel}.png": (place, channel) for place, channel in fit}
    missing = [name for name in wanted if not (folder / name).is_file()]
    kept, new = len(wanted) - len(missing), 0
    absent: list[str] = []
    broken: list[str] = []
    service = _Service(pause)
    say(kept, len(wanted))
    for done, name in enumerate(missing, kept + 1):
        address = picture(*wanted[name], base=base)
        data = service.ask(address)
        trouble = _trouble(data)
        if data is not None and not trouble:
            write_atomically(folder / name, data)
            new += 1
        else:
            (absent if data is None else broken).append(name)
            lost = len(absent) + len(broken)
            if lost >= SEVERAL and lost > kept + new:
                gone = f"{lost:,} of {kept + new + lost:,} are not there, as if the service were gone"
                raise AtlasError(f"{address}: expected a picture, received {trouble}; {gone}; {INSTEAD}")
        say(done, len(wanted))
    return Fetched(kept, new, tuple(absent), tuple(broken), len(asked) - len(fit))


def _trouble(data: bytes | None) -> str:
    """What is wrong with what should be an image; empty when nothing is."""
    if data is None:
        return "not found"
    if len(data) > LARGEST:
        return f"a file of more than {LARGEST // 1_000_000} MB"
    try:
        read_image(io.BytesIO(data), 8, "squeeze")
    except UnfitError as error:
        return str(error)
    return ""


class _Service:
    """Whom pictures are asked of, one at a time: ``pause`` are the seconds from an answer to the next request."""

    def __init__(self, pause: float):
        self.pause = pause
        self._free = 0.0  # when the next request may go, on the clock that never goes back
        self._opener = urllib.request.OpenerDirector()
        for handler in (  # as urlopen has, but for files and FTP
            urllib.request.ProxyHandler,
            urllib.request.HTTPHandler,
            urllib.request.HTTPSHandler,
            urllib.request.HTTPRedirectHandler,
            urllib.request.HTTPDefaultErrorHandler,
            urllib.request.HTTPErrorProcessor,
            urllib.request.UnknownHandler,
        ):
            self._opener.add_handler(handler())

    def ask(self, address: str) -> bytes | None:
        """What lies at an address, at most a byte more than LARGEST; None when nothing does.

        Asks again with longer pauses while there is no answer, or when that asks for patience. Raises AtlasError when
        that does not help, and when the service refuses.
        """
        retrying = tenacity.Retrying(
            retry=tenacity.retry_if_exception(lambda error: isinstance(error, _NoAnswerError) and _is_near(error)),
            wait=self._patience,
            stop=tenacity.stop_after_attempt(TRIES),
            reraise=True,
        )
        try:
            return retrying(self._ask_once, address)
        except _NoAnswerError as error:
            raise AtlasError(f"{address}: expected a picture, received {error}; {INSTEAD}") from error

    def _ask_once(self, address: str) -> bytes | None:
        time.sleep(max(0.0, self._free - time.monotonic()))
        request = urllib.request.Request(address, headers={"User-Agent": USER_AGENT})
        try:
            with self._opener.open(request, timeout=TIMEOUT) as answer:
                data: bytes = answer.read(LARGEST + 1)
                if answer.length and len(data) <= LARGEST:
                    raise http.client.IncompleteRead(data, answer.length)
                return data
        except urllib.error.HTTPError as error:
            with error:
                if error.code in ABSENT:
                    return None
                said = f"{error.code} {error.reason}".strip().splitlines()[0]
                if error.code not in BUSY:
                    raise AtlasError(f"{address}: expected a picture, received {said}; {INSTEAD}") from error
                raise _NoAnswerError(said, _after(error.headers.get("Retry-After"))) from error
        except (OSError, http.client.HTTPException) as error:
            said = str(getattr(error, "reason", error)) or type(error).__name__
            raise _NoAnswerError(f"no answer ({said})") from error
        finally:
            self._free = time.monotonic() + self.pause

    def _patience(self, state: tenacity.RetryCallState) -> float:
        """Seconds until the next try: what the service asks for, and never less than twice the wait before."""
        error = state.outcome.exception() if state.outcome else None
        after = error.after if isinstance(error, _NoAnswerError) else 0.0
        return max(after, self.pause * float(2**state.attempt_number))


def _is_near(error: _NoAnswerError) -> bool:
    return error.after <= LONGEST


def _after(header: str | None) -> float:
    """The seconds that a Retry-After asks for: a number or a date, RFC 9110, 10.2.3. 0 for what is neither."""
    if header is None:
        return 0.0
    with contextlib.suppress(ValueError):
        if header.strip().isdigit():
            return float(header)
        return max(0.0, email.utils.parsedate_to_datetime(header).timestamp() - time.time())
    return 0.0
