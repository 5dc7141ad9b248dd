"""Scheduled summaries: what a team's documents said in a window of time, and what changed since the last.

`outcomes` keeps, as each document ends, the little that digests need of it; `records` is a digest's content;
`schedules` and `slots` say when one is due; `compute` makes it, `render` draws it, `notify` sends it.
"""
