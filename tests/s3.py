"""A real S3 server in a process of its own, on loopback."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass

import pytest


@dataclass
class Server:
    """The server's process and its address."""

    process: subprocess.Popen[bytes]
    address: str

    def pause(self) -> None:
        """Stop answering."""
        self.process.send_signal(signal.SIGSTOP)

    def go_on(self) -> None:
        """Answer again."""
        self.process.send_signal(signal.SIGCONT)


@pytest.fixture(scope="session")
def s3_process() -> Iterator[Server]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(300):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
                break
            time.sleep(0.1)
        yield Server(process, f"http://127.0.0.1:{port}")
    finally:
        os.kill(process.pid, signal.SIGCONT)
        process.kill()
        process.wait()


@dataclass(frozen=True)
class Bucket:
    """An empty bucket: its address, and the server it is on."""

    address: str
    server: Server


@pytest.fixture
def s3(s3_process: Server, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    """A bucket; worker processes find the server by the environment."""
    import fsspec.config
    import s3fs

    monkeypatch.setenv("FSSPEC_S3_ENDPOINT_URL", s3_process.address)
    for name, value in {"ACCESS_KEY_ID": "key", "SECRET_ACCESS_KEY": "secret", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    monkeypatch.setitem(fsspec.config.conf, "s3", {"endpoint_url": s3_process.address})
    s3fs.S3FileSystem.clear_instance_cache()
    bucket = f"atlas-{uuid.uuid4()}"
    s3fs.S3FileSystem(endpoint_url=s3_process.address).mkdir(bucket)
    return Bucket(f"s3://{bucket}/results", s3_process)
