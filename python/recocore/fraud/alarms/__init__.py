"""Alarms on series of business metrics: what is out of season, and where a level changed."""

from recocore.fraud.alarms.seasonal import Alarm, seasonal_alarms
from recocore.fraud.alarms.segmentation import ChangePoint, change_points
from recocore.fraud.alarms.series import MetricSeries, metric_series

__all__ = ["Alarm", "ChangePoint", "MetricSeries", "change_points", "metric_series", "seasonal_alarms"]
