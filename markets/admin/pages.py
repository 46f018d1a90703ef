"""Pages of the admin of two steps: a form is filled in, then what it will do is confirmed."""

from collections.abc import Callable
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.db.models import Model
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.views.generic import FormView
from unfold.decorators import action
from unfold.enums import ActionVariant
from unfold.views import UnfoldModelAdminViewMixin

from markets.admin.base import StaffRequest
from markets.domain.errors import Invalid, Refused
from markets.domain.permissions import Permission, may


class ConfirmedPage(UnfoldModelAdminViewMixin, FormView):
    """A form (step 1), what will happen (step 2), and one confirmation, for what was shown only.

    A subclass says what the page is for by the attributes, `preview`, `basis` and `act`.
    """

    permission: Permission | None = None  # or `has_permission` decides
    verb: str  # on the button that confirms: "Resolve"
    title: str  # of the page, and of the button that leads here
    path = ""  # of its address; else the name of the action
    again = "Change what I wrote"  # on the button that leads back to the form
    variant = ActionVariant.DEFAULT
    template_name = "admin/confirmed.html"
    preview_template: str
    details_template = ""  # shown with the preview, below the buttons
    form_template = ""  # shown above the fields
    request: StaffRequest

    @property
    def button(self) -> str:
        return "danger" if self.variant == ActionVariant.DANGER else "primary"

    def has_permission(self) -> bool:
        return self.permission is not None and may(self.request.user, self.permission)

    def preview(self, form: forms.Form) -> dict[str, Any]:
        """Return the context of `preview_template`. Raise Refused if `act` would."""
        raise NotImplementedError

    def basis(self) -> str:
        """Return the state that a preview is of. A confirmation for another is asked for again.

        Raise Refused if `act` would.
        """
        raise NotImplementedError

    def act(self, form: forms.Form) -> str:
        """Do it and return a sentence that says what was done. Raise Refused."""
        raise NotImplementedError

    def subject(self) -> Model | None:
        """Return the row that the page is about; its history will say what was done."""
        return None

    def get_success_url(self) -> str:
        """Return where to go afterwards, and by *Back*: the row, or its list."""
        meta, pk = self.model_admin.opts, self.kwargs.get("object_id")
        name = f"admin:{meta.app_label}_{meta.model_name}_{'change' if pk else 'changelist'}"
        return reverse(name, args=[pk] if pk else [])

    def blocked(self) -> str:
        """Return why there is nothing to do here, or nothing."""
        return ""

    def get(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form = self.get_form()
        if self.blocked() or form.visible_fields():
            return self.show(form)
        form = self.get_form_class()(**{**self.get_form_kwargs(), "data": {}})
        return self.form_valid(form) if form.is_valid() else self.form_invalid(form)

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.get(request) if self.blocked() else super().post(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        step = self.request.POST.get("step")
        if step == "change":
            return self.show(form)
        try:
            basis = self.basis()
            stale = step == "confirm" and self.request.POST.get("basis") != basis
            if step == "confirm" and not stale:
                done = self.act(form)
                messages.success(self.request, done)
                self._log(form, done)
                return super().form_valid(form)
            previewed = self.preview(form)
        except Refused as refusal:
            return self.refuse(form, refusal)
        return self.show(form, stale=stale, basis=basis, **previewed, previewing=True)

    def _log(self, form: Any, done: str) -> None:
        """Write into the admin's log what was done, with the values given."""
        given = [f"{name}: {value}" for name, value in form.cleaned_data.items() if value]
        if row := self.subject():
            self.model_admin.log_change(self.request, row, " ".join([done, *given]))

    def form_invalid(self, form: Any) -> HttpResponse:
        return self.show(form)

    def refuse(self, form: Any, refusal: Refused) -> HttpResponse:
        """Show the form again with the refusal at its field, and what was typed."""
        fields = refusal.fields if isinstance(refusal, Invalid) else {"": str(refusal)}
        for field, message in fields.items():
            form.add_error(field if field in form.fields else None, message)
        return self.show(form)

    def show(self, form: Any, **context: Any) -> HttpResponse:
        return self.render_to_response(self.get_context_data(form=form, **context))

    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        return {
            **context,
            "page": self,
            "back": self.get_success_url(),
            "blocked": self.blocked(),
        }


def opens(page: type[ConfirmedPage]) -> Callable[..., HttpResponse]:
    """Return an Unfold action, a button that leads to the page."""

    def view(model_admin: Any, request: HttpRequest, object_id: str | None = None) -> Any:
        shown = page.as_view(model_admin=model_admin)
        answer = shown(request, **({"object_id": object_id} if object_id else {}))
        return cast(HttpResponse, answer)

    decorated = action(
        url_path=page.path or None,
        description=page.title,
        permissions=[page.permission.name.lower()] if page.permission else None,
        variant=page.variant,
    )(view)
    return cast(Callable[..., HttpResponse], decorated)
