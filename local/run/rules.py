"""Check a job's template and the overrides of one execution.

Limits and defaults are Cloud Run's: https://cloud.google.com/run/docs/configuring/task-timeout,
https://cloud.google.com/run/docs/configuring/max-retries, https://cloud.google.com/run/quotas.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from local.run import protos
from local.serving import invalid, unimplemented

if TYPE_CHECKING:
    from collections.abc import Iterable

    from google.protobuf.message import Message

MAX_TASKS = 10_000
MAX_RETRIES = 10
MAX_TIMEOUT = 7 * 24 * 3600
DEFAULT_RETRIES = 3
DEFAULT_TIMEOUT = 600
RESERVED = frozenset(
    {
        "CLOUD_RUN_JOB",
        "CLOUD_RUN_EXECUTION",
        "CLOUD_RUN_TASK_INDEX",
        "CLOUD_RUN_TASK_COUNT",
        "CLOUD_RUN_TASK_ATTEMPT",
    }
)
"""Variables that the system alone sets."""

_GIVEN = frozenset({"name", "labels", "annotations", "client", "client_version", "template", "etag"})
_OUTPUT = frozenset(
    {
        *("uid", "generation", "create_time", "update_time", "delete_time", "expire_time", "creator"),
        *("last_modifier", "observed_generation", "terminal_condition", "conditions", "execution_count"),
        *("latest_created_execution", "reconciling", "satisfies_pzs", "launch_stage"),
    }
)
"""Fields that a client may send back as it got them; what they hold is ignored, as by the real service."""
_TEMPLATE = frozenset({"labels", "annotations", "parallelism", "task_count", "template"})
_TASK = frozenset({"containers", "max_retries", "timeout"})
_CONTAINER = frozenset({"name", "image", "command", "args", "env", "resources"})


def checked(job: protos.Job) -> protos.Job:
    """What a client asked for, without output fields and with every default filled in.

    Raises:
        Refused: INVALID_ARGUMENT, or UNIMPLEMENTED for a field that this server would ignore.
    """
    _only(job, _GIVEN | _OUTPUT, "Job")
    wanted = protos.Job()
    wanted.CopyFrom(job)
    for field in _OUTPUT:
        wanted.ClearField(field)
    template = wanted.template
    _only(template, _TEMPLATE, "ExecutionTemplate")
    _only(template.template, _TASK, "TaskTemplate")
    if len(template.template.containers) != 1:
        raise invalid("template.template.containers: exactly one container is required.")
    container = template.template.containers[0]
    _only(container, _CONTAINER, "Container")
    if not container.image:
        raise invalid("template.template.containers[0].image: must be set.")
    _check_words([*container.command, *container.args])
    _check_variables(container.env)
    _fill(template)
    return wanted


def overridden(template: protos.ExecutionTemplate, overrides: Message) -> protos.ExecutionTemplate:
    """The template of one execution: arguments replaced, variables merged, counts and timeout replaced.

    Raises:
        Refused: INVALID_ARGUMENT.
    """
    result = protos.ExecutionTemplate()
    result.CopyFrom(template)
    container = result.template.containers[0]
    if len(overrides.container_overrides) > 1:
        raise invalid("overrides.container_overrides: the job has one container.")
    for override in overrides.container_overrides:
        _override_container(container, override)
    if overrides.task_count:
        result.task_count = overrides.task_count
    if overrides.HasField("timeout"):
        result.template.timeout.CopyFrom(overrides.timeout)
    _fill(result)
    return result


def _override_container(container: protos.Container, override: Message) -> None:
    if override.name and override.name != container.name:
        raise invalid(f"overrides.container_overrides[0].name: the job has no container {override.name!r}.")
    if override.args and override.clear_args:
        raise invalid("overrides.container_overrides[0]: args and clear_args exclude each other.")
    _check_words(override.args)
    if override.args or override.clear_args:
        container.ClearField("args")
        container.args.extend(override.args)
    _check_variables(override.env)
    merged = {variable.name: variable for variable in (*container.env, *override.env)}
    merged = {name: variable.value for name, variable in merged.items()}
    container.ClearField("env")
    for name, value in merged.items():
        container.env.add(name=name, value=value)


def _fill(template: protos.ExecutionTemplate) -> None:
    """Check the numbers of a template, and put defaults where there are none."""
    template.task_count = template.task_count or 1
    if not 1 <= template.task_count <= MAX_TASKS:
        raise invalid(f"task_count: {template.task_count}; it must be 1 to {MAX_TASKS}.")
    if template.parallelism < 0:
        raise invalid(f"parallelism: {template.parallelism}; it must not be negative.")
    task = template.template
    if not task.HasField("max_retries"):
        task.max_retries = DEFAULT_RETRIES
    if not 0 <= task.max_retries <= MAX_RETRIES:
        raise invalid(f"max_retries: {task.max_retries}; it must be 0 to {MAX_RETRIES}.")
    if not task.HasField("timeout"):
        task.timeout.seconds = DEFAULT_TIMEOUT
    seconds = task.timeout.seconds + task.timeout.nanos / 1e9
    if not 1 <= seconds <= MAX_TIMEOUT:
        raise invalid(f"timeout: {seconds:g} s; it must be 1 s to {MAX_TIMEOUT} s.")


def _check_words(words: Iterable[str]) -> None:
    if any("\0" in word for word in words):
        raise invalid("command and args: NUL cannot be passed to a process.")


def _check_variables(variables: Iterable[Message]) -> None:
    for variable in variables:
        if not variable.name or "=" in variable.name or "\0" in variable.name + variable.value:
            raise invalid(f"env: {variable.name!r} cannot be a variable.")
        if variable.name in RESERVED:
            raise invalid(f"env: the name {variable.name} is reserved; the system sets it.")
        if variable.WhichOneof("values") == "value_source":
            raise unimplemented("EnvVar.value_source")


def _only(message: Message, fields: frozenset[str], what: str) -> None:
    for field, _ in message.ListFields():
        if field.name not in fields:
            raise unimplemented(f"{what}.{field.name}")
