"""Sessions, roles, forms and headers, walked over the table of pages."""

import logging
import re
from typing import Final

import httpx
import pytest

from taskflow.definition.calls.users import Role
from taskflow.server.dashboard.headers import POLICY
from taskflow.server.dashboard.page import Page
from taskflow.server.dashboard.table import PAGES as EVERY_PAGE
from tests.support.dashboard import PASSWORD, Dashboard, Visitor

PAGES: Final = tuple(page for page in EVERY_PAGE if not page.is_stream)


def _path(page: Page) -> str:
    return re.sub(r"\{[^}]*\}", "none-such", page.path)


async def _ask(visitor: Visitor, page: Page) -> httpx.Response:
    return await (visitor.get(_path(page)) if page.method == "GET" else visitor.post(_path(page)))


async def test_every_page_sends_a_visitor_without_a_session_to_sign_in(dashboard: Dashboard) -> None:
    """A page that forgets the check would show runs to anybody."""
    environment = dashboard.flow.settings.environment
    async with dashboard.browser() as browser:
        for page in EVERY_PAGE:
            answer = await browser.request(page.method, f"/{environment}/{_path(page)}")
            assert (answer.status_code, answer.headers["location"].split("?")[0]) == (303, "/signin"), page.path


async def test_no_page_fails_and_each_has_the_policy(dashboard: Dashboard) -> None:
    """Pages of a new environment, and of ids that are none, are answers, and no inline script or style is allowed."""
    admin = await dashboard.visitor("admin")
    for page in PAGES:
        answer = await _ask(admin, page)
        assert answer.status_code < 500, (page.path, answer.text)
        assert answer.headers["content-security-policy"] == POLICY


@pytest.mark.timeout(90)  # every page, as every role
async def test_each_page_refuses_the_roles_below_its_own(dashboard: Dashboard) -> None:
    """What one may not do is refused by the server, too, not only absent from the page."""
    for role in Role:
        visitor = await dashboard.visitor(role.value)
        for page in PAGES:
            answer = await _ask(visitor, page)
            is_refused = answer.status_code == 403 and "It needs the role" in answer.text
            assert is_refused is not role.allows(page.role), (role, page.path, answer.status_code)


async def test_every_form_with_a_foreign_token_is_refused(dashboard: Dashboard) -> None:
    """A form of another site, or of another session, changes nothing."""
    admin = await dashboard.visitor("admin")
    for page in PAGES:
        if page.method == "POST":
            assert (await admin.post(_path(page), csrf="f" * 32)).status_code == 403, page.path


async def test_a_form_of_another_site_is_refused(dashboard: Dashboard) -> None:
    """Browsers say where a form comes from."""
    admin = await dashboard.visitor("admin")
    fields = {"csrf": await admin.token()}
    for headers in ({"origin": "http://evil.test"}, {"sec-fetch-site": "cross-site"}):
        answer = await admin.client.post("/signout", data=fields, headers=headers)
        assert answer.status_code == 403
    assert (await admin.get("runs")).status_code == 200


async def test_a_body_that_is_too_large_is_refused(dashboard: Dashboard) -> None:
    """A form is held in memory, so it has a bound."""
    async with dashboard.browser() as browser:
        answer = await browser.post("/signin", data={"user": "x" * (dashboard.flow.settings.server_body_limit + 1)})
    assert answer.status_code == 413
    assert "Nothing has changed" in answer.text


async def test_one_signs_in_with_name_and_password_and_out_again(dashboard: Dashboard) -> None:
    """The whole way, with a real password: to the wanted page, and back to the form."""
    async with dashboard.browser() as browser:
        first = await browser.get("/")
        wanted = await browser.get(first.headers["location"])
        form = await browser.get(wanted.headers["location"])
        assert form.status_code == 200
        fields = {"user": "viewer", "password": PASSWORD, "next": f"/{dashboard.flow.settings.environment}/runs"}
        entered = await browser.post("/signin", data=fields)
        assert entered.status_code == 303
        page = await browser.get(entered.headers["location"])
        assert page.status_code == 200
        token = re.search(r'name="csrf" value="([0-9a-f]+)"', page.text)
        assert token
        left = await browser.post("/signout", data={"csrf": token[1]})
        assert left.headers["location"] == "/signin"
        again = await browser.get(entered.headers["location"])
        assert again.status_code == 303


