"""Read Word, PowerPoint and Excel documents in Office Open XML (ISO/IEC 29500).

Their parts are read as streams (`package`) out of a ZIP that is not trusted (`zips`). The libraries for these
formats build a tree of everything, which takes several times as long on a long report and lets 300 kB claim
gigabytes; the fast one for spreadsheets allocates every cell between the first and the last, so that a sheet
with two cells in opposite corners ends the process.
"""
