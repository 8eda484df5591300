"""Records as the rows a report shows. Pure: no file, no clock, no HTML."""
