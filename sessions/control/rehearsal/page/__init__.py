"""The report of rehearsals as one HTML file that needs nothing else: no script, no font, no picture from elsewhere.

marks     SVG as text, and scales that lead from time and figures to places
timeline  one run along its time: faults, lives of the daemon, orders, fills, prices and profit
report    the whole page
"""

from sessions.control.rehearsal.page.report import Shown as Shown
from sessions.control.rehearsal.page.report import report as report
