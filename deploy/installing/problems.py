"""What can go wrong, in the words of gcloud and Terraform, and what a person does about it."""

from __future__ import annotations

import re
from dataclasses import dataclass


class Problem(Exception):
    """Something a person has to do before the same command can go on.

    Args:
        code: short name, for reports.
        message: what happened.
        hint: what to do.
    """

    def __init__(self, code: str, message: str, hint: str) -> None:
        super().__init__(message)
        self.code, self.message, self.hint = code, message, hint


class Refusal(Problem):
    """An answer or option that will not do: the same command would not pass either."""


class NothingLeft(Exception):
    """There is nothing to be done."""


@dataclass(frozen=True)
class Cause:
    """A kind of failure, recognised by what a command printed."""

    code: str
    pattern: re.Pattern[str]
    message: str
    hint: str


CAUSES = (
    Cause(
        "login-expired",
        re.compile(
            r"invalid_grant|[Rr]eauthentication|does not have any valid credentials|"
            r"do not currently have an active account|problem refreshing your current auth|"
            r"could not find default credentials|credentials (are|were) not (available|found)|oauth2: |"
            r"invalid token JSON from metadata|compute: Received \d"
        ),
        "The login has expired, or there is none.",
        "In Cloud Shell, open it anew and click Authorize. Elsewhere, or if that does not help: "
        "gcloud auth login && gcloud auth application-default login",
    ),
    Cause(
        "network",
        re.compile(
            r"establish a new connection|failure in name resolution|Network is unreachable|no such host|"
            r"Unable to find the server|i/o timeout|TLS handshake timeout|Max retries exceeded|"
            r"[Cc]onnection (reset|refused|aborted)|cannot assign requested address"
        ),
        "Google Cloud could not be reached.",
        "Check the network.",
    ),
    Cause(
        "organisation-policy",
        re.compile(
            r"constraints/|[Oo]rganization [Pp]olicy|[Oo]rg policy|violates constraint|"
            r"invoker_iam_disabled is not currently available|do not belong to a permitted customer"
        ),
        "A policy of your organisation forbids this.",
        "Show the message above to whoever runs Google Cloud there, and ask for an exception for {project}.",
    ),
    Cause(
        "billing-off",
        re.compile(
            r"[Bb]illing must be enabled|[Bb]illing account for project .{0,100} is not found|"
            r"BILLING_DISABLED|billing.{0,40} (is )?disabled"
        ),
        "Billing is off in this project.",
        "Link a billing account: https://console.cloud.google.com/billing/linkedaccount?project={project}",
    ),
    Cause(
        "region-builds",
        re.compile(r"due to quota restrictions, cannot run builds in this region"),
        "This project may not build in {region} yet: Google restricts new projects to a few regions.",
        "Ask for it (https://cloud.google.com/build/docs/locations), or destroy and install in europe-west1.",
    ),
    Cause(
        "quota",
        re.compile(
            r"Quota violated|Max instances must be set|[Qq]uota exceeded|RESOURCE_EXHAUSTED|QUOTA_EXCEEDED"
        ),
        "A quota of the project does not suffice.",
        "Raise the quota named above: https://console.cloud.google.com/iam-admin/quotas?project={project}",
    ),
    Cause(
        "name-taken",
        re.compile(
            r"bucket name is not available|bucket namespace is shared|already own(ed)? by (another|someone)"
        ),
        "The name of a bucket is taken: names are shared by all of Google Cloud.",
        "Use a project with another id; buckets are named after it.",
    ),
    Cause(
        "no-rights",
        re.compile(
            r"PERMISSION_DENIED|does not have permission|Permission .{0,100}denied|[Ee]rror 403|forbidden|"
            r"does not have .{0,100} access"
        ),
        "Your account may not do this.",
        "You need the role Owner on the project. Whoever has it gives it to you on "
        "https://console.cloud.google.com/iam-admin/iam?project={project}",
    ),
)


def last_line(text: str) -> str:
    """Return the last line of what a command printed."""
    return (text.strip().splitlines() or ["it printed nothing"])[-1]


def cause_of(text: str) -> Cause | None:
    """Return the first kind of failure whose words are in the text."""
    return next((cause for cause in CAUSES if cause.pattern.search(text)), None)


def explain(text: str, command: str, place: dict[str, str]) -> Problem:
    """Return what a failure means for a person.

    Args:
        text: what the command printed.
        command: its name, for a failure that is not known.
        place: project and region, for hints that name them.
    """
    if cause := cause_of(text):
        return Problem(cause.code, cause.message.format(**place), cause.hint.format(**place))
    return Problem(
        "unknown",
        f"{command} failed: {last_line(text)}",
        "Run the same command again. If it fails again, report it with the line below.",
    )


PROPAGATING = re.compile(
    r"has not been used in project|before or it is disabled|SERVICE_DISABLED|"  # a service enabled just now
    r"Service account .{0,200} does not exist|actAs' denied|"  # an account or a right made just now
    r"Error creating Subscription: googleapi: Error 403|must have permission to read the image|"
    r"Cannot find metric|metric referenced by the provided filter is unknown|"  # a metric made just now
    # indexes side by side
    r"cross-transaction contention|underlying data changed|too much contention|concurrent access|"
    # something that was still at work
    r"Error trying to delete bucket|tried to delete (is|was) not empty|could not delete non-empty|"
    r"ID '\(default\)' is not available|"  # a database deleted just now
    r"might take a few minutes|please (wait|retry|try again)|try again (later|in)|Error 50[0-4]",
    re.IGNORECASE,
)
"""What Google Cloud says for some minutes after something was made or granted: the same call passes later.

From the issues of Terraform's provider: 4142, 7608 and 8214 (services), 7611, 9969 and 10114 (accounts),
10325 and 11102 (metrics), 16599 and 16664 (indexes), 17397 (subscriptions).
"""
