"""Read the tool calls that a model wrote, whatever it wrote: in the API's field or in its text.

A call is refused, never repaired, and nothing that an endpoint sends makes a reader raise. Whatever is
returned here can be written to a journal and read back equal.
"""

from harnesslib.parsers.native import parse_native as parse_native
from harnesslib.parsers.text import FORMATS as FORMATS
from harnesslib.parsers.text import parse_text as parse_text
from harnesslib.parsers.values import DEEPEST_ARGUMENTS as DEEPEST_ARGUMENTS
from harnesslib.parsers.values import LONGEST_ARGUMENTS as LONGEST_ARGUMENTS
from harnesslib.parsers.values import MOST_CALLS as MOST_CALLS
from harnesslib.parsers.writing import write as write
