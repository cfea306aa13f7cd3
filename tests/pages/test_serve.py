import http.client
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from atlas.errors import SiteError
from atlas.pages.serve import serve


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A site with a secret beside it, and links that lead there."""
    site = tmp_path / "site"
    (site / "a" / "empty").mkdir(parents=True)
    (site / "index.html").write_text("<h1>home</h1>")
    (site / "a" / "index.html").write_text("<h1>a</h1>")
    for name in ("style.css", "site.js", "data.json", "icon.svg", "picture.webp"):
        (site / "a" / name).write_text(name)
    (tmp_path / "secret.txt").write_text("secret")
    (tmp_path / "site-secret").mkdir()
    (tmp_path / "site-secret" / "x.html").write_text("secret")
    (site / "file").symlink_to(tmp_path / "secret.txt")
    (site / "folder").symlink_to(tmp_path / "site-secret")
    (site / "inside").symlink_to(site / "a")
    return site


@pytest.fixture
def port(place: Path) -> Iterator[int]:
    server = serve(place, 0)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield server.server_port
    server.shutdown()
    thread.join()
    server.server_close()


def ask(port: int, address: str, method: str = "GET") -> tuple[int, str, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.putrequest(method, address)
    connection.endheaders()
    answer = connection.getresponse()
    body = answer.read().decode()
    connection.close()
    return answer.status, answer.getheader("Content-Type", ""), body


@pytest.mark.parametrize(
    ("address", "kind", "body"),
    [
        ("/", "text/html; charset=utf-8", "<h1>home</h1>"),
        ("/a/index.html", "text/html; charset=utf-8", "<h1>a</h1>"),
        ("/a/", "text/html; charset=utf-8", "<h1>a</h1>"),
        ("/inside/index.html?x#y", "text/html; charset=utf-8", "<h1>a</h1>"),
        ("/a/style.css", "text/css; charset=utf-8", "style.css"),
        ("/a/site.js", "text/javascript; charset=utf-8", "site.js"),
        ("/a/data.json", "application/json; charset=utf-8", "data.json"),
        ("/a/icon.svg", "image/svg+xml", "icon.svg"),
        ("/a/picture.webp", "image/webp", "picture.webp"),
    ],
)
def test_files_come_with_their_type(port: int, address: str, kind: str, body: str) -> None:
    assert ask(port, address) == (200, kind, body)


def test_what_is_not_there_is_said_by_the_atlas_s_own_page(place: Path, port: int) -> None:
    (place / "a/404.html").write_text("<h1>not here</h1>")
    for address in ("/a/nothing.html", "/a/deep/nothing/"):
        assert ask(port, address) == (404, "text/html; charset=utf-8", "<h1>not here</h1>")
    assert "not here" not in ask(port, "/b/nothing.html")[2]


@pytest.mark.parametrize(
    "address",
    [
        *(
            "/../secret.txt",
            "/%2e%2e/secret.txt",
            "/..%2fsecret.txt",
            "//etc/passwd",
            "/a/../../secret.txt",
            "/file",
            "/%00",
        ),
        *("/folder/x.html", "/folder/", "/folder", "/../site-secret/x.html", "/a/empty/", "/nothing", "/a/style.css/"),
    ],
)
def test_nothing_outside_the_folder_and_no_listing_comes(port: int, address: str) -> None:
    status, _, body = ask(port, address)
    assert status == 404
    assert "secret" not in body.replace("secret.txt", "")
    assert "picture.webp" not in body


def test_only_reading_is_answered_and_only_on_loopback(place: Path, port: int) -> None:
    assert ask(port, "/", "HEAD")[0] == 200
    assert ask(port, "/", "POST")[0] == 501
    server = serve(place, 0)
    assert server.server_address[0] == "127.0.0.1"
    server.server_close()


def test_a_port_in_use_or_a_folder_without_a_page_is_one_sentence(place: Path, port: int) -> None:
    with pytest.raises(SiteError, match=f"port {port}: cannot be had"):
        serve(place, port)
    with pytest.raises(SiteError, match="port 70000: cannot be had"):
        serve(place, 70000)
    with pytest.raises(SiteError, match=r"expected a built site with an index\.html"):
        serve(place / "a" / "empty", 0)
