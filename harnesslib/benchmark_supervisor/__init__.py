"""Who is measured on what, until what: rounds over interleaved specs, as long as a question is open.

`measuring` has the three measurements of a cycle; `screening` chooses whom to look at, `contests` decides
between two, `sessions` loads models on purpose, `routes` says what an
application is told, `budget` says when to stop, `layout` who is asked side by
side. What is measured is journalled as it ends, and each round follows from those before it: nothing is ever
measured twice.
"""

from harnesslib.benchmark_supervisor.layout import cycle_seed as cycle_seed
from harnesslib.benchmark_supervisor.measuring import confirm as confirm
from harnesslib.benchmark_supervisor.measuring import measure as measure
from harnesslib.benchmark_supervisor.measuring import screen as screen
from harnesslib.benchmark_supervisor.measuring import verify as verify
from harnesslib.benchmark_supervisor.routes import Route as Route
from harnesslib.benchmark_supervisor.routes import cold as cold
from harnesslib.benchmark_supervisor.routes import route_of as route_of
from harnesslib.benchmark_supervisor.routes import warmed as warmed
from harnesslib.benchmark_supervisor.screening import PhaseScreen as PhaseScreen
from harnesslib.benchmark_supervisor.sessions import session_plans as session_plans
