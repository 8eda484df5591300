"""From a decision down to the single conversation behind it: what ``notebooks/explore.ipynb`` shows."""

from harnesslib.explorer.drilling import Explorer as Explorer
from harnesslib.explorer.drilling import explore as explore
