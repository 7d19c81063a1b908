"""Kernels: functions that Numba compiles and keeps on disk, and calls from them to lanes."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from hashlib import sha256
from pathlib import Path
from threading import Lock
from typing import Any

import numba
import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core.errors import NumbaError
from numba.extending import get_cython_function_address, intrinsic

from physcm.mechanism.codegen import Floats
from physcm.mechanism.errors import NotCompiled
from physcm.mechanism.lanes.blocks import LANES
from physcm.mechanism.lanes.compiler import cache_folder

_OPTIONS = {"nogil": True, "error_model": "numpy"}
_ONE_BY_ONE = Lock()
_LINE = 8


def _invoke(typing_context: Any, function: Any, arguments: Any) -> Any:
    count = len(arguments)

    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        address, packed = given
        word = ir.IntType(64)
        kind = ir.FunctionType(ir.VoidType(), [word] * count)
        values = [builder.extract_value(packed, i) for i in range(count)]
        builder.call(builder.inttoptr(address, kind.as_pointer()), values)
        return context.get_dummy_value()

    return types.void(types.int64, arguments), generate


invoke: Any = intrinsic(_invoke)
"""Inside a kernel, `invoke(address, (a, b, ...))` calls machine code with integers and pointers."""


def _computed(typing_context: Any, function: Any, argument: Any) -> Any:
    def generate(context: Any, builder: Any, signature: Any, given: Any) -> Any:
        kind = ir.FunctionType(ir.DoubleType(), [ir.DoubleType()])
        return builder.call(builder.inttoptr(given[0], kind.as_pointer()), [given[1]])

    return types.float64(types.int64, types.float64), generate


computed: Any = intrinsic(_computed)
"""Inside a kernel, `computed(address, x)` is the value of a compiled function of one number."""


def library_function(name: str) -> int:
    """Return the address of a special function of SciPy, of one number."""
    return int(get_cython_function_address("scipy.special.cython_special", name))


def lapack_function(name: str) -> int:
    """Return the address of a function of SciPy's LAPACK, for `invoke`."""
    return int(get_cython_function_address("scipy.linalg.cython_lapack", name))


def block(rows: int) -> Floats:
    """Return a block of rows of zeros, (rows, LANES), which begins where a line of the cache does.

    What a kernel works with is made here: Numba takes a second to compile what makes arrays.

    >>> block(3).shape, block(3).ctypes.data % 64
    ((3, 16), 0)
    """
    size = rows * LANES
    room = np.zeros(size + _LINE)
    first = -room.ctypes.data // room.itemsize % _LINE
    return room[first : first + size].reshape(rows, LANES)


def part(function: Callable[..., Any]) -> Any:
    """Compile a function for use inside kernels, of which it becomes a part."""
    return njit(no_cpython_wrapper=True, no_cfunc_wrapper=True, **_OPTIONS)(function)


def inlined(function: Callable[..., Any]) -> Any:
    """Compile a part that is not called but inlined wherever it is used.

    A call hands on all that its arrays consist of, which takes longer than a short part itself.
    """
    options = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True, "forceinline": True}
    return njit(**options, **_OPTIONS)(function)


def require_kernels() -> None:
    """Refuse to go on where Numba compiles nothing.

    Raises:
        NotCompiled: if it has been told so.
    """
    if numba.config.DISABLE_JIT:
        raise NotCompiled("`NUMBA_DISABLE_JIT` forbids kernels; unset it")


class Kernel:
    """A function compiled without Python objects, which runs beside other threads.

    Its machine code is kept on disk for the next process, where that is possible.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        """Take a function of numbers and arrays; it is compiled when it is first called.

        What it does only with an argument that is not None is left out where that is None.
        """
        self.function = function
        self._compiled: dict[tuple[bool, ...], Any] = {}

    def __call__(self, *arguments: Any) -> Any:
        """Run the kernel."""
        absent = tuple(argument is None for argument in arguments)
        if absent not in self._compiled:
            # Two threads that load one kernel from disk at once may bring the process down.
            with _ONE_BY_ONE:
                if absent not in self._compiled:
                    self._compiled[absent] = self._made(arguments)
        return self._compiled[absent](*arguments)

    def _made(self, arguments: Any) -> Any:
        require_kernels()
        signature = tuple(map(numba.typeof, arguments))
        sources = _sources(Path(self.function.__code__.co_filename).parent)
        folder = cache_folder() / f"kernels-{sources}"
        try:
            with _caching_in(folder):
                return self._compiled_with(signature, cache=True)
        except NotCompiled:
            raise
        except Exception:  # a damaged pickle may raise anything
            shutil.rmtree(folder, ignore_errors=True)
            return self._compiled_with(signature)

    def _compiled_with(self, signature: Any, **options: bool) -> Any:
        try:
            made = njit(**options, **_OPTIONS)(self.function)
            made.compile(signature)
            return made
        except NumbaError as error:
            raise NotCompiled(
                f"Numba refuses the kernel `{self.function.__name__}`: {error}"
            ) from None


@contextmanager
def _caching_in(folder: Path) -> Iterator[None]:
    """Let Numba keep what it compiles in a folder."""
    before = numba.config.CACHE_DIR
    numba.config.CACHE_DIR = str(folder)
    try:
        yield
    finally:
        numba.config.CACHE_DIR = before


@cache
def _sources(folder: Path) -> str:
    """Return a digest of the sources of a folder of kernels, and of lanes."""
    folders = dict.fromkeys((folder, Path(__file__).parent))
    files = [file for folder in folders for file in sorted(folder.rglob("*.py"))]
    return sha256(b"\0".join(file.read_bytes() for file in files)).hexdigest()[:16]
