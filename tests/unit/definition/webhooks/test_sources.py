"""Sources verify what their senders sign, and refuse everything else."""

import copy
import hmac
import json
import pickle
from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from taskflow.definition.webhooks.challenge import Challenge, Subscription
from taskflow.definition.webhooks.presets import GitHub, Linear, Slack, Stripe
from taskflow.definition.webhooks.request import Reply, WebhookRequest
from taskflow.definition.webhooks.secrets import env
from taskflow.definition.webhooks.shared import GitLab, SecretUrl, SharedSecret
from taskflow.definition.webhooks.signed import Hmac
from taskflow.definition.webhooks.source import Source, VerifiedDelivery
from taskflow.definition.webhooks.standard import StandardWebhooks
from taskflow.errors import DefinitionError, TaskflowError, WebhookBodyError, WebhookVerificationError
from tests.support.webhook_senders import SENDERS, attacks, request_of, source_of, vectors

pytestmark = pytest.mark.unit
NOW = 1_700_000_000.0
VECTORS = [pytest.param(each, id=f"{each['preset']}-{number}") for number, each in enumerate(vectors())]
SIGNED = [each for each in VECTORS if "gitlab" not in str(each.id)]  # its token signs nothing
TIMED = [each for each, vector in zip(VECTORS, vectors(), strict=True) if vector["now"] is not None]


def _verify(source: Source, request: WebhookRequest, now: float = NOW) -> None:
    source.verify(request, source.secrets(), now)


def _verified(source: Source, request: WebhookRequest) -> object:
    _verify(source, request)
    return source.read(request, ())


def _time(vector: Mapping[str, Any]) -> float:
    return float(vector["now"] or NOW)


@pytest.mark.parametrize("vector", VECTORS)
def test_a_source_verifies_what_its_sender_signs(vector: dict[str, Any]) -> None:
    """The vectors are published ones, or made by the documented algorithms."""
    source = source_of(vector)
    _verify(source, request_of(vector), _time(vector))
    reply = vector.get("reply")
    if reply:
        answer = source.read(request_of(vector), source.secrets())
        assert answer == Reply(reply["body"].encode(), reply["content_type"])


@pytest.mark.parametrize("vector", SIGNED)
def test_a_source_refuses_a_changed_body(vector: dict[str, Any]) -> None:
    """One bit is enough."""
    changed = bytearray(request_of(vector).body)
    changed[-1] ^= 1
    with pytest.raises((WebhookVerificationError, WebhookBodyError)):
        _verify(source_of(vector), request_of(vector, body=bytes(changed)), _time(vector))


@pytest.mark.parametrize("vector", VECTORS)
def test_a_source_refuses_another_secret(vector: dict[str, Any]) -> None:
    """Also one of the right form, and none."""
    secret = vector["secret"]
    other = secret[:-6] + ("AAAA" if "AAAA" not in secret else "BBBB") + secret[-2:] if len(secret) > 8 else "other"
    for secrets in ([other], [], [""]):
        with pytest.raises(WebhookVerificationError):
            source_of(vector).verify(request_of(vector), secrets, _time(vector))


@pytest.mark.parametrize("vector", TIMED)
def test_a_source_with_a_timestamp_refuses_an_old_delivery(vector: dict[str, Any]) -> None:
    """A recorded delivery is not accepted again 301 s later, nor 301 s before."""
    for late in (-301, 301):
        with pytest.raises(WebhookVerificationError):
            _verify(source_of(vector), request_of(vector), _time(vector) + late)


@pytest.mark.parametrize("vector", VECTORS)
def test_any_of_two_secrets_verifies(vector: dict[str, Any]) -> None:
    """While a secret is rotated, both count, in either order."""
    source, now = source_of(vector), _time(vector)
    for secrets in (["whsec_bm5ubm5ubm5ubm5ubm5ubm5ubm5u", vector["secret"]], [vector["secret"], "00" * 32]):
        source.verify(request_of(vector), secrets, now)


@pytest.mark.parametrize("attack", [pytest.param(each, id=each["name"]) for each in attacks() if "secrets" in each])
def test_an_attack_is_refused_as_the_vectors_say(attack: dict[str, Any]) -> None:
    """401 means that verification refuses it, 400 that only the body is wrong."""
    source, status = source_of(attack), 200
    try:
        source.verify(request_of(attack), source.secrets(), attack["now"])
        source.read(request_of(attack), source.secrets())
    except WebhookVerificationError:
        status = 401
    except WebhookBodyError:
        status = 400
    assert status == attack["status"]


