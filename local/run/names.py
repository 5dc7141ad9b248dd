"""Check the names of jobs, and parse the names of resources."""

from __future__ import annotations

import re
import secrets

from local.serving import invalid

_LOCATION = r"projects/[a-z0-9:.-]+/locations/[a-z0-9-]+"
_ID = r"[a-z](?:[a-z0-9-]{0,61}[a-z0-9])?"
_JOB = rf"{_LOCATION}/jobs/{_ID}"
_EXECUTION = rf"{_JOB}/executions/{_ID}"
_MAX_JOB_ID = 63 - 6
"""An execution's id is the job's and a suffix of six characters, and is itself a DNS label."""
_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
"""Characters of a suffix; they spell no words."""


def check_location(name: str) -> str:
    """The name itself.

    Raises:
        Refused: INVALID_ARGUMENT.
    """
    return _check(re.compile(_LOCATION), name, "parent", "projects/PROJECT/locations/LOCATION")


def check_job(name: str) -> str:
    """The name itself.

    Raises:
        Refused: INVALID_ARGUMENT.
    """
    return _check(re.compile(_JOB), name, "job name", "projects/PROJECT/locations/LOCATION/jobs/JOB")


def check_execution(name: str) -> str:
    """The name itself.

    Raises:
        Refused: INVALID_ARGUMENT.
    """
    return _check(re.compile(_EXECUTION), name, "execution name", "…/jobs/JOB/executions/EXECUTION")


def check_task(name: str) -> str:
    """The name itself.

    Raises:
        Refused: INVALID_ARGUMENT.
    """
    return _check(
        re.compile(rf"{_EXECUTION}/tasks/{_ID}"), name, "task name", "…/executions/EXECUTION/tasks/TASK"
    )


def check_job_id(job_id: str) -> str:
    """The id itself.

    Raises:
        Refused: INVALID_ARGUMENT.
    """
    if not re.fullmatch(_ID, job_id) or len(job_id) > _MAX_JOB_ID:
        raise invalid(
            f"Invalid job_id {job_id!r}: a letter, then a-z 0-9 and -, no - at the end; "
            f"at most {_MAX_JOB_ID} characters."
        )
    return job_id


def jobs_of(parent: str) -> str:
    """A job's name, or `-` in the place of its id for every job, as a GLOB pattern of execution names.

    Raises:
        Refused: INVALID_ARGUMENT.
    """
    _check(
        re.compile(rf"{_LOCATION}/jobs/(?:-|{_ID})"),
        parent,
        "parent",
        "projects/PROJECT/locations/LOCATION/jobs/JOB",
    )
    return _glob(parent) + "/executions/*"


def executions_of(parent: str) -> str:
    """An execution's name, or `-` in the place of ids, as a GLOB pattern of execution names.

    Raises:
        Refused: INVALID_ARGUMENT.
    """
    pattern = re.compile(rf"{_LOCATION}/jobs/(?:-|{_ID})/executions/(?:-|{_ID})")
    return _glob(_check(pattern, parent, "parent", "…/jobs/JOB/executions/EXECUTION"))


def execution_name(job: str) -> str:
    """A name for a new execution of a job."""
    suffix = "".join(secrets.choice(_LETTERS) for _ in range(5))
    return f"{job}/executions/{short(job)}-{suffix}"


def task_name(execution: str, index: int) -> str:
    """The name of an execution's task."""
    return f"{execution}/tasks/{short(execution)}-task{index}"


def short(name: str) -> str:
    """The id at the end of a name."""
    return name.rpartition("/")[2]


def _glob(name: str) -> str:
    return "/".join("*" if part == "-" else part for part in name.split("/"))


def _check(pattern: re.Pattern[str], name: str, what: str, form: str) -> str:
    if not pattern.fullmatch(name):
        raise invalid(f"Invalid {what} {name!r}: the form is {form}.")
    return name
