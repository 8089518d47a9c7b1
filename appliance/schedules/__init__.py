"""When flows run. `parse(document)` returns a Rule, whose `times(after)` are the due times; clocks and schedules make documents."""

from appliance.schedules import adjustments, filters
from appliance.schedules.calendars import Blackout, Calendar
from appliance.schedules.clocks import Clock, CronClock, DatesClock, IntervalClock, RRuleClock
from appliance.schedules.errors import ScheduleError
from appliance.schedules.preview import preview
from appliance.schedules.rule import Rule, parse, validate
from appliance.schedules.schedule import CronSchedule, DatesSchedule, IntervalSchedule, RRuleSchedule, Schedule
from appliance.schedules.texts import describe

__all__ = [
    "Blackout",
    "Calendar",
    "Clock",
    "CronClock",
    "CronSchedule",
    "DatesClock",
    "DatesSchedule",
    "IntervalClock",
    "IntervalSchedule",
    "RRuleClock",
    "RRuleSchedule",
    "Rule",
    "Schedule",
    "ScheduleError",
    "adjustments",
    "describe",
    "filters",
    "parse",
    "preview",
    "validate",
]
