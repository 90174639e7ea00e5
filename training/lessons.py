"""Which lesson a run is: the one place where tasks are told apart for the training loop."""

from typing import Any

from training.inspection_lesson import InspectionLesson
from training.lesson import Lesson
from training.run import Run


def lesson_of(run: Run) -> Lesson[Any]:
    """The run's task as a lesson, on its data."""
    return InspectionLesson(run)
