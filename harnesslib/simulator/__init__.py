"""The built-in model server: simulated models whose truth is declared, over real HTTP.

`truth` reads a world and says how likely each case is to be solved, `answers` (with `mistakes`) says what
a model replies, `loading` when it is in memory, `wire` how the two APIs write it down; `server` puts them
behind HTTP and `process` runs the server as a child. Nothing here imports aiohttp until a server starts.
"""

from harnesslib.simulator.process import Simulator as Simulator
from harnesslib.simulator.process import serve as serve
from harnesslib.simulator.truth import DEMO_WORLD as DEMO_WORLD
from harnesslib.simulator.truth import load_world as load_world
