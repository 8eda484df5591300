"""Statistics: pure functions from counts and times to estimates, p-values and e-values.

One question per module: `intervals` (one share or quantile), `paired` (two arms on the same cases), `guards`
(no harm done), `latency` (how much slower), `coldstart` (bad only at first), `casestate` (what a case is like
for a model), `variance` (do runs differ more than chance), `power` (what could have been found), `wording`
(how numbers are said). Unknown is an estimate without bounds and with a reason, or none; it is never 0.
"""
