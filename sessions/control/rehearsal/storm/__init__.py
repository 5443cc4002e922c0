"""Faults: their classes, a schedule of strikes drawn from a seed, and who carries it out."""

from sessions.control.rehearsal.storm.catalogue import KINDS as KINDS
from sessions.control.rehearsal.storm.draw import UnknownFault as UnknownFault
from sessions.control.rehearsal.storm.draw import draw as draw
from sessions.control.rehearsal.storm.schedule import Schedule as Schedule
from sessions.control.rehearsal.storm.schedule import Strike as Strike
from sessions.control.rehearsal.storm.storm import Storm as Storm
