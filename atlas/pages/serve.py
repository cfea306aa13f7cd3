"""Shows a built site on this machine: the loopback address only, and nothing outside the site's folder."""

import os
from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from atlas.errors import SiteError
from atlas.pages.addresses import HOME, NOT_FOUND

HOST = "127.0.0.1"


class _Handler(SimpleHTTPRequestHandler):
    extensions_map = {  # noqa: RUF012 (the base class's own attribute)
        "": "application/octet-stream",
        ".css": "text/css; charset=utf-8",
        ".html": "text/html; charset=utf-8",
        ".js": "text/javascript; charset=utf-8",
        ".json": "application/json; charset=utf-8",
        ".svg": "image/svg+xml",
        ".webp": "image/webp",
    }

    def translate_path(self, path: str) -> str:
        """The file of an address, links followed; a name that does not exist when that would leave the folder."""
        root = os.path.realpath(self.directory)
        try:
            found = os.path.realpath(super().translate_path(path))
        except ValueError:  # a NUL in the address
            return os.path.join(root, ".none")  # noqa: PTH118
        inside = found == root or found.startswith(root + os.sep)
        slash = "/" if path.split("?")[0].split("#")[0].endswith("/") and inside else ""
        return (found if inside else os.path.join(root, ".none")) + slash  # noqa: PTH118

    def list_directory(self, path: str | os.PathLike[str]) -> None:
        """Folders without a page are not listed."""
        self.send_error(HTTPStatus.NOT_FOUND, "File not found")

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What is not there is said by the page of the atlas that it would be in."""
        atlas = self.path.lstrip("/").partition("/")[0]
        page = Path(super().translate_path(f"/{atlas}/{NOT_FOUND}"))
        if (
            code != HTTPStatus.NOT_FOUND
            or self.translate_path(f"/{atlas}/{NOT_FOUND}") != str(page)
            or not page.is_file()
        ):
            super().send_error(code, message, explain)
            return
        data = page.read_bytes()
        self.send_response(code)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    def end_headers(self) -> None:
        """Every answer is looked up again at each visit, so that a new build shows at once."""
        self.send_header("Cache-Control", "no-cache")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing is printed for a request."""


def serve(folder: Path, port: int) -> ThreadingHTTPServer:
    """A server of the site in ``folder``, bound to 127.0.0.1 and not running yet: call its ``serve_forever``.

    Parameters: ``port`` is 0 to 65535, 0 for any free one; ``server_port`` of the result says which it became.

    Raises: SiteError when ``folder`` has no index.html, or the port cannot be had.
    """
    if not (folder / HOME).is_file():
        raise SiteError(f"{folder}: expected a built site with an {HOME}, received none; build an atlas there first")
    try:
        return ThreadingHTTPServer((HOST, port), partial(_Handler, directory=str(folder.resolve())))
    except (OSError, OverflowError) as error:
        raise SiteError(f"port {port}: cannot be had: {error}; name another port, or 0 for any free one") from error
