"""Fetching from a server of this machine that answers as it is told."""

import dataclasses
import email.utils
import io
import socket
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import tenacity.nap
from PIL import Image

from atlas import __version__
from atlas.engine import fetch as module
from atlas.engine.fetch import Fetched, fetch
from atlas.errors import AtlasError
from atlas.microscope import Microscope, microscope

PAUSE = 0.01
Answer = tuple[int, dict[str, str], bytes]


def png(shade: int = 100, side: int = 16) -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (side, side), (shade, 90, 160)).save(file, "PNG")
    return file.getvalue()


PICTURE: Answer = (200, {}, png())
ABSENT: Answer = (404, {}, b"<?xml version='1.0'?><Error><Code>BlobNotFound</Code></Error>")


@dataclass
class Served:
    """A server: what it was asked, when and how, and what it answers, by channel; else ``otherwise``."""

    base: str = ""
    paths: list[str] = field(default_factory=list)
    agents: list[str] = field(default_factory=list)
    times: list[tuple[float, float]] = field(default_factory=list)  # when it was asked, and when it answered
    answers: dict[int, list[Answer]] = field(default_factory=dict)
    otherwise: Answer = PICTURE
    truncated: int = 0  # so many answers end half-way

    @property
    def channels(self) -> list[int]:
        return [channel_of(path) for path in self.paths]


def channel_of(path: str) -> int:
    return int(path.rpartition("-")[2].removesuffix(".png"))


@pytest.fixture(autouse=True)
def no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("no_proxy", "*")


class Clock:
    """Stands for the module ``time``: nobody waits, and every second is known."""

    def __init__(self) -> None:
        self.now = 1_700_000_000.0

    def time(self) -> float:
        return self.now

    monotonic = time

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(module, "time", found)
    monkeypatch.setattr(tenacity.nap, "time", found)
    return found


