"""Statistics: pure functions from counts and times to estimates, p-values and e-values.

One question per module.

One arm: `intervals` (a share, a difference, a quantile), `resampling` (a mean whose law is unknown),
`repeats` (does one of k calls pass, do all), `variance` (is it the case, the run or the call), `casestate`
(what a case is like for a model), `coldstart` (bad only at first), `copies` (are repeats just copies).
Two arms: `paired` (better on these cases, and on others), `sequential` (the same, as early as the data
allow), `designs` (what to ask next), `evalues` (evidence to look at whenever one likes), `guards` (no harm
done), `latency` (how much slower).
Over time: `drift` (has it moved, cycle by cycle), `changepoints` (where a series changed its level).
Of the rules themselves: `worlds` (invented chances to pass), `simulated` (what a design does in them),
`floor` (the fewest calls that any rule could need).
Planning and reporting: `power` (what could be found), `multiplicity` (several questions at once),
`boundaries` (known limits for looking repeatedly), `wording` (how numbers are said).

An interval is an `Estimate`, a test a `Significance`; both name their method, and where there is no number,
the reason. Unknown is never 0. Arrays come in, samples stay out. Where chance is simulated, a seed is an
argument, so that the same data always give the same answer.
"""
