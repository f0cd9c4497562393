"""Where a run lies: a folder on disk, or one behind a URL that ``tf.io.gfile`` knows, such as ``gs://``.

``Bucket`` is the part of ``pathlib.Path`` that runs need, so that the rooms which write them ask nowhere
what kind of place they were given. How a write becomes whole-or-nothing is ``atomic``'s.
"""

from __future__ import annotations

import errno
import fnmatch
import hashlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, TypeAlias, cast

from tpu_train.errors import CouldNotFinishError, InputError

_SCHEME = "://"
#: Bytes that are copied in one go between a bucket and this machine.
_STRETCH = 1 << 24


@dataclass(frozen=True, order=True)
class Bucket:
    """A folder or file behind a URL. Methods do what those of ``pathlib.Path`` do, and raise as they do.

    Folders on object stores exist by what lies in them.

    Raises:
        InputError: TensorFlow knows no file system of that scheme.
        CouldNotFinishError: the store cannot be reached, or refuses.
    """

    url: str

    def __str__(self) -> str:
        """The URL."""
        return self.url

    def __truediv__(self, name: str) -> Bucket:
        """What lies below under that name."""
        return Bucket(f"{self.url}/{name}")

    @property
    def name(self) -> str:
        """The last part of the URL."""
        return self.url.rpartition("/")[2]

    @property
    def stem(self) -> str:
        """The name without its last suffix."""
        return Path(self.name).stem

    @property
    def parent(self) -> Bucket:
        """The folder that this lies in."""
        return Bucket(self.url.rpartition("/")[0])

    def with_name(self, name: str) -> Bucket:
        """The same folder, another name."""
        return self.parent / name

    def with_suffix(self, suffix: str) -> Bucket:
        """The same name but for its last suffix."""
        return self.with_name(self.stem + suffix)

    def exists(self) -> bool:
        """Whether there is a file or folder."""
        with _told(self):
            return bool(_gfile().exists(self.url))

    def is_dir(self) -> bool:
        """Whether there is a folder."""
        with _told(self):
            return bool(_gfile().isdir(self.url))

    def is_file(self) -> bool:
        """Whether there is a file."""
        return self.exists() and not self.is_dir()

    def size(self) -> int:
        """Of a file, in bytes."""
        with _told(self):
            return int(_gfile().stat(self.url).length)

    def read_bytes(self) -> bytes:
        """A file's content."""
        with _told(self), _gfile().GFile(self.url, "rb") as file:
            return bytes(file.read())

    def read_text(self, encoding: str) -> str:
        """A file's content as text."""
        return self.read_bytes().decode(encoding)

    @contextmanager
    def writing(self) -> Iterator[BinaryIO]:
        """A file to write to. What was written until an error may stay: ``atomic`` writes under a name
        that does not count.
        """
        with _told(self):
            # Not every file system of TensorFlow's begins anew when it opens a file that is there.
            self.unlink(missing_ok=True)
            with _gfile().GFile(self.url, "wb") as file:
                yield cast("BinaryIO", file)

    def replace(self, target: Bucket) -> None:
        """Renames a file, over another one if need be. An object store copies it, then removes it."""
        with _told(self):
            _gfile().rename(self.url, target.url, overwrite=True)

    def unlink(self, missing_ok: bool = False) -> None:
        """Removes a file."""
        if missing_ok and not self.exists():
            return
        with _told(self):
            _gfile().remove(self.url)

    def remove_folder(self) -> None:
        """Removes a folder with all that it holds, if it is there."""
        if self.is_dir():
            with _told(self):
                _gfile().rmtree(self.url)

    def mkdir(self, parents: bool = False, exist_ok: bool = False) -> None:
        """Makes a folder, and those that it lies in: object stores have none, others need them."""
        with _told(self):
            _gfile().makedirs(self.url)

    def iterdir(self) -> Iterator[Bucket]:
        """What lies directly in a folder; nothing where there is none."""
        if self.is_dir():
            with _told(self):
                names = _gfile().listdir(self.url)
            # Object stores mark folders with a slash at their end, and may list the folder itself.
            yield from (self / name.rstrip("/") for name in sorted(names) if name.rstrip("/"))

    def glob(self, pattern: str) -> Iterator[Bucket]:
        """What lies directly in a folder under a name that fits."""
        return (path for path in self.iterdir() if fnmatch.fnmatchcase(path.name, pattern))


#: Where a run lies.
Place: TypeAlias = Path | Bucket


def place(text: str) -> Place:
    """A path or URL as a user writes it.

    Raises:
        InputError: nothing, or a URL that names nothing.
    """
    scheme, separator, rest = text.partition(_SCHEME)
    if not text or (separator and not (scheme and rest.strip("/"))):
        raise InputError(f"{text!r} names no folder; expected one on disk, or gs://BUCKET/….")
    if separator:
        return Bucket(text.rstrip("/"))
    # A run bears its folder's name, and "." and ".." are none.
    path = Path(text)
    return path if path.name not in ("", "..") else path.resolve()


def size(file: Place) -> int:
    """Of a file, in bytes."""
    return file.stat().st_size if isinstance(file, Path) else file.size()


def files_below(folder: Place) -> Iterator[Place]:
    """Every file in a folder and in those below it."""
    for path in folder.iterdir():
        if path.is_dir():
            yield from files_below(path)
        else:
            yield path


def cache(place: Place, part: str = "") -> Path:
    """A folder on this machine for what belongs to ``place`` but cannot lie there.

    Below ``XDG_CACHE_HOME`` or ``~/.cache``; named by the place, and by a ``part`` of it.
    """
    begin = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    where = str(place) if isinstance(place, Bucket) else str(place.resolve())
    digest = hashlib.sha256(where.encode()).hexdigest()[:12]
    return begin / "embryo" / "train" / f"{place.name}-{digest}{part}"


def copy(source: BinaryIO, target: BinaryIO) -> None:
    """Copies a file that may be larger than memory."""
    while stretch := source.read(_STRETCH):
        target.write(stretch)


@contextmanager
def reading(file: Place) -> Iterator[BinaryIO]:
    """A file to read from."""
    if isinstance(file, Path):
        with file.open("rb") as opened:
            yield opened
        return
    with _told(file), _gfile().GFile(file.url, "rb") as opened:
        yield cast("BinaryIO", opened)


def _gfile() -> Any:
    from tpu_train.hardware import tensorflow

    return tensorflow().io.gfile


@contextmanager
def _told(bucket: Bucket) -> Iterator[None]:
    """Turns TensorFlow's errors into those of files, or into a message."""
    from tpu_train.hardware import tensorflow

    errors = tensorflow().errors
    try:
        yield
    except errors.NotFoundError as error:
        raise FileNotFoundError(errno.ENOENT, "No such file", bucket.url) from error
    except errors.ResourceExhaustedError as error:
        raise OSError(errno.ENOSPC, str(error.message), bucket.url) from error
    except errors.UnimplementedError as error:
        raise InputError(
            f"{bucket}: TensorFlow knows no file system of this kind ({error.message}). "
            "Take a folder on disk, or gs://BUCKET/…."
        ) from error
    except errors.OpError as error:
        raise CouldNotFinishError(
            f"{bucket}: {' '.join(str(error.message).split())}. Check the bucket's name, your credentials "
            "(GOOGLE_APPLICATION_CREDENTIALS) and the network; the same command goes on."
        ) from error
