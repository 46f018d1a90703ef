"""The OpenAPI document tells the truth: every answer to generated calls is one that it describes."""

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance, unsupported_method

from markets.web.api.root import api
from tests.support.people import bearer

PUBLIC = {
    "/api/v1/markets/",
    "/api/v1/markets/{market_id}",
    "/api/v1/markets/{market_id}/events",
    "/api/v1/categories/",
    "/api/v1/tags/",
}


async def test_the_document_and_its_page_are_served(client):
    document = (await client.get("/api/v1/openapi.json")).json()
    assert document["openapi"].startswith("3.")
    assert set(document["paths"]) >= PUBLIC
    page = await client.get("/api/v1/docs")
    assert page.status_code == 200
    assert "cdn" not in page.text.lower(), "the docs page brings its own files"


async def test_every_operation_describes_its_problems(client):
    document = (await client.get("/api/v1/openapi.json")).json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            for status in ("404", "422", "429"):
                content = operation["responses"][status]["content"]
                assert list(content) == ["application/problem+json"], (path, method, status)


def test_generated_calls_get_described_answers(server, market, staff_key):
    """A dozen generated calls of every operation, valid and not, against the real server."""
    document = schemathesis.openapi.from_dict(dict(api.get_openapi_schema(path_prefix="/api/v1/")))
    statuses = set()

    @settings(
        max_examples=12, deadline=None, suppress_health_check=list(HealthCheck), database=None
    )
    def check(case):
        if "market_id" in (case.path_parameters or {}) and len(statuses) % 2:
            case.path_parameters["market_id"] = market.pk
        answer = case.call(base_url=server.url, headers=bearer(staff_key), timeout=10)
        statuses.add(answer.status_code)
        case.validate_response(
            answer, excluded_checks=[positive_data_acceptance, unsupported_method]
        )

    for found in document.get_all_operations():
        given(case=found.ok().as_strategy())(check)()
    assert statuses >= {200, 201, 404, 422}
