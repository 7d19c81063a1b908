"""From LLVM text to machine code, kept on disk so that a second process starts warm.

A module lies in the cache as text (`.ll`), which is there to be read, and as machine code
(`.o`), which follows a digest of itself. Files are written whole or not at all, and one that is
damaged is compiled again, so that any number of processes may share the folder. Where it cannot
be written, code is compiled anew each time.
"""

from __future__ import annotations

import contextlib
import os
import re
import tempfile
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import llvmlite
import llvmlite.binding as llvm
from platformdirs import user_cache_path

from physcm.mechanism.errors import NotCompiled

_DIGEST = 32
_OPTIMIZATION = 2


def cache_folder() -> Path:
    """Return where compiled code is kept: `PHYSCM_CACHE_DIR`, else the user's cache folder."""
    given = os.environ.get("PHYSCM_CACHE_DIR")
    return Path(given) if given else user_cache_path("physcm")


@lru_cache(maxsize=256)
def compiled(text: str) -> Code:
    """Return the machine code of a module, from the cache if it is there."""
    return Code(text)


class Code:
    """Machine code in memory; it lives as long as this object."""

    def __init__(self, text: str) -> None:
        machine = _machine()
        self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
        file = cache_folder() / f"{_title(text)}-{_key(text)}.o"
        code = _read(file)
        if code is None:
            code = _emit(text, machine)
            _write(file.with_suffix(".ll"), text.encode())
            _write(file, sha256(code).digest() + code)
        self._engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        self._engine.finalize_object()

    def address(self, function: str) -> int:
        """Return where a function of the module starts."""
        return int(self._engine.get_function_address(function))


def _machine() -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_default_triple().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=_OPTIMIZATION,
        codemodel="jitdefault",
        jit=True,
    )


def _title(text: str) -> str:
    """Return what a module is for, from its first line, in letters that files may have."""
    first = text.partition("\n")[0].lstrip("; ").rpartition(":")[0]
    return re.sub(r"[^A-Za-z0-9]+", "-", first).strip("-")[:40] or "code"


def _key(text: str) -> str:
    host = llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()
    parts = text, llvmlite.__version__, *host, llvm.get_default_triple()
    return sha256("\0".join(parts).encode()).hexdigest()[:32]


def _emit(text: str, machine: Any) -> bytes:
    try:
        module = llvm.parse_assembly(text)
        module.triple = llvm.get_default_triple()
        module.data_layout = str(machine.target_data)
        module.verify()
    except RuntimeError as error:
        raise NotCompiled(
            f"LLVM {llvm.llvm_version_info} refuses generated code: {error}"
        ) from None
    tuning = llvm.create_pipeline_tuning_options(speed_level=_OPTIMIZATION)
    builder = llvm.create_pass_builder(machine, tuning)
    builder.getModulePassManager().run(module, builder)
    return bytes(machine.emit_object(module))


def _read(file: Path) -> bytes | None:
    """Return the machine code of a file, `None` if there is none or it is damaged."""
    try:
        content = file.read_bytes()
    except OSError:
        return None
    digest, code = content[:_DIGEST], content[_DIGEST:]
    return code if code and sha256(code).digest() == digest else None


def _write(file: Path, content: bytes) -> None:
    """Write a file whole; do nothing where that cannot be done."""
    with contextlib.suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=file.parent)
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
            os.replace(name, file)
        except OSError:
            os.unlink(name)
