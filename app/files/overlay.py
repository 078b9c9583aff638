"""Edited columns laid over a file of weights on its way out."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Literal

from app.files.contents import CHUNK_BYTES, pieces
from app.files.ranges import Span

_FORMS: dict[int, Literal["H", "I", "Q"]] = {2: "H", 4: "I", 8: "Q"}
"""`memoryview` formats by the bytes of an element: columns are moved, never computed with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EditedTensor:
    """A weight of `width` elements a row, somewhere in a file, whose columns `units` are others."""

    span: Span
    width: int
    element_bytes: int
    units: tuple[int, ...]
    read_columns: Callable[[], bytes]
    """Reads the columns one after the other, each of as many elements as there are rows."""

    @property
    def row_bytes(self) -> int:
        return self.width * self.element_bytes

    @property
    def n_row(self) -> int:
        return self.span.size_bytes // self.row_bytes

    def chunks(self, file: BinaryIO, span: Span) -> Iterator[bytes]:
        """The bytes of a span within the tensor; whole rows are read, a few at a time."""
        form = _FORMS[self.element_bytes]
        columns = memoryview(self.read_columns()).cast(form)
        position = span.start
        while position < span.stop:
            first = (position - self.span.start) // self.row_bytes
            last = min(first + max(1, CHUNK_BYTES // self.row_bytes), self.n_row)
            start = self.span.start + first * self.row_bytes
            rows = bytearray((last - first) * self.row_bytes)
            file.seek(start)
            if file.readinto(rows) != len(rows):  # type: ignore[attr-defined]
                return  # cut short, see `pieces`
            elements = memoryview(rows).cast(form)
            for i, unit in enumerate(self.units):
                column = columns[i * self.n_row : (i + 1) * self.n_row]
                elements[unit :: self.width] = column[first:last]
            stop = min(start + len(rows), span.stop)
            yield bytes(memoryview(rows)[position - start : stop - start])
            position = stop


def overlaid(file: BinaryIO, tensors: Sequence[EditedTensor], span: Span) -> Iterator[bytes]:
    """The bytes of a span of a file, as they are once the tensors in it are edited."""
    position = span.start
    for tensor in sorted(tensors, key=lambda tensor: tensor.span):
        before = Span(position, min(tensor.span.start, span.stop))
        within = Span(max(position, tensor.span.start), min(tensor.span.stop, span.stop))
        if before.size_bytes > 0:
            yield from pieces(file, before)
        if within.size_bytes > 0:
            yield from tensor.chunks(file, within)
        position = max(position, within.stop)
    yield from pieces(file, Span(position, max(position, span.stop)))
