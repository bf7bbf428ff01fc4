"""The storage: a folder of this machine or of S3 with files that rows name, and what is wrong with one of them.

Belongs here: where a path leads, and reading a file as a stream. Does not belong here: which rows name files, and what is kept of what was
found (`stored_files`).

A path comes from a source and may be anything. What it leads to is opened only if it is below the folder that it has to be in.
"""

import errno
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

from fsspec import AbstractFileSystem, filesystem

from dagster_project.errors import RunmartError
from dagster_project.settings import STORAGE_VARIABLE

# What is read of a file at a time. S3 is asked once for each.
_CHUNK_BYTES = 2**19

# S3 has no longer names, and answers a question for one as it answers what it does not understand.
_LONGEST_NAME = 1024

# A path that leads through a file, in a circle, or has a part that is too long.
_NO_SUCH_FILE = (errno.ENOENT, errno.ENOTDIR, errno.EISDIR, errno.ELOOP, errno.ENAMETOOLONG)


class Problem(StrEnum):
    """What is wrong with a file that a row names."""

    MISSING = "missing"
    DIGEST = "digest"
    SIZE = "size"
    PLACE = "place"


class StorageError(RunmartError):
    """The storage cannot be read; the message says why, and names neither its URL nor a secret."""


@dataclass(frozen=True)
class RecordedFile:
    """What a row says of a file.

    Attributes:
        path: Its path.
        digest: SHA-256 of its content, in hexadecimal digits; None if the row does not say it.
        size: Size of its content in bytes; None if the row does not say it.
    """

    path: str
    digest: str | None
    size: int | None


def parts_below(path: str, prefix: str) -> tuple[str, ...] | None:
    """The parts of a path without the first one, which is the storage; None if it is not plainly below a prefix.

    Args:
        path: A path as a row has it.
        prefix: What it has to begin with, such as `storage/acme/`.
    """
    parts, within = path.split("/"), prefix.removesuffix("/").split("/")
    is_plain = not any(part in ("", ".", "..") or "\0" in part for part in parts)
    is_below = parts[: len(within)] == within and len(parts) > len(within)
    return tuple(parts[1:]) if is_plain and is_below else None


class Storage:
    """A folder with files."""

    def __init__(self, files: AbstractFileSystem, folder: str, *, is_local: bool) -> None:
        """A storage that is reached in some way.

        Args:
            files: What reads files.
            folder: The folder that the first part of paths stands for, as `files` names it.
            is_local: Whether names may be links.
        """
        self._files, self._is_local = files, is_local
        # The folder itself may be a link; what is below it has to stay below.
        self._folder = os.path.realpath(folder) if is_local else folder.strip("/")

    @classmethod
    def at(cls, url: str) -> "Storage":
        """The storage at a URL as the settings have it. What the URL does not say of S3, AWS's own variables and files do."""
        parts = urlsplit(url)
        if parts.scheme == "file":
            return cls(filesystem("file"), unquote(parts.path), is_local=True)
        user, _, bucket = parts.netloc.rpartition("@")
        options: dict[str, Any] = dict(parse_qsl(parts.query))
        if user:
            options["key"], options["secret"] = (unquote(part) for part in user.split(":", 1))
        # Who reads tries again as a whole. Nothing is remembered from one look to the next: neither what was listed, nor the secret.
        attempts = {"retries": {"max_attempts": 2}}
        files = filesystem("s3", use_listings_cache=False, skip_instance_cache=True, config_kwargs=attempts, **options)
        return cls(files, f"{bucket}{unquote(parts.path)}", is_local=False)

    def reach(self) -> None:
        """Make sure that there is a storage: where there is none, no file is missing.

        Raises:
            StorageError: There is none.
        """
        top = self._folder if self._is_local else self._folder.partition("/")[0]
        with _telling("the storage"):
            try:
                is_there = self._files.info(top)["type"] == "directory"
            except FileNotFoundError:
                is_there = False
        if not is_there:
            raise StorageError(
                f"there is no {'folder' if self._is_local else 'bucket'} {top}; {STORAGE_VARIABLE} says where the storage is"
            )

    def problem(self, file: RecordedFile, prefix: str) -> Problem | None:
        """What is wrong with a file; None if it is as its row says.

        Args:
            file: What the row says.
            prefix: What its path has to begin with.

        Raises:
            StorageError: That cannot be found out.
        """
        parts = parts_below(file.path, prefix)
        name = self._name(parts, prefix) if parts else None
        if name is None:
            return Problem.PLACE
        with _telling(f"the file {file.path!r} of the storage"):
            try:
                return self._look(name, file)
            except OSError as error:
                if error.errno in _NO_SUCH_FILE or isinstance(error, FileNotFoundError):
                    return Problem.MISSING
                raise

    def _name(self, parts: tuple[str, ...], prefix: str) -> str | None:
        """What `files` calls a file; None if a link leads out of the folder that it has to be in."""
        name = "/".join((self._folder, *parts))
        if not self._is_local:
            return name
        within = "/".join((self._folder, *prefix.split("/")[1:]))
        name = os.path.realpath(name)
        return name if name.startswith(within) else None

    def _look(self, name: str, file: RecordedFile) -> Problem | None:
        if len(name.encode()) > _LONGEST_NAME:
            return Problem.MISSING
        found = self._files.info(name)
        # What has another name is another file: a part of a name may mean something to S3's client.
        if found["type"] != "file" or found["name"] != name:
            return Problem.MISSING
        size = found["size"]
        if file.size is not None and size != file.size:
            return Problem.SIZE
        return self._compare(name, size, file.digest) if file.digest is not None else None

    def _compare(self, name: str, size: int, digest: str) -> Problem | None:
        """Read a file to its end, and no more of it than it is to have."""
        content, read = hashlib.sha256(), 0
        with self._files.open(name, "rb", cache_type="none") as stream:
            while read <= size and (chunk := stream.read(_CHUNK_BYTES)):
                content.update(chunk)
                read += len(chunk)
        if read != size:
            return Problem.SIZE
        return None if content.hexdigest() == digest else Problem.DIGEST


@contextmanager
def _telling(what: str) -> Iterator[None]:
    """Turn whatever keeps from reading into one error. Each kind of storage has errors of its own, and their words may hold a secret."""
    try:
        yield
    except Exception as error:
        raise StorageError(f"{what} cannot be read: {type(error).__name__}") from None
