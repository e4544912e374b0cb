"""The pages of the shop."""

from django import forms
from django.db import transaction
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render

from taskflow import RunNotFoundError, runs

from .models import Order
from .tasks import OrderPayload, confirm_order


class CardDeclinedError(Exception):
    """The bank refuses the card."""


class OrderForm(forms.Form):
    """The fields that a customer fills in."""

    email = forms.EmailField()
    quantity = forms.IntegerField(min_value=1)
    card = forms.CharField(max_length=20)


def place_order(request: HttpRequest) -> HttpResponse:
    """Show the form, and take what was filled in."""
    form = OrderForm(request.POST or None)
    if not form.is_valid():
        return render(request, "shop/form.html", {"form": form}, status=422 if form.is_bound else 200)
    try:
        order = _placed(form.cleaned_data["email"], form.cleaned_data["quantity"], form.cleaned_data["card"])
    except CardDeclinedError:
        form.add_error("card", "The bank declined this card. Nothing was ordered.")
        return render(request, "shop/form.html", {"form": form}, status=402)
    return redirect("order", order.pk)


@transaction.atomic
def _placed(email: str, quantity: int, card: str) -> Order:
    """Write an order and trigger its run. Both happen at the commit, or neither does."""
    order = Order.objects.create(email=email, quantity=quantity)
    order.run_id = confirm_order.trigger(OrderPayload(order_id=order.pk), tags=[f"order:{order.pk}"]).id
    order.save()
    if card == "declined":
        raise CardDeclinedError
    return order


def show_order(request: HttpRequest, pk: int) -> HttpResponse:
    """Show an order; the page reloads until its run has ended."""
    order = get_object_or_404(Order, pk=pk)
    return render(request, "shop/order.html", {"order": order, **_run_of(order)})


def get_order(_request: HttpRequest, pk: int) -> JsonResponse:
    """Return an order as JSON."""
    order = get_object_or_404(Order, pk=pk)
    return JsonResponse({"id": order.pk, "status": order.status, "run_id": order.run_id, **_run_of(order)})


def count_orders(_request: HttpRequest) -> JsonResponse:
    """Return how many orders there are."""
    return JsonResponse({"orders": Order.objects.count()})


def _run_of(order: Order) -> dict[str, object]:
    try:
        run = runs.retrieve(order.run_id)
    except RunNotFoundError:  # it has left the history
        return {"run": "gone", "is_finished": True, "reason": ""}
    return {"run": run.status, "is_finished": run.is_finished, "reason": run.error.message if run.error else ""}