@pytest.mark.parametrize("name", ["viewer", "nobody"])
async def test_five_wrong_passwords_are_followed_by_a_pause(dashboard: Dashboard, name: str) -> None:
    """Known and unknown names are treated alike, and the right password does not help during the pause."""
    async with dashboard.browser() as browser:
        answers = [await browser.post("/signin", data={"user": name, "password": "wrong"}) for _ in range(5)]
        assert [answer.status_code for answer in answers] == [401] * 5
        assert "4 tries are left" in answers[0].text
        paused = await browser.post("/signin", data={"user": name, "password": PASSWORD})
    assert paused.status_code == 429
    assert 1 <= int(paused.headers["retry-after"]) <= 61
    assert "Try again in" in paused.text


async def test_a_removed_user_and_another_password_end_sessions(dashboard: Dashboard) -> None:
    """Who was locked out is out at the next request."""
    viewer, operator = await dashboard.visitor("viewer"), await dashboard.visitor("operator")
    dashboard.flow.engine.users.remove("viewer")
    dashboard.flow.engine.users.change_password("operator", "another hash")
    assert (await viewer.get("runs")).status_code == 303
    assert (await operator.get("runs")).status_code == 303


@pytest.mark.parametrize("target", ["//evil.test", "/\\evil.test", "https://evil.test", "javascript:alert(1)"])
async def test_signing_in_leads_to_no_other_site(dashboard: Dashboard, target: str) -> None:
    """The address to go on at comes from the URL, so anybody can write it."""
    async with dashboard.browser() as browser:
        answer = await browser.post("/signin", data={"user": "viewer", "password": PASSWORD, "next": target})
    assert answer.headers["location"] == "/"


async def test_a_part_of_a_page_is_answered_alone(dashboard: Dashboard) -> None:
    """htmx asks for an element by tag and id; caches must keep part and page apart."""
    viewer = await dashboard.visitor("viewer")
    part = await viewer.get("runs", part="div#list")
    assert part.text.strip().startswith('<div id="list"')
    assert "HX-Target" in part.headers["vary"]


async def test_links_carry_the_prefix_at_which_the_dashboard_is_mounted(dashboard: Dashboard) -> None:
    """Behind a proxy, or in another application, every address has its prefix."""
    from starlette.applications import Starlette
    from starlette.routing import Mount

    from taskflow.server import dashboard_app

    host = Starlette(routes=[Mount("/admin/tasks", dashboard_app(dashboard.flow))])
    dashboard.app = host
    viewer = await dashboard.visitor("viewer")
    page = await viewer.get(f"/admin/tasks/{dashboard.flow.settings.environment}/runs")
    assert page.status_code == 200
    addresses = re.findall(r'(?:href|src|action)="([^"#]+)', page.text)
    assert addresses
    assert all(address.startswith("/admin/tasks/") for address in addresses)
    style = next(address for address in addresses if address.endswith(".css"))
    assert (await viewer.get(style)).status_code == 200


async def test_every_request_is_logged_with_the_path_of_its_route(
    dashboard: Dashboard, caplog: pytest.LogCaptureFixture
) -> None:
    """Also where nobody has signed in yet; what the address holds besides is not logged."""
    caplog.set_level(logging.INFO, "taskflow.access")
    environment = dashboard.flow.settings.environment
    async with dashboard.browser() as browser:
        for path in ("/", "/signin", "/assets/none.css", f"/{environment}", f"/{environment}/runs/secret", "/none"):
            await browser.get(path)
    found = [record.route for record in caplog.records if record.name == "taskflow.access"]  # type: ignore[attr-defined]  # pyright: ignore[reportAttributeAccessIssue] - a field of the record
    assert found == ["/", "/signin", "/assets/{name}", f"/{environment}", "runs/{run_id}", ""]


async def test_assets_are_kept_for_a_year(dashboard: Dashboard) -> None:
    """Their names have a hash of their content, so browsers never ask twice."""
    viewer = await dashboard.visitor("viewer")
    page = await viewer.get("runs")
    found = set(re.findall(r'(?:href|src)="(/assets/[^"#]+)', page.text))
    assert len(found) >= 4
    for address in found:
        answer = await viewer.get(address)
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
