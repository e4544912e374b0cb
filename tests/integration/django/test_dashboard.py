"""Runs in a site's own pages: the dashboard below an address, and the admin, with the site's login and permissions."""

import re
from collections.abc import Generator
from contextlib import contextmanager

import httpx
import pytest

from tests.support.django_site import DjangoSite
from tests.support.processes import tail
from tests.support.servers import HOST, free_port
from tests.support.waiting import wait_until

PASSWORD = "correct horse battery"
USERS = """
import os
import django
django.setup()
from django.contrib.auth.models import Permission, User
for name, codes in {
    "nobody": [], "viewer": ["view_run", "view_schedule"],
    "operator": ["view_run", "operate_run", "view_schedule", "change_schedule"],
}.items():
    user = User.objects.create_user(name, password=os.environ["PASSWORD"], is_staff=True)
    user.user_permissions.set(Permission.objects.filter(content_type__app_label="taskflow", codename__in=codes))
User.objects.create_superuser("root", password=os.environ["PASSWORD"])
from ledger.tasks import OrderPayload, process, schedules
process.trigger(OrderPayload(name="<script>alert(1)</script>"), tags=["vip"], delay="1h")
print(schedules.create(task="site-process-nightly", cron="0 3 * * *", deduplication_key="nightly").id)
"""


class Web:
    """The site under an ASGI server."""

    def __init__(self, site: DjangoSite) -> None:
        self.port = free_port()
        variables = {"DJANGO_SETTINGS_MODULE": "mysite.settings", "PASSWORD": PASSWORD}
        self.schedule = site.call("-c", USERS, env=variables).strip()
        words = ("-m", "uvicorn", "mysite.asgi:application", "--host", HOST, "--port", str(self.port))
        process = site.start("web", *words)
        self.address = f"http://{HOST}:{self.port}"

        def answers() -> bool:
            assert process.poll() is None, tail(site.log("web"))
            try:
                return httpx.get(f"{self.address}/admin/login/").status_code == 200
            except httpx.TransportError:
                return False

        wait_until(answers, "the web server to answer", timeout=30)

    @contextmanager
    def browser(self, name: str = "") -> Generator[httpx.Client]:
        """Open a browser, in which a user has signed in."""
        with httpx.Client(base_url=self.address, timeout=20) as client:
            if name:
                client.get("/admin/login/")
                fields = {"username": name, "password": PASSWORD, "csrfmiddlewaretoken": client.cookies["csrftoken"]}
                answer = client.post("/admin/login/?next=/tasks/", data=fields)
                assert answer.headers["location"] == "/tasks/"
            yield client


@pytest.fixture
def web(any_site: DjangoSite) -> Web:
    """The site with users, a delayed run and a schedule."""
    return Web(any_site)


@pytest.mark.timeout(120)
def test_the_dashboard_has_the_login_and_the_permissions_of_the_site(any_site: DjangoSite, web: Web) -> None:
    """Strangers are led to the site's login and back; users who may only look are not let act."""
    runs = f"/tasks/{any_site.environment}/runs"
    (run,) = any_site.flow.engine.runs.list(10)
    with web.browser() as anonymous:
        assert anonymous.get("/tasks").headers["location"] == "/tasks/"
        led = anonymous.get(f"{runs}?status=DELAYED")
        assert led.headers["location"] == f"/admin/login/?next={runs}%3Fstatus%3DDELAYED"
        assert anonymous.get("/tasks/signin").headers["location"] == "/admin/login/?next=/tasks/"
        assert anonymous.get("/admin/").status_code == 302, "other addresses are the site's"
    with web.browser("nobody") as nobody:
        refused = nobody.get(runs)
        assert refused.status_code == 403
        assert "taskflow.view_run" in refused.text
    for name, may_cancel in (("viewer", False), ("operator", True), ("root", True)):
        with web.browser(name) as browser:
            page = browser.get(f"{runs}/{run.id}")
            assert page.status_code == 200
            assert name in page.text
            style = re.search(r'href="(/tasks/assets/[^"]+\.css)"', page.text)
            assert style
            assert browser.get(style[1]).status_code == 200
            token = re.search(r'name="csrf" value="([0-9a-f]+)"', page.text)
            assert token
            answer = browser.post(f"{runs}/{run.id}/cancel", data={"csrf": token[1]})
            assert (answer.status_code == 403) is not may_cancel, answer.text
            assert browser.post(f"{runs}/{run.id}/cancel", data={"csrf": "0" * 32}).status_code == 403
            assert browser.post("/tasks/signout", data={"csrf": token[1]}).status_code == 303
            assert browser.get(runs).headers["location"].startswith("/admin/login/"), "signed out of the site"
    assert any_site.flow.engine.runs.status(run.id) == "CANCELED"


@pytest.mark.timeout(120)
def test_the_admin_shows_runs_and_schedules_to_those_who_may_see_them(any_site: DjangoSite, web: Web) -> None:
    """Nobody adds or deletes them; operators cancel, replay and pause."""
    (run,) = any_site.flow.engine.runs.list(10)
    listed, page = "/admin/taskflow/run/", f"/admin/taskflow/run/{run.id}/change/"
    schedules = "/admin/taskflow/schedule/"
    with web.browser("nobody") as nobody:
        unknown = "/admin/taskflow/run/run_x/change/"
        assert {nobody.get(each).status_code for each in (listed, page, schedules, unknown)} == {403}
    with web.browser("viewer") as viewer:
        assert run.id in viewer.get(f"{listed}?status=PENDING_VERSION&tag=vip").text
        assert "There are no such runs" in viewer.get(f"{listed}?task=other").text
        assert "status" in viewer.get(f"{listed}?status=WRONG").text
        shown = viewer.get(page).text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in shown
        assert "<script>alert(1)" not in shown
        assert ">Cancel<" not in shown
        token = viewer.cookies["csrftoken"]
        for address in (f"/admin/taskflow/run/{run.id}/cancel/", f"{schedules}{web.schedule}/deactivate/"):
            assert viewer.post(address, data={"csrfmiddlewaretoken": token}).status_code == 403
        assert viewer.get("/admin/taskflow/run/add/").status_code == 403
        assert viewer.get("/admin/taskflow/run/run_x/change/").status_code == 404
        assert viewer.get(f"/admin/taskflow/run/{run.id}/history/").status_code == 302, "there is no such page"
        assert viewer.get(f"/admin/taskflow/run/{run.id}/delete/").status_code == 403
        assert f'href="/backstage/taskflow/run/{run.id}/change/"' in viewer.get("/backstage/taskflow/run/").text
    with web.browser("operator") as operator:
        form = {"csrfmiddlewaretoken": operator.cookies["csrftoken"]}
        assert ">Cancel<" in operator.get(page).text
        operator.post(f"/admin/taskflow/run/{run.id}/cancel/", data=form)
        assert 'id="run-status">CANCELED<' in operator.get(page).text
        led = operator.post(f"/backstage/taskflow/run/{run.id}/replay/", data=form).headers["location"]
        assert led == f"/backstage/taskflow/run/{run.id}/change/"
        assert web.schedule in operator.get(schedules).text
        operator.post(f"{schedules}{web.schedule}/deactivate/", data=form)
        assert "paused" in operator.get(schedules).text
        assert operator.get(f"/admin/taskflow/run/{run.id}/cancel/").status_code == 405
    assert len(any_site.flow.engine.runs.list(10)) == 2