@pytest.mark.parametrize("sender", sorted(SENDERS))
def test_no_text_of_a_source_has_its_secret(sender: str) -> None:
    """Neither its repr, nor the error that refuses a delivery, nor one of a wrong declaration."""
    secret = "whsec_c2VjcmV0c2VjcmV0c2VjcmV0c2VjcmV0"
    source = SENDERS[sender](secret)
    request = WebhookRequest("POST", "https://x.example/?a=b", [], b"{}")
    with pytest.raises(TaskflowError) as refused:
        source.verify(request, source.secrets(), NOW)
    texts = [repr(source), str(vars(source)), str(refused.value), repr(vars(refused.value))]
    assert not [text for text in texts if "c2VjcmV0" in text]


def test_what_a_source_signs_it_verifies() -> None:
    """``webhooks send`` makes deliveries that the source accepts."""
    secrets = {"standard": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "svix": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"}
    for name in SENDERS.keys() - {"discord", "sendgrid"}:
        secret = secrets.get(name, "a secret")
        source = SENDERS[name](secret)
        body = source.fresh_body(b'{"a":1,"webhookTimestamp":5}', NOW)
        bare = WebhookRequest("POST", "https://x.example/hook", [(b"webhook-id", b"x1")], body)
        if name == "twilio":
            bare = replace(bare, body=b"A=1&B=2")
        signed = [(key.lower().encode(), value.encode()) for key, value in source.sign(bare, secret, NOW).items()]
        _verify(source, replace(bare, headers=[*bare.headers, *signed]))


def test_a_public_key_cannot_sign() -> None:
    """The error says why a delivery cannot be made by hand."""
    source = SENDERS["discord"]("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a")
    with pytest.raises(WebhookVerificationError, match="public key"):
        source.sign(WebhookRequest("POST", "https://x", [], b"{}"), source.secrets()[0], NOW)


def test_a_header_that_occurs_twice_is_refused() -> None:
    """Readers would differ on which of them counts."""
    vector = next(each for each in vectors() if each["preset"] == "github" and "zen" in each["body"])
    request = request_of(vector)
    for name in (b"x-hub-signature-256", b"x-github-delivery"):
        doubled = replace(request, headers=[*request.headers, (name, b"other")])
        source = source_of(vector)
        with pytest.raises(WebhookVerificationError, match="occurs 2 times"):
            _verified(source, doubled)


def test_the_timestamp_of_stripe_counts_once() -> None:
    """With two, a library that takes the first would verify one and check the other."""
    vector = next(each for each in vectors() if each["preset"] == "stripe")
    header = vector["headers"]["Stripe-Signature"]
    with pytest.raises(WebhookVerificationError, match="2 timestamps"):
        _verify(source_of(vector), request_of({**vector, "headers": {"Stripe-Signature": f"t=1,{header}"}}))


def test_secrets_come_from_text_a_list_the_environment_or_a_function(monkeypatch: pytest.MonkeyPatch) -> None:
    """They are read at each delivery, so that a rotation needs no restart."""
    assert Stripe("one").secrets() == ("one",)
    assert Stripe(["one", "", "two"]).secrets() == ("one", "two")
    assert Stripe().secrets(["configured"]) == ("configured",)
    assert Stripe("own").secrets(["configured"]) == ("own",)
    fromenv = Stripe(env("HOOK_NEW", "HOOK_OLD"))
    assert fromenv.secrets() == ()
    monkeypatch.setenv("HOOK_OLD", "old")
    assert fromenv.secrets() == ("old",)
    monkeypatch.setenv("HOOK_NEW", "new")
    assert fromenv.secrets() == ("new", "old")
    called = Stripe(lambda: ["from a function"])
    assert called.secrets() == ("from a function",)
    assert called.reads_secrets_slowly
    assert not fromenv.reads_secrets_slowly


@pytest.mark.parametrize("given", [b"bytes", 5, ["a", 1], {"a": "b"}])
def test_a_secret_that_is_no_text_is_refused_at_import(given: Any) -> None:
    """The message does not show it."""
    with pytest.raises(DefinitionError, match="secret is text") as refused:
        Stripe(given)
    assert "bytes" not in str(refused.value)


def test_an_event_has_its_type_and_id() -> None:
    """Each source names its own place."""

    def read(source: Source, body: object, **headers: str) -> tuple[tuple[str, ...], str]:
        pairs = [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]
        found = source.read(WebhookRequest("POST", "https://x", pairs, json.dumps(body).encode()), ())
        assert isinstance(found, VerifiedDelivery)
        return found.event_types, found.id

    named = {"x_github_event": "issues", "x_github_delivery": "d1"}
    assert read(GitHub(), {"action": "opened"}, **named) == (("issues.opened", "issues"), "d1")
    assert read(GitHub(), {}, x_github_event="push", x_github_delivery="d2") == (("push",), "d2")
    assert read(Stripe(), {"id": "evt_1", "type": "invoice.paid"}) == (("invoice.paid",), "evt_1")
    assert read(Slack(), {"event_id": "Ev1", "type": "event_callback", "event": {"type": "app_mention"}})[0] == (
        "app_mention",
    )
    assert read(Linear(), {"action": "create"}, linear_event="Issue", linear_delivery="l") == (
        ("Issue.create", "Issue"),
        "l",
    )
    assert read(StandardWebhooks(), {"type": "user.created"}, svix_id="m1") == (("user.created",), "m1")
    own = Hmac(header="X-Sig", id_field="meta.id", event_field="meta.kind")
    assert read(own, {"meta": {"id": 7, "kind": "made"}}) == (("made",), "7")


def test_a_delivery_without_id_has_a_digest() -> None:
    """Of its signature and body: a repeated request has the same, another one has not."""
    source = Hmac(header="X-Sig")

    def id_of(body: bytes, signature: bytes) -> str:
        found = source.read(WebhookRequest("POST", "https://x", [(b"x-sig", signature)], body), ())
        assert isinstance(found, VerifiedDelivery)
        return found.id

    assert id_of(b"{}", b"1") == id_of(b"{}", b"1")
    assert len({id_of(b"{}", b"1"), id_of(b"[]", b"1"), id_of(b"{}", b"2")}) == 3


def test_forms_are_read() -> None:
    """GitHub and Slack may send JSON in a form's field; Slack's commands are plain forms."""

    def read(source: Source, body: bytes) -> VerifiedDelivery:
        headers = [(b"content-type", b"application/x-www-form-urlencoded; charset=utf-8")]
        found = source.read(WebhookRequest("POST", "https://x", headers, body), ())
        assert isinstance(found, VerifiedDelivery)
        return found

    assert read(GitHub(), b"payload=%7B%22a%22%3A1%7D").body == {"a": 1}
    assert read(Slack(), b"command=%2Fdeploy&text=a&text=b").body == {"command": "/deploy", "text": ["a", "b"]}
    assert read(Slack(), b"command=%2Fdeploy").event_type == "/deploy"
    with pytest.raises(WebhookBodyError):
        read(GitHub(), b"payload=no json")
    with pytest.raises(WebhookBodyError):
        read(GitHub(), b"\xff=1")


def test_only_allowed_headers_are_kept() -> None:
    """The signature, a token and what may name a person's session are in no record."""
    headers = [
        (b"x-github-event", b"push"),
        (b"x-github-hook-id", b"1"),
        (b"x-hub-signature-256", b"sha256=00"),
        (b"authorization", b"Bearer x"),
        (b"cookie", b"a=b"),
        (b"user-agent", b"GitHub-Hookshot"),
        (b"x-forwarded-for", b"1.2.3.4"),
    ]
    found = GitHub().read(WebhookRequest("POST", "https://x", headers, b"{}"), ())
    assert isinstance(found, VerifiedDelivery)
    assert found.headers == {"x-github-event": "push", "x-github-hook-id": "1", "user-agent": "GitHub-Hookshot"}
    gitlab = GitLab().read(WebhookRequest("POST", "https://x", [(b"x-gitlab-token", b"s")], b"{}"), ())
    assert isinstance(gitlab, VerifiedDelivery)
    assert gitlab.headers == {}
    with pytest.raises(DefinitionError, match="cannot be kept"):
        Hmac(header="X-Sig", keep_headers=["X-Sig"])


def test_a_shared_secret_may_have_a_prefix() -> None:
    """As in Authorization: Bearer."""
    source = SharedSecret("s3cret", header="Authorization", prefix="Bearer ")
    _verify(source, WebhookRequest("POST", "https://x", [(b"authorization", b"Bearer s3cret")], b"{}"))
    for wrong in (b"s3cret", b"Bearer s3cret ", b"bearer s3cret", b"Bearer \xe9"):
        with pytest.raises(WebhookVerificationError):
            _verify(source, WebhookRequest("POST", "https://x", [(b"authorization", wrong)], b"{}"))


def test_a_gitlab_signing_token_excludes_the_plain_one() -> None:
    """Else an attacker could choose the weaker way."""
    secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    source = GitLab(secret)
    bare = WebhookRequest("POST", "https://x", [(b"webhook-id", b"1")], b"{}")
    signed = [(key.encode(), value.encode()) for key, value in source.sign(bare, secret, NOW).items()]
    _verify(source, replace(bare, headers=[*bare.headers, *signed]))
    with pytest.raises(WebhookVerificationError):
        _verify(source, replace(bare, headers=[(b"x-gitlab-token", secret.encode())]))


def test_a_secret_url_may_have_a_secret_in_its_query() -> None:
    """Without one the address itself is the secret; with one it must be there, once."""
    _verify(SecretUrl(), WebhookRequest("POST", "https://x/hook", [], b"{}"))
    source = SecretUrl(["new", "old"])
    for query in ("secret=new", "secret=old"):
        _verify(source, WebhookRequest("POST", f"https://x/hook?{query}", [], b"{}"))
    for query in ("", "secret=", "secret=other", "secret=new&secret=other", "token=new"):
        with pytest.raises(WebhookVerificationError):
            _verify(source, WebhookRequest("POST", f"https://x/hook?{query}", [], b"{}"))
    for none in ([], [""]):
        with pytest.raises(WebhookVerificationError):
            _verify(SecretUrl(none), WebhookRequest("POST", "https://x/hook?secret=", [], b"{}"))


def test_a_subscription_by_get_needs_its_token() -> None:
    """Else the address would echo what anybody sends."""
    source = SENDERS["meta"]("s")

    def answer(query: str) -> Reply | None:
        return source.subscribed(WebhookRequest("GET", f"https://x/hook?{query}", [], b""))

    asked = "hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token"
    assert answer(f"{asked}=the+token") == Reply(b"1158201444", "text/plain")
    assert answer(f"{asked}=other") is None
    assert answer("hub.challenge=1&hub.verify_token=the+token&hub.verify_token=x") is None
    assert answer("hub.challenge=%3Cscript%3E&hub.verify_token=the+token") is None
    assert (
        Hmac(header="X", subscription=Subscription("")).subscribed(
            WebhookRequest("GET", "https://x/?hub.challenge=1&hub.verify_token=", [], b"")
        )
        is None
    )


def test_zoom_is_answered_with_a_digest_of_its_token() -> None:
    """Its check of an address wants the HMAC of a text of the body."""
    source = SENDERS["zoom"]("zoom_secret")
    body = b'{"event":"endpoint.url_validation","payload":{"plainToken":"abc"}}'
    reply = source.read(WebhookRequest("POST", "https://x", [], body), ("zoom_secret",))
    assert isinstance(reply, Reply)
    expected = hmac.new(b"zoom_secret", b"abc", "sha256").hexdigest()
    assert json.loads(reply.body) == {"plainToken": "abc", "encryptedToken": expected}


@pytest.mark.parametrize(
    "options",
    [
        {"algorithm": "md5"},
        {"encoding": "base32"},
        {"signed": "{timestamp}"},
        {"signed": "{timestamp}.{body}"},
        {"signed": "{id}.{body}"},
        {"signed": "{body}{nothing}"},
        {"signed": "{body"},
        {"timestamp_header": "X-Time"},
        {"timestamp_header": "X-Time", "timestamp_item": "t="},
        {"timestamp_field": "a..b"},
        {"tolerance": "soon"},
        {"tolerance": -1},
        {"unit": "us"},
        {"header": ""},
    ],
)
def test_a_scheme_that_proves_nothing_is_refused_at_import(options: dict[str, Any]) -> None:
    """For example a timestamp that is not signed."""
    declare: Any = partial(Hmac, "s", header="X-Sig")
    with pytest.raises(DefinitionError):
        declare(**options)


def test_numbers_that_json_cannot_carry_are_refused() -> None:
    """1e999 would be read as infinity."""
    too_large = (b'{"a":1e999}', b"1E+0400", b"-1.5e309", b"9" * 400 + b".5")
    for body in (*too_large, b"[" * 100_000, b'{"a":-Infinity}', b"\xff\xfe{}", b""):
        with pytest.raises(WebhookBodyError) as refused:
            GitHub().read(WebhookRequest("POST", "https://x", [], body), ())
        assert "Infinity" not in str(refused.value)


def test_a_challenge_needs_the_exact_value() -> None:
    """True is not 1."""
    assert Challenge("type", 1, {"type": 1}).answer({"type": True}, b"") is None
    assert Challenge("type", 1, {"type": 1}).answer({"type": 1}, b"") == Reply(b'{"type":1}', "application/json")


def test_errors_of_webhooks_have_their_reason() -> None:
    """It has no value of the delivery, and outlives pickling."""
    error = WebhookVerificationError("no signature matches")
    assert pickle.loads(pickle.dumps(error)).reason == copy.copy(error).reason == "no signature matches"
