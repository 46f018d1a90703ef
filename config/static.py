"""Static files: named by their content, compressed, and cached for a year."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.contrib.staticfiles.storage import HashedFilesMixin
from django.core.exceptions import ImproperlyConfigured
from servestatic import ServeStaticASGI
from servestatic.storage import CompressedManifestStaticFilesStorage


class HashedFiles(CompressedManifestStaticFilesStorage):
    """Names each file by its content, also in the imports of our modules.

    Others' scripts are not read for imports: they are large, and it would take seconds.
    """

    patterns = (
        *HashedFilesMixin.patterns,
        ("markets/*.js", HashedFilesMixin._js_module_import_aggregation_patterns[1]),  # type: ignore[attr-defined]
    )

    def compress_files(self, paths: set[str]) -> Iterator[tuple[str, str]]:
        """Compress what pages name, and that once: what has a hash in its name never changes."""
        hashed = paths & set(self.hashed_files.values())
        yield from super().compress_files({one for one in hashed if not self.exists(f"{one}.gz")})

    def add_stats_to_manifest(self) -> None:
        """Leave out what only ServeStatic's middleware reads."""


class Files(ServeStaticASGI):
    """The collected files, in front of an application. Raise ImproperlyConfigured without them."""

    FOREVER = 365 * 24 * 3600  # seconds; of a file with a hash in its name

    def __init__(self, application: Any) -> None:
        manifest = settings.STATIC_ROOT / HashedFiles.manifest_name
        if not (settings.DEBUG or manifest.exists()):
            todo = "run 'python manage.py collectstatic --noinput' before the server"
            raise ImproperlyConfigured(f"The static files are not collected: {todo}.")
        super().__init__(application, root=str(settings.STATIC_ROOT), prefix="static/")
