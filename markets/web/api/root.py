"""The API and its OpenAPI document."""

from typing import Any

from ninja import NinjaAPI
from ninja.openapi.schema import OpenAPISchema

from markets.web import problems

# `staff` adds its routes to the router of `markets`.
from markets.web.api import comments, markets, me, reports, staff, trading  # noqa: F401
from markets.web.api.schemas.own import ProblemOut

ALWAYS = (400, 401, 403, 404, 422, 429, 500)
WITH_BODY = (409, 412, 413, 428)


class BellwetherAPI(NinjaAPI):
    """Adds the errors to the description of each operation."""

    def get_openapi_schema(self, **options: Any) -> OpenAPISchema:
        document = super().get_openapi_schema(**options)
        document["components"]["schemas"]["Problem"] = ProblemOut.json_schema()
        content = {problems.CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}}}
        for path in document["paths"].values():
            for method, operation in path.items():
                responses = operation["responses"]
                wanted = ALWAYS + (WITH_BODY if method != "get" else ())
                if operation["operationId"].endswith("download_report"):
                    responses[200]["content"] = {"text/csv": {"schema": {"type": "string"}}}
                    wanted += (409,)
                for status in wanted:
                    title = problems.TITLES[status][1]
                    responses[status] = {"description": title, "content": content}
                if not operation.get("security") and method == "get":
                    responses[304] = {"description": "You have it already (If-None-Match)"}
        return document


api = BellwetherAPI(
    title="Bellwether",
    version="1",
    urls_namespace="api-1",
    description="A self-hosted prediction market. "
    "Amounts are decimal strings; errors are RFC 9457 problems.",
    docs_url="/docs",
    openapi_url="/openapi.json",
)
for kind, handler in problems.HANDLERS.items():
    api.add_exception_handler(kind, handler)
api.add_router("/markets", markets.router)
api.add_router("/markets", trading.router)
api.add_router("/markets", comments.of_markets)
api.add_router("/comments", comments.router)
api.add_router("", markets.shelves)
api.add_router("/me", me.router)
api.add_router("/reports", reports.router)
