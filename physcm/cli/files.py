"""Files that commands write: checked before long work begins, and written whole or not at all."""

from __future__ import annotations

import tempfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from physcm.mechanism import InvalidFile


def check_file(path: Path, suffixes: Collection[str]) -> None:
    """Make sure that a file of one of some kinds can be written.

    Raises:
        InvalidFile: if not.
    """
    if path.suffix.lower() not in suffixes:
        raise InvalidFile(f"{path}: unknown kind of file; end the name in {' or '.join(suffixes)}")
    if path.is_dir():
        raise InvalidFile(f"{path}: is a folder; give another name")
    if not path.parent.is_dir():
        raise InvalidFile(f"{path}: there is no folder `{path.parent}`; make it, or name another")
    _check_writable(path.parent)


def check_folder(path: Path) -> None:
    """Make sure that a folder can be written to, once made.

    Raises:
        InvalidFile: if not.
    """
    existing = next(place for place in (path, *path.absolute().parents) if place.exists())
    if not existing.is_dir():
        raise InvalidFile(f"{path}: `{existing}` is a file; name a folder")
    _check_writable(existing)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Give a file to write to that takes its place when all has gone well."""
    scratch = path.with_name(f".{path.stem}.part{path.suffix}")
    try:
        yield scratch
        scratch.replace(path)
    finally:
        scratch.unlink(missing_ok=True)


def _check_writable(folder: Path) -> None:
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise InvalidFile(f"{folder}: {error.strerror}; choose another place") from None
