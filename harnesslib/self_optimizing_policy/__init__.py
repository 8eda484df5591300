"""The policy: whom the screen leaves behind, what is promoted, what is kept. All gates are defined here.

Every gate says pass, fail or unknown; every gate is always asked. Any fail = REJECT; else any unknown = HOLD;
else PROMOTE. With too many infrastructure errors no gate is judged. `GATES` is the table of all gates with
what each one means.

What the numbers of ``[policy]`` mean:

- `smallest_gain`: the gain worth finding. A candidate for which it is implausible gets no more calls.
- `alpha`: one-sided error of the confirmation, per phase and cycle, all its looks together. Only one
  candidate is confirmed, on calls that had no part in choosing it: nothing is corrected for their number.
- `verify_alpha`: the same for the holdout after a change was applied. Looser, for it asks again and does not
  search.
- `min_samples`: fresh calls per case and arm. A loss that is spread thinly over the cases that worked goes
  unseen in n sweeps with a chance of about exp(-n): 5 % at 3.
- `max_variance`: squared standard error of the difference; 0.0025 is 5 points.
- `restraint_floor`, `restraint_margin`: the least lower bound of restraint, and the loss of it that must be
  excluded. Excluding 15 points takes 19 pairs of calls without a lost one, or 30 with one.
- `max_infra_share`: infrastructure errors above which nothing is decided.
- `review_days`: after so long a denied model is looked at again.
"""

from harnesslib.self_optimizing_policy.decisions import GATES as GATES
from harnesslib.self_optimizing_policy.decisions import Measured as Measured
from harnesslib.self_optimizing_policy.decisions import decide as decide
from harnesslib.self_optimizing_policy.decisions import decide_all as decide_all
from harnesslib.self_optimizing_policy.promotion import promotion_gates as promotion_gates
from harnesslib.self_optimizing_policy.selection import unfit as unfit
from harnesslib.self_optimizing_policy.selection import why_dropped as why_dropped
from harnesslib.self_optimizing_policy.verification import verify as verify
