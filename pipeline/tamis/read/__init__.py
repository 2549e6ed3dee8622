"""Files and frames in, tables out: `discover` says what is there, `read_table` reads one table, `reading` guards later passes.

Nothing is guessed from the first rows: types, encoding and well-formedness are judged over whole files, in a stream.
"""

from tamis.read.discover import discover
from tamis.read.failures import reading
from tamis.read.tables import read_table

__all__ = ["discover", "read_table", "reading"]
