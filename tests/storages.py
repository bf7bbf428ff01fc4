"""Storages for tests: a local folder and a bucket of a real S3 server, and what is done to the files of either.

Belongs here: putting files, and seeing which are looked at. Does not belong here: rows that name files.
"""

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any
from urllib.parse import quote

import pytest
from fsspec import AbstractFileSystem, filesystem
from moto.server import ThreadedMotoServer

from dagster_project.quality.storage import Storage

# Made up, with characters that a URL has to encode.
SECRET = "not/to+be told"  # noqa: S105


class Watched:
    """Passes on what a storage asks of its files, and remembers it.

    Attributes:
        looked_at: Names of files of which the size was asked.
        opened: Names of files that were opened.
        largest_read: Bytes of the largest part that was read at a time.
    """

    def __init__(self, files: AbstractFileSystem) -> None:
        self._files = files
        self.forget()

    def forget(self) -> None:
        """Begin anew."""
        self.looked_at: list[str] = []
        self.opened: list[str] = []
        self.largest_read = 0

    def info(self, name: str) -> dict[str, Any]:
        self.looked_at.append(name)
        found: dict[str, Any] = self._files.info(name)
        return found

    def open(self, name: str, *arguments: Any, **options: Any) -> IO[bytes]:  # noqa: ANN401
        self.opened.append(name)
        stream: IO[bytes] = self._files.open(name, *arguments, **options)
        read = stream.read

        def watched_read(size: int = -1) -> bytes:
            part = read(size)
            self.largest_read = max(self.largest_read, len(part))
            return part

        stream.read = watched_read  # type: ignore[method-assign]
        return stream


def watch(storage: Storage) -> Watched:
    """See from now on what a storage looks at."""
    watched = Watched(storage._files)
    storage._files = watched
    return watched


class Shelf:
    """A storage, and a way to its files that is not the storage's own.

    Attributes:
        url: The storage, as the settings have it.
    """

    def __init__(self, url: str, files: AbstractFileSystem, folder: str) -> None:
        self.url = url
        self._files, self._folder = files, folder

    def put(self, path: str, content: bytes) -> None:
        """Write a file; the first part of its path is the storage."""
        name = self._name(path)
        self._files.makedirs(name.rpartition("/")[0], exist_ok=True)
        self._files.pipe(name, content)

    def remove(self, path: str) -> None:
        """Take a file away."""
        self._files.rm(self._name(path))

    def _name(self, path: str) -> str:
        return f"{self._folder}/{path.partition('/')[2]}"


def local_shelf(folder: Path) -> Shelf:
    """A folder of this machine."""
    folder.mkdir()
    return Shelf(folder.as_uri(), filesystem("file"), str(folder))


class S3:
    """A real S3 server of this machine, with buckets in memory."""

    _numbers = itertools.count()

    def __init__(self) -> None:
        self._server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
        self._server.start()
        self.endpoint = "http://{}:{}".format(*self._server.get_host_and_port())

    def stop(self) -> None:
        """Answer no more."""
        self._server.stop()

    def shelf(self) -> Shelf:
        """A folder of a new bucket."""
        bucket = f"runmart-{next(self._numbers)}"
        files = filesystem("s3", key="key", secret=SECRET, endpoint_url=self.endpoint, use_listings_cache=False, skip_instance_cache=True)
        files.mkdir(bucket)
        return Shelf(self.url(f"{bucket}/a%20folder"), files, f"{bucket}/a folder")

    def url(self, place: str) -> str:
        """A URL with a secret."""
        return f"s3://key:{quote(SECRET, safe='')}@{place}?endpoint_url={quote(self.endpoint, safe='')}"


@contextmanager
def serving_s3() -> Iterator[S3]:
    """A server for as long as it is needed. It finds a region, and no sign-in of this machine's owner."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        patch.setenv("AWS_CONFIG_FILE", "/nowhere")
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/nowhere")
        served = S3()
        try:
            yield served
        finally:
            served.stop()
