"""How the audit asks for policies, through the real clients: with their conditions, on whatever they are."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import grpc
import pytest
from google.cloud import resourcemanager_v3, run_v2
from google.cloud.resourcemanager_v3.services.projects.transports import ProjectsGrpcTransport
from google.cloud.run_v2.services.jobs.transports import JobsGrpcTransport
from google.cloud.run_v2.services.services.transports import ServicesGrpcTransport
from google.cloud.secretmanager_v1 import SecretManagerServiceClient
from google.cloud.secretmanager_v1.services.secret_manager_service.transports import (
    SecretManagerServiceGrpcTransport,
)
from google.iam.v1 import iam_policy_pb2, policy_pb2  # type: ignore[import-untyped] # generated, without stubs
from google.pubsub_v1 import PublisherClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport

from cli.security import reading
from shared.platform.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SERVICES = (
    "google.iam.v1.IAMPolicy",
    "google.cloud.secretmanager.v1.SecretManagerService",
    "google.cloud.run.v2.Jobs",
    "google.cloud.run.v2.Services",
    "google.cloud.resourcemanager.v3.Projects",
)
CLIENTS: dict[str, tuple[Any, Any]] = {
    "publisher": (PublisherClient, PublisherGrpcTransport),
    "secrets": (SecretManagerServiceClient, SecretManagerServiceGrpcTransport),
    "jobs": (run_v2.JobsClient, JobsGrpcTransport),
}
PLACE = "projects/p/locations/l"
Asked = list[tuple[str, int]]


def policies(asked: Asked) -> list[grpc.GenericRpcHandler]:
    """Every call asks for a policy; each is empty."""

    def answer(request: Any, _: grpc.ServicerContext) -> Any:
        asked.append((request.resource, request.options.requested_policy_version))
        return policy_pb2.Policy(version=3)

    method = grpc.unary_unary_rpc_method_handler(
        answer,
        request_deserializer=iam_policy_pb2.GetIamPolicyRequest.FromString,
        response_serializer=policy_pb2.Policy.SerializeToString,
    )
    return [grpc.method_handlers_generic_handler(name, {"GetIamPolicy": method}) for name in SERVICES]


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Asked]:
    """What a server was asked that the clients reach in Google's place."""
    calls: Asked = []
    server = grpc.server(ThreadPoolExecutor(1))
    server.add_generic_rpc_handlers(policies(calls))
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        for name, (client, transport) in CLIENTS.items():
            made = client(transport=transport(channel=channel))
            monkeypatch.setattr(reading, name, lambda made=made: made)
        services = run_v2.ServicesClient(transport=ServicesGrpcTransport(channel=channel))
        projects = resourcemanager_v3.ProjectsClient(transport=ProjectsGrpcTransport(channel=channel))
        monkeypatch.setattr(run_v2, "ServicesClient", lambda: services)
        monkeypatch.setattr(resourcemanager_v3, "ProjectsClient", lambda: projects)
        monkeypatch.setattr(
            reading, "settings", lambda: Settings.from_environment({"GOOGLE_CLOUD_PROJECT": "p"})
        )
        yield calls
    server.stop(grace=None)


@pytest.mark.parametrize(
    ("ask", "resource"),
    [
        (lambda: reading.topic_policy("uploads"), "projects/p/topics/uploads"),
        (lambda: reading.secret_policy("api-key-hash"), "projects/p/secrets/api-key-hash"),
        (lambda: reading.run_policy(f"{PLACE}/services/api"), f"{PLACE}/services/api"),
        (lambda: reading.run_policy(f"{PLACE}/jobs/long-job"), f"{PLACE}/jobs/long-job"),
        (reading.project_policy, "projects/p"),
    ],
)
def test_policies_come_with_their_conditions(ask: Callable[[], Any], resource: str, asked: Asked) -> None:
    """Version 3: in an older one Google leaves conditions out, and may refuse a policy that has some."""
    assert ask() == []
    assert asked == [(resource, 3)]
