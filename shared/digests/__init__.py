"""Scheduled summaries: what a team's documents said in a window of time, and what changed since the last.

`records` is a digest's content; `schedules` and `ticks` decide when a digest is due; `compute` makes it and
`narrative` may add to it; `issue` and `store` keep it; `render` draws it and `notify` sends it.
"""
