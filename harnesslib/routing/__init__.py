"""The routing as a value: the first one, the next one, what it answers, and what is wrong with it."""

from harnesslib.routing.agreement import UNUSABLE as UNUSABLE
from harnesslib.routing.agreement import Mismatch as Mismatch
from harnesslib.routing.agreement import mismatches as mismatches
from harnesslib.routing.answers import initial as initial
from harnesslib.routing.answers import resolve as resolve
from harnesslib.routing.changes import Stamp as Stamp
from harnesslib.routing.changes import apply as apply
from harnesslib.routing.changes import settle as settle
from harnesslib.routing.checks import check as check
from harnesslib.routing.differences import diff as diff
from harnesslib.routing.migration import LEGACY_VERSION as LEGACY_VERSION
from harnesslib.routing.migration import LegacyRouting as LegacyRouting
from harnesslib.routing.migration import migrate as migrate
from harnesslib.routing.synchronisation import synced as synced
