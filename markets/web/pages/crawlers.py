"""What crawlers and browsers ask every site for."""

from typing import Final

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.templatetags.static import static
from django.views.decorators.http import require_safe

CACHED: Final = "public, max-age=86400"
CLOSED: Final = ("/admin/", "/account/", "/settings", "/portfolio", "/api/")
RULES: Final = "\n".join(("User-agent: *", *(f"Disallow: {path}" for path in CLOSED), ""))


@require_safe
async def robots(_request: HttpRequest) -> HttpResponse:
    headers = {"Cache-Control": CACHED}
    return HttpResponse(RULES, content_type="text/plain; charset=utf-8", headers=headers)


@require_safe
async def favicon(_request: HttpRequest) -> HttpResponse:
    """Lead to the icon, for a browser that looks at something else than a page."""
    return HttpResponseRedirect(static("markets/icon.svg"), headers={"Cache-Control": CACHED})
