"""What a workspace has stored, as tidy pandas frames: one row per run, cycle, decision, gate or sample.

The columns are documented in ``docs/frames.md``. Unknown is NaN, never 0. A run whose files differ from
their seal, or can't be read, is never passed over in silence: it is an error that names it, unless it is
left out on purpose, and then ``frame.attrs["left_out"]`` says which and why.
"""

from harnesslib.frames.loading import Damaged as Damaged
from harnesslib.frames.loading import load_cycles as load_cycles
from harnesslib.frames.loading import load_decisions as load_decisions
from harnesslib.frames.loading import load_gates as load_gates
from harnesslib.frames.loading import load_runs as load_runs
from harnesslib.frames.loading import load_samples as load_samples
from harnesslib.frames.measures import arm as arm
from harnesslib.frames.measures import drift as drift
from harnesslib.frames.measures import effects as effects
from harnesslib.frames.measures import pairs as pairs
from harnesslib.frames.measures import rates as rates
from harnesslib.frames.pairing import Arms as Arms
from harnesslib.frames.pairing import arms as arms
from harnesslib.frames.places import Place as Place
from harnesslib.frames.places import find_runs as find_runs