@pytest.fixture
def served(clock: Clock) -> Iterator[Served]:
    told = Served()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            began = clock.now
            told.paths.append(self.path)
            told.agents.append(self.headers["User-Agent"])
            left = told.answers.get(channel_of(self.path), [])
            code, headers, body = left.pop(0) if left else told.otherwise
            clock.sleep(3.0)  # an answer takes its time, which is no part of a pause
            told.times.append((began, clock.now))
            self.send_response(code)
            for name, value in {"Content-Length": str(len(body)), **headers}.items():
                self.send_header(name, value)
            self.end_headers()
            cut = told.truncated > 0
            told.truncated -= cut
            self.wfile.write(body[: len(body) // 2] if cut else body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    told.base = f"http://127.0.0.1:{server.server_port}/2020-07-25"
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield told
    server.shutdown()
    thread.join()
    server.server_close()


def place_of(network: str = "vgg19", layer: str = "block4_conv1", weights: str = "imagenet") -> Microscope:
    place = microscope(network, layer, weights)
    assert place is not None
    return place


@pytest.fixture
def get(served: Served, tmp_path: Path) -> Callable[..., Fetched]:
    """Fetch channels of block4_conv1 from the server."""

    def fetched(*channels: int, pause: float = PAUSE, **more: object) -> Fetched:
        places = [(place_of(), channel) for channel in channels]
        given = {"say": lambda done, total: None, "base": served.base, **more}
        return fetch(places, tmp_path / "kept", pause=pause, **given)  # type: ignore[arg-type]

    return fetched


def names(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def test_pictures_are_asked_for_by_the_service_s_own_addresses(served: Served, tmp_path: Path) -> None:
    places = [(place_of(), 47), (place_of("inceptionv3", "mixed2", "embedded"), 0)]
    told: list[tuple[int, int]] = []
    found = fetch(places, tmp_path, lambda *counts: told.append(counts), base=served.base, pause=PAUSE)
    assert served.paths == [
        "/2020-07-25/vgg19_caffe/lucid.feature_vis/_feature_vis/alpha%3DFalse%26negative%3DFalse%26objective%3Dchannel"
        "%26op%3Dconv4_1%252Fconv4_1%253A0%26repeat%3D0%26start%3D32%26steps%3D4096%26stop%3D64/channel-47.png",
        "/2020-07-25/inceptionv3_slim/lucid.feature_vis/_feature_vis/alpha%3DFalse%26negative%3DFalse%26"
        "objective%3Dchannel%26op%3DInceptionV3%252FInceptionV3%252FMixed_5d%252Fconcat%253A0%26repeat%3D0%26"
        "start%3D0%26steps%3D4096%26stop%3D32/channel-0.png",
    ]
    assert found == Fetched(0, 2, (), (), 0)
    assert told == [(0, 2), (1, 2), (2, 2)]
    kept = ["InceptionV3_InceptionV3_Mixed_5d_concat_0/channel-0.png", "conv4_1_conv4_1_0/channel-47.png"]
    assert names(tmp_path) == kept
    assert (tmp_path / kept[1]).read_bytes() == png()


def test_one_at_a_time_with_a_pause_and_a_name(get: Callable[..., Fetched], served: Served) -> None:
    get(0, 1, 2, 3, pause=0.25)
    gaps = [later[0] - earlier[1] for earlier, later in zip(served.times, served.times[1:], strict=False)]
    assert gaps == [0.25] * 3
    assert {agent.partition(" ")[0] for agent in served.agents} == {f"atlas-microscope/{__version__}"}


def test_what_is_there_is_not_asked_for_again(get: Callable[..., Fetched], served: Served) -> None:
    assert get(0, 1, 1).new == 2
    told: list[tuple[int, int]] = []
    assert get(0, 1, say=lambda *counts: told.append(counts)) == Fetched(2, 0, (), (), 0)
    assert told == [(2, 2)]
    assert served.channels == [0, 1]


def test_an_interrupted_call_goes_on(get: Callable[..., Fetched], served: Served, tmp_path: Path) -> None:
    def stop(done: int, total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        get(*range(5), say=stop)
    assert names(tmp_path / "kept") == [f"conv4_1_conv4_1_0/channel-{channel}.png" for channel in (0, 1)]
    assert get(*range(5)) == Fetched(2, 3, (), (), 0)
    assert served.channels == [0, 1, 2, 3, 4]


def test_a_picture_that_is_not_there_is_told_by_name(get: Callable[..., Fetched], served: Served) -> None:
    served.answers = {1: [ABSENT], 2: [(410, {}, b"")]}
    absent = ("conv4_1_conv4_1_0/channel-1.png", "conv4_1_conv4_1_0/channel-2.png")
    assert get(0, 1, 2, 3) == Fetched(0, 2, absent, (), 0)
    assert served.channels == [0, 1, 2, 3]  # each asked for once


@pytest.mark.parametrize("asked", [3, 9])
def test_a_service_without_any_picture_is_gone(
    get: Callable[..., Fetched], served: Served, tmp_path: Path, asked: int
) -> None:
    served.otherwise = ABSENT
    if asked < module.SEVERAL:
        assert len(get(*range(asked)).absent) == asked
        return
    with pytest.raises(AtlasError, match=r"channel-4\.png: expected a picture, received not found; 5 of 5") as raised:
        get(*range(asked))
    assert str(raised.value).startswith(served.base)
    assert "with --pictures and without --fetch; what came before stays and is not asked for again" in str(raised.value)
    assert len(served.paths) == module.SEVERAL
    assert not (tmp_path / "kept").exists()


def test_a_service_that_goes_half_way_is_gone_too(get: Callable[..., Fetched], served: Served) -> None:
    assert get(0, 1, 2).new == 3
    served.otherwise = ABSENT
    with pytest.raises(AtlasError, match="5 of 8 are not there, as if the service were gone"):
        get(*range(32))


def test_a_few_that_are_not_there_among_many_are_no_sign_of_it(get: Callable[..., Fetched], served: Served) -> None:
    served.answers = {channel: [ABSENT, ABSENT] for channel in range(8, 14)}
    assert len(get(*range(14)).absent) == 6
    assert get(*range(14)) == Fetched(8, 0, tuple(f"conv4_1_conv4_1_0/channel-{n}.png" for n in range(8, 14)), (), 0)


def test_a_page_in_the_place_of_every_picture_is_no_service(get: Callable[..., Fetched], served: Served) -> None:
    served.otherwise = (200, {"Content-Type": "text/html"}, b"<html>This address is for sale</html>")
    with pytest.raises(AtlasError, match="received a file that is no JPEG, PNG, WebP, GIF, TIFF or BMP image; 5 of 5"):
        get(*range(9))


def test_a_broken_picture_is_told_by_name_and_not_kept(
    get: Callable[..., Fetched], served: Served, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LARGEST", 2000)
    served.answers = {1: [(200, {}, png()[:-30])], 2: [(200, {}, b"x" * 2001)], 3: [(200, {}, b"")]}
    found = get(*range(5))
    assert found.broken == tuple(f"conv4_1_conv4_1_0/channel-{channel}.png" for channel in (1, 2, 3))
    assert (found.new, found.absent) == (2, ())
    assert names(tmp_path / "kept") == [f"conv4_1_conv4_1_0/channel-{channel}.png" for channel in (0, 4)]


def test_an_answer_that_ends_half_way_is_asked_for_again(get: Callable[..., Fetched], served: Served) -> None:
    served.truncated = 1
    assert get(0).new == 1
    assert served.channels == [0, 0]


@pytest.mark.parametrize(("code", "how"), [(429, "seconds"), (503, "date"), (503, "nothing"), (429, "nonsense")])
def test_a_busy_service_is_given_the_time_it_asks_for(
    get: Callable[..., Fetched], served: Served, clock: Clock, code: int, how: str
) -> None:
    said = {"seconds": "100", "date": email.utils.formatdate(clock.now + 103, usegmt=True), "nonsense": "soon"}
    served.answers = {0: [(code, {"Retry-After": said[how]} if how in said else {}, b"slower")]}
    assert get(0, 1).new == 2
    assert served.channels == [0, 0, 1]
    waited = served.times[1][0] - served.times[0][1]
    assert waited == pytest.approx(100 if how in ("seconds", "date") else 2 * PAUSE, abs=1e-3)


def test_a_service_that_stays_busy_is_left_alone(get: Callable[..., Fetched], served: Served, tmp_path: Path) -> None:
    served.answers = {1: [(429, {}, b"")] * 99}
    with pytest.raises(AtlasError, match=r"channel-1\.png: expected a picture, received 429 Too Many Requests; try"):
        get(0, 1, 2)
    assert served.channels == [0] + [1] * module.TRIES
    gaps = [later[0] - earlier[1] for earlier, later in zip(served.times, served.times[1:], strict=False)]
    assert gaps == pytest.approx([PAUSE, *(PAUSE * 2**tried for tried in range(1, module.TRIES))], abs=1e-3)
    assert names(tmp_path / "kept") == ["conv4_1_conv4_1_0/channel-0.png"]
    served.answers = {}
    assert get(0, 1, 2) == Fetched(1, 2, (), (), 0)


def test_who_asks_for_an_hour_is_not_waited_for(get: Callable[..., Fetched], served: Served) -> None:
    served.answers = {0: [(503, {"Retry-After": "3600"}, b"")]}
    with pytest.raises(AtlasError, match="received 503 Service Unavailable; try later"):
        get(0)
    assert served.channels == [0]


def test_a_refusal_is_not_asked_twice(get: Callable[..., Fetched], served: Served) -> None:
    served.otherwise = (403, {}, b"")
    with pytest.raises(AtlasError, match="received 403 Forbidden; try later, or take pictures that others have kept"):
        get(0, 1)
    assert served.channels == [0]


def test_no_connection_is_one_sentence(get: Callable[..., Fetched], tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    for base in (f"http://127.0.0.1:{port}", "https://openaipublic.blob.core.windows.net/microscopeprod"):
        with pytest.raises(
            AtlasError, match=r"channel-0\.png: expected a picture, received no answer \(.+\); try"
        ) as it:
            get(0, base=base)
        assert str(it.value).startswith(base)
        assert "\n" not in str(it.value)
    assert not (tmp_path / "kept").exists()


def test_a_service_that_says_nothing_is_given_up(get: Callable[..., Fetched], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "TIMEOUT", 0.05)
    server = socket.create_server(("127.0.0.1", 0))
    with server, pytest.raises(AtlasError, match=r"received no answer \(timed out\)"):
        get(0, base=f"http://127.0.0.1:{server.getsockname()[1]}")


def test_other_weights_are_never_asked_for(served: Served, tmp_path: Path) -> None:
    places = [(place_of(weights="random"), 0), (place_of(), 1), (place_of("inceptionv3", "mixed8"), 2)]
    found = fetch(places, tmp_path, lambda done, total: None, base=served.base, pause=PAUSE)
    assert found == Fetched(0, 2, (), (), 1)
    assert served.channels == [1, 2]
    own = [(dataclasses.replace(place_of(), same="other"), 5)]
    assert fetch(own, tmp_path, lambda done, total: None, base=served.base).other == 1
    assert len(served.paths) == 2


@pytest.mark.parametrize("base", ["file:///etc", "ftp://127.0.0.1/x", "", "/pictures"])
def test_only_http_is_spoken(get: Callable[..., Fetched], base: str) -> None:
    with pytest.raises(AtlasError, match="expected an address with https:// or http://"):
        get(0, base=base)


def test_a_redirect_to_a_file_is_not_followed(get: Callable[..., Fetched], served: Served, tmp_path: Path) -> None:
    (tmp_path / "secret.png").write_bytes(png())
    served.otherwise = (302, {"Location": f"file://{tmp_path}/secret.png"}, b"")
    with pytest.raises(AtlasError, match="expected a picture, received 302"):
        get(0)
    assert not (tmp_path / "kept").exists()


def test_a_folder_that_cannot_be_written_is_one_sentence(get: Callable[..., Fetched], tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("a file")
    with pytest.raises(AtlasError, match="could not be written"):
        get(0)
