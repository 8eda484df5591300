"""From samples to causes, and from causes to proposals.

`suspects` says after the screen whose first calls are worth a closer look; `diagnose` names causes with their
evidence and the experiment that would refute each; `recommend` proposes changes of the routing. Nothing is
decided here: that is the policy's.
"""

from harnesslib.harness_feedback_loop.diagnosis import diagnose as diagnose
from harnesslib.harness_feedback_loop.recommendations import recommend as recommend
from harnesslib.harness_feedback_loop.startup import (
    cold_calls as cold_calls,
)
from harnesslib.harness_feedback_loop.startup import (
    suspects as suspects,
)
