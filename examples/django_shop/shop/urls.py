"""Addresses of the shop."""

from django.urls import path

from . import views

urlpatterns = [
    path("", views.place_order, name="form"),
    path("orders/<int:pk>/", views.show_order, name="order"),
    path("orders/<int:pk>.json", views.get_order),
    path("orders.json", views.count_orders),
]
