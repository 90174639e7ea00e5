"""Which lesson a run is: the one place where tasks are told apart for the training loop."""

from typing import Any

from training.catalog.lesson import CatalogLesson
from training.catalog.run import CatalogRun
from training.inspection_lesson import InspectionLesson
from training.lesson import Lesson
from training.run import BaseRun, Run


def lesson_of(run: BaseRun) -> Lesson[Any]:
    """The run's task as a lesson, on its data."""
    if isinstance(run, CatalogRun):
        return CatalogLesson(run)
    if isinstance(run, Run):
        return InspectionLesson(run)
    raise TypeError(f"a run without a lesson: {type(run).__name__}")
