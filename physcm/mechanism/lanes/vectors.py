"""Lanes: eight samples side by side in one vector register, as LLVM instructions in text.

`Vectors` writes the code of one function. All lanes go through the same
instructions whatever their neighbors hold, so that a sample's result depends neither on its
place in a block nor on those it shares the block with.

Reference: https://llvm.org/docs/LangRef.html
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence

WIDTH = 8
FLOATS, WORDS, FLAGS = (f"<{WIDTH} x {kind}>" for kind in ("double", "i64", "i1"))

# A product and the sum that it goes into may be rounded once, together: every lane alike.
_SUM, _PRODUCT = "fadd contract", "fmul contract"
_RELATIONS = {"<": "olt", "<=": "ole", ">": "ogt", ">=": "oge", "==": "oeq", "!=": "une"}


class Vectors:
    """A writer of vector instructions.

    A value is the text by which instructions name it: a register or a constant.

    Attributes:
        lines: the instructions so far.
        declarations: the functions outside that they call.
        block: the label of the block that is being written.
    """

    def __init__(self, declarations: set[str], block: str = "entry") -> None:
        self.lines: list[str] = []
        self.declarations = declarations
        self.block = block
        self._count = 0

    def emit(self, instruction: str, name: str = "v") -> str:
        """Write an instruction; return the register with its result."""
        self._count += 1
        register = f"%{name}{self._count}"
        self.lines.append(f"  {register} = {instruction}")
        return register

    def comment(self, text: str) -> None:
        """Write a comment."""
        self.lines.append(f"  ; {' '.join(text.split())}")

    def number(self, value: float) -> str:
        """Return a number in all lanes."""
        return f"splat (double 0x{struct.unpack('<Q', struct.pack('<d', value))[0]:016X})"

    def word(self, value: int) -> str:
        """Return a 64-bit integer in all lanes."""
        return f"splat (i64 {value})"

    def add(self, *terms: str) -> str:
        """Return a sum, taken pairwise so that no long chain of additions waits on itself."""
        return _pairwise(lambda a, b: self.emit(f"{_SUM} {FLOATS} {a}, {b}"), terms)

    def mul(self, *factors: str) -> str:
        """Return a product, taken pairwise."""
        return _pairwise(lambda a, b: self.emit(f"{_PRODUCT} {FLOATS} {a}, {b}"), factors)

    def sub(self, a: str, b: str) -> str:
        """Return a - b."""
        return self.emit(f"fsub contract {FLOATS} {a}, {b}")

    def div(self, a: str, b: str) -> str:
        """Return a / b."""
        return self.emit(f"fdiv {FLOATS} {a}, {b}")

    def negative(self, a: str) -> str:
        """Return -a."""
        return self.emit(f"fneg {FLOATS} {a}")

    def fma(self, a: str, b: str, c: str) -> str:
        """Return a b + c, rounded once."""
        return self.intrinsic("fma", a, b, c)

    def polynomial(self, x: str, coefficients: Sequence[float]) -> str:
        """Return c_0 + c_1 x + c_2 x^2 + ..., by Estrin's scheme."""
        terms, power = [self.number(c) for c in coefficients], x
        while len(terms) > 1:
            terms = [
                self.fma(terms[i + 1], power, terms[i]) if i + 1 < len(terms) else terms[i]
                for i in range(0, len(terms), 2)
            ]
            power = self.mul(power, power) if len(terms) > 1 else power
        return terms[0]

    def intrinsic(self, name: str, *arguments: str) -> str:
        """Call an LLVM intrinsic that works lane by lane, such as `sqrt` or `floor`."""
        return self.call(f"llvm.{name}.v{WIDTH}f64", *arguments, declare=True)

    def call(self, function: str, *arguments: str, declare: bool = False) -> str:
        """Call a function of vectors."""
        if declare:
            types = ", ".join([FLOATS] * len(arguments))
            self.declarations.add(f"declare {FLOATS} @{function}({types})")
        given = ", ".join(f"{FLOATS} {a}" for a in arguments)
        return self.emit(f"call {FLOATS} @{function}({given})")

    def each(self, function: str, *arguments: str) -> str:
        """Call a function of the C library on each lane in turn."""
        types = ", ".join(["double"] * len(arguments))
        self.declarations.add(f"declare double @{function}({types})")
        result = "poison"
        for lane in range(WIDTH):
            own = [self.emit(f"extractelement {FLOATS} {a}, i32 {lane}") for a in arguments]
            given = ", ".join(f"double {a}" for a in own)
            value = self.emit(f"call double @{function}({given})")
            result = self.emit(f"insertelement {FLOATS} {result}, double {value}, i32 {lane}")
        return result

    def rarely(self, condition: str, function: str, x: str, value: str) -> str:
        """Return f(x) where a condition holds and a value elsewhere; f runs only if needed."""
        self._count += 1
        rare, join, before = f"rare{self._count}", f"join{self._count}", self.block
        bits = self.emit(f"bitcast {FLAGS} {condition} to i{WIDTH}")
        some = self.emit(f"icmp ne i{WIDTH} {bits}, 0")
        self.lines += [f"  br i1 {some}, label %{rare}, label %{join}", f"{rare}:"]
        mixed = self.select(condition, self.call(function, x), value)
        self.lines += [f"  br label %{join}", f"{join}:"]
        self.block = join
        return self.emit(f"phi {FLOATS} [ {value}, %{before} ], [ {mixed}, %{rare} ]")

    def compare(self, relation: str, a: str, b: str) -> str:
        """Return whether a relation holds; with NaN none does but `!=`."""
        return self.emit(f"fcmp {_RELATIONS[relation]} {FLOATS} {a}, {b}")

    def select(self, condition: str, a: str, b: str) -> str:
        """Return a where a condition holds and b elsewhere."""
        return self.emit(f"select {FLAGS} {condition}, {FLOATS} {a}, {FLOATS} {b}")

    def integer(self, operation: str, a: str, b: str) -> str:
        """Return the result of an integer instruction, such as `and` or `lshr`."""
        return self.emit(f"{operation} {WORDS} {a}, {b}")

    def flag(self, operation: str, a: str, b: str) -> str:
        """Return the result of `and`, `or` or `xor` on conditions."""
        return self.emit(f"{operation} {FLAGS} {a}, {b}")

    def spread(self, word: str) -> str:
        """Return a 64-bit integer that a register holds, in all lanes."""
        one = self.emit(f"insertelement {WORDS} poison, i64 {word}, i32 0")
        mask = f"<{WIDTH} x i32> zeroinitializer"
        return self.emit(f"shufflevector {WORDS} {one}, {WORDS} poison, {mask}")

    def words(self, x: str) -> str:
        """Return the bits of numbers."""
        return self.emit(f"bitcast {FLOATS} {x} to {WORDS}")

    def floats(self, bits: str) -> str:
        """Return the numbers that some bits are."""
        return self.emit(f"bitcast {WORDS} {bits} to {FLOATS}")

    def load(
        self, pointer: str, row: int, offset: str, stride: int, name: str = "v", kind: str = FLOATS
    ) -> str:
        """Return the vector at an offset in a row of a block."""
        place = self._at(pointer, row, offset, stride)
        return self.emit(f"load {kind}, ptr {place}, align 8", name)

    def store(self, value: str, pointer: str, row: int, offset: str, stride: int) -> None:
        """Write a vector at an offset in a row of a block."""
        place = self._at(pointer, row, offset, stride)
        self.lines.append(f"  store {FLOATS} {value}, ptr {place}, align 8")

    def _at(self, pointer: str, row: int, offset: str, stride: int) -> str:
        return self.emit(
            f"getelementptr [{stride} x double], ptr {pointer}, i64 {row}, i64 {offset}"
        )


def _pairwise(operation: Callable[[str, str], str], items: Sequence[str]) -> str:
    values = list(items)
    while len(values) > 1:
        pairs = [operation(values[i], values[i + 1]) for i in range(0, len(values) - 1, 2)]
        values = pairs + values[2 * len(pairs) :]
    return values[0]
