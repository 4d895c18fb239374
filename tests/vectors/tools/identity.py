"""Makes the vectors of sign-in, KYC, e-signature and AI providers that Python code can make.

    pip install cryptography==50.0.2 PyJWT==2.15.1 freezegun==1.5.5 Flask==3.1.3 \
        standardwebhooks==1.1.0 svix==2.9.1 workos==10.8.0 castle==7.3.0 onfido-python==6.2.0 boldsign==3.3.4 dropbox-sign==2.0.0 \
        anthropic==2.13.0 openai==3.57.0 replicate==1.0.7 elevenlabs==2.78.0 retell-sdk==6.2.13
    python identity.py [DOCUSIGN]

DOCUSIGN is a checkout of github.com/docusign/code-examples-python at commit 868209074b8a; without it, its vectors stay as they are.
Vectors that are not made here (published ones) stay in their files. Everything is fixed: a second run changes nothing.
"""

import base64
import hashlib
import hmac
import importlib.util
import json
import logging
import pathlib
import sys
from datetime import datetime, timezone
from unittest import mock

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key
from freezegun import freeze_time

FILES = pathlib.Path(__file__).resolve().parent.parent


def put(provider, documentation, vectors):
    """Adds vectors to a provider's file, or replaces those of the same name."""
    path = FILES / f"{provider}.json"
    old = json.loads(path.read_text())["vectors"] if path.exists() else []
    new = {vector["name"]: vector for vector in vectors}
    merged = [new.pop(vector["name"], vector) for vector in old] + list(new.values())
    text = json.dumps({"provider": provider, "documentation": documentation, "vectors": merged}, indent=2, ensure_ascii=False)
    path.write_text(text + "\n")


def vector(name, origin, source, secret, provider, headers, body, now, expect="valid", id=None, event=None, **more):
    return {
        "name": name,
        "origin": origin,
        "source": source,
        **({"secret": secret} if secret is not None else {}),
        **{key: more[key] for key in ("keys", "parameters") if key in more},
        "method": "POST",
        "url": f"https://hooks.example.com/{provider}" + more.get("query", ""),
        "headers": headers if "type" not in more else {"Content-Type": more["type"], **headers},
        "body": body,
        "now": now,
        "expect": expect,
        "id": id if expect == "valid" else None,
        "event": event if expect == "valid" else None,
    }


def derived(base, name, expect, source, **changes):
    """An invalid vector: another one with something changed."""
    assert expect.startswith("invalid: ")
    return {**base, "name": name, "source": source, **changes, "expect": expect, "id": None, "event": None}


def mac(secret, content, algorithm=hashlib.sha256):
    return hmac.new(secret if isinstance(secret, bytes) else secret.encode(), content.encode(), algorithm)


def accepts(check):
    """The verdict of code that raises, or says False, if it does not like a request."""
    try:
        return check() is not False
    except Exception:
        return False


# Keys that sign here. They protect nothing: RSA and Ed25519 test keys of RFC 9421 (appendices B.1.1 and B.1.4).
ED25519 = Ed25519PrivateKey.from_private_bytes(base64.urlsafe_b64decode("n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU="))
ED25519_PEM = ED25519.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def rsa():
    path = pathlib.Path(__file__).with_name("rfc9421-test-key-rsa.pem")
    key = load_pem_private_key(path.read_bytes(), None)
    return key, key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


JSON = "application/json"
STANDARD = "https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"


def standard_webhooks_family():
    """Providers whose SDKs check Standard Webhooks, and the two variants with Ed25519."""
    import anthropic
    import openai
    import replicate
    from standardwebhooks import Webhook
    from replicate.webhook import WebhookSigningSecret, Webhooks

    claude = anthropic.Anthropic(api_key="-")
    gpt = openai.OpenAI(api_key="-")

    def anthropic_accepts(secret, headers, body, now):
        with freeze_time(datetime.fromtimestamp(now, timezone.utc)):
            return accepts(lambda: claude.beta.webhooks.unwrap(body, headers=headers, key=secret))

    def openai_accepts(secret, headers, body, now):
        with freeze_time(datetime.fromtimestamp(now, timezone.utc)):
            return accepts(lambda: gpt.webhooks.verify_signature(body, headers, secret=secret))

    def replicate_accepts(secret, headers, body, now):
        with freeze_time(datetime.fromtimestamp(now, timezone.utc)):
            return accepts(lambda: Webhooks.validate(headers=headers, body=body, secret=WebhookSigningSecret(key=secret), tolerance=300))

    def standard_accepts(secret, headers, body, now):
        with freeze_time(datetime.fromtimestamp(now, timezone.utc)):
            return accepts(lambda: Webhook(secret).verify(body, headers))

    made = "Signed with standardwebhooks 1.1.0 (PyPI)"
    for provider, documentation, check, origin, verdict, secret, id, time, body, event in [
        (
            "anthropic",
            ["https://platform.claude.com/docs/en/managed-agents/webhooks", "https://platform.claude.com/docs/en/api/beta/webhooks/unwrap"],
            anthropic_accepts,
            "official-code",
            "verdict of Anthropic().beta.webhooks.unwrap of anthropic 2.13.0 (PyPI)",
            "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
            "wevt_01Jq7Zr8vXw2",
            1767225600,
            [
                '{"type":"event","id":"wevt_01Jq7Zr8vXw2","created_at":"2026-01-01T00:00:00Z","data":{"type":"session.status_idled","id":"sesn_01","organization_id":"org_01","workspace_id":"wrkspc_01"}}',
                '{"type": "event", "id": "wevt_01Jq7Zr8vXw2", "created_at": "2026-01-01T00:00:00Z", "data": {"type": "session.created", "id": "sesn_01", "note": "Zoë ♥"}}',
            ],
            ["session.status_idled", "session.created"],
        ),
        (
            "openai",
            ["https://platform.openai.com/docs/guides/webhooks", "https://github.com/openai/openai-python/blob/main/src/openai/lib/_webhooks.py"],
            openai_accepts,
            "official-code",
            "verdict of OpenAI().webhooks.verify_signature of openai 3.57.0 (PyPI)",
            "whsec_RdvaYFYUXuIFuEbvZHwMfYFhUf7aMYjYcmM24+Aj40c=",
            "wh_685c059ae39c8190af8c71ed1022a24d",
            1750861210,
            [
                '{"id": "evt_685c059ae3a481909bdc86819b066fb6", "object": "event", "created_at": 1750861210, "type": "batch.completed", "data": {"id": "batch_123"}}',
                '{"id":"evt_685c059ae3a481909bdc86819b066fb6","object":"event","created_at":1750861210,"type":"realtime.call.incoming","data":{"call_id":"rtc_1","from":"Łódź ♥"}}',
            ],
            ["batch.completed", "realtime.call.incoming"],
        ),
        (
            "replicate",
            ["https://replicate.com/docs/topics/webhooks/verify-webhook", "https://github.com/replicate/replicate-python/blob/main/replicate/webhook.py"],
            replicate_accepts,
            "official-code",
            "verdict of Webhooks.validate of replicate 1.0.7 (PyPI) with a tolerance of 300 s",
            "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD",
            "msg_2mPzvqkr4Yt7ssqPBoZaKKP8rBE",
            1727000000,
            [
                '{"id":"ufawqhfynnddngldkgtslldrkq","model":"replicate/hello-world","version":"5c7d5dc6","status":"succeeded","input":{"text":"Alice"},"output":"hello Alice"}',
                '{"id":"ufawqhfynnddngldkgtslldrkq","status":"failed","input":{"prompt":"un café à Łódź ♥"},"error":"NSFW"}',
            ],
            [None, None],
        ),
        (
            "supabase-auth-hooks",
            ["https://supabase.com/docs/guides/auth/auth-hooks", "https://github.com/supabase/auth/blob/master/internal/crypto/crypto.go"],
            standard_accepts,
            "computed",
            "verdict of the same library, which Supabase's documentation refers to; contents of the documented shape, ours",
            "whsec_8jE3v1Q0p2u4y6w8A0C2E4G6I8K0M2O4Q6S8U0W2Y4Y=",
            "0f1c2d3e-4b5a-4978-8f90-a1b2c3d4e5f6",
            1727000000,
            [
                '{"user":{"id":"8484b834-f29e-4af2-bf42-80644d154f76","phone":"+12345678910"},"sms":{"otp":"561166"}}',
                '{"user":{"id":"8484b834-f29e-4af2-bf42-80644d154f76","email":"zoe@example.com","user_metadata":{"name":"Zoë ♥"}},"email_data":{"token":"305805"}}',
            ],
            [None, None],
        ),
        (
            "signatureapi",
            ["https://signatureapi.com/docs/api/guides/how-to/verify-webhooks", "https://signatureapi.com/docs/api/webhooks"],
            standard_accepts,
            "computed",
            "verdict of the same library, which SignatureAPI's documentation refers to; contents of the documented shape, ours",
            "whsec_9kE3v1Q0p2u4y6w8A0C2E4G6I8K0M2O4Q6S8U0W2Y4Y=",
            "msg_2sVx8Qm4Lr1TnKp7WcYhZbJd3Fg",
            1767225600,
            [
                '{"id":"evt_4p2oouvNvjp1I9ckgqycH2","type":"recipient.completed","timestamp":"2025-12-31T23:59:59.999Z","data":{"envelope_id":"e387553d-cbb7-4924-abd8-b2d89699e9b5","object_id":"re_7v7Sion0vqjJioYmwfZ9mf","object_type":"recipient"}}',
                '{"id":"evt_4p2oouvNvjp1I9ckgqycH3","type":"envelope.completed","timestamp":"2025-12-31T23:59:59.999Z","data":{"envelope_metadata":{"customer":"Zoë Łoś ♥"}}}',
            ],
            ["recipient.completed", "envelope.completed"],
        ),
    ]:
        source = f"{made}, {verdict}; contents ours." if origin == "official-code" else f"{made}, {verdict}."
        vectors = []
        for index, (text, kind) in enumerate(zip(body, event)):
            signature = Webhook(secret).sign(id, datetime.fromtimestamp(time, timezone.utc), text)
            headers = {"webhook-id": id, "webhook-timestamp": str(time), "webhook-signature": signature}
            assert check(secret, headers, text, time + index * 100)
            name = ["one signature", "body with non-ASCII text"][index]
            vectors.append(vector(name, origin, source, secret, provider, headers, text, time + index * 100, id=id, event=kind, type=JSON))
        base = vectors[0]
        old = Webhook("whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYX").sign(id, datetime.fromtimestamp(time, timezone.utc), body[0])
        if provider == "supabase-auth-hooks":
            vectors.append({**base, "name": "secret as Supabase shows it", "secret": "v1," + secret})
        rolled = {**base["headers"], "webhook-signature": f"{old} {base['headers']['webhook-signature']}"}
        assert check(secret, rolled, body[0], time)
        vectors.append({**base, "name": "two signatures, the second one by our secret", "headers": rolled})
        for name, expect, changes in [
            ("body changed by one blank", "invalid: signature mismatch", {"body": body[0] + " "}),
            ("another id", "invalid: signature mismatch", {"headers": {**base["headers"], "webhook-id": id + "0"}}),
            ("301 s old", "invalid: stale", {"now": time + 301}),
            ("no signature", "invalid: missing signature", {"headers": {k: v for k, v in base["headers"].items() if k != "webhook-signature"}}),
        ]:
            bad = derived(base, name, expect, f"Derived; refused: {verdict}.", **changes)
            assert not check(secret, bad["headers"], bad["body"], bad["now"])
            vectors.append(bad)
        put(provider, documentation, vectors)

    from svix.webhooks import Webhook as Svix

    def svix_accepts(v):
        with freeze_time(datetime.fromtimestamp(v["now"], timezone.utc)):
            return accepts(lambda: Svix(v["secret"]).verify(v["body"], v["headers"]))

    secret, id, time = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD", "msg_2mPzvqkr4Yt7ssqPBoZaKKP8rBF", 1727000000
    bodies = [
        '{"project_id":"project-live-123","event_id":"event-live-123","action":"CREATE","object_type":"organization","source":"DASHBOARD","id":"organization-live-123","timestamp":"2024-09-22T10:13:20Z"}',
        '{"project_id":"project-live-123","event_id":"event-live-124","action":"UPDATE","object_type":"member","source":"DIRECT","id":"member-live-1","member":{"name":"Zoë Łoś ♥"}}',
    ]
    source = "Signed with svix 2.9.1 (PyPI), which Stytch's documentation refers to and which accepts it; contents of the documented shape, ours."
    vectors = []
    for name, body in zip(["organization created", "body with non-ASCII text"], bodies):
        signature = Svix(secret).sign(id, datetime.fromtimestamp(time, timezone.utc), body)
        headers = {"svix-id": id, "svix-timestamp": str(time), "svix-signature": signature}
        vectors.append(vector(name, "computed", source, secret, "stytch", headers, body, time + 60, id=id, type=JSON))
    base, bad = vectors[0], "Derived; refused by svix 2.9.1 (PyPI)."
    vectors += [
        derived(base, "body changed by one blank", "invalid: signature mismatch", bad, body=base["body"] + " "),
        derived(base, "another secret", "invalid: signature mismatch", bad, secret="whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
        derived(base, "301 s old", "invalid: stale", bad, now=time + 301),
        derived(base, "no id", "invalid: missing id", bad, headers={k: v for k, v in base["headers"].items() if k != "svix-id"}),
    ]
    for v in vectors:
        assert svix_accepts(v) == (v["expect"] == "valid"), v["name"]
    put("stytch", ["https://stytch.com/docs/b2b/guides/webhooks", "https://docs.svix.com/receiving/verifying-payloads/how-manual"], vectors)

    key = "whpk_" + base64.b64encode(ED25519.public_key().public_bytes_raw()).decode()
    for provider, prefix, documentation in [
        ("standard-webhooks-ed25519", "webhook-", [STANDARD]),
        ("svix-ed25519", "svix-", ["https://docs.svix.com/receiving/verifying-payloads/how-manual", STANDARD]),
    ]:
        id, time = "msg_2KWPBgLlAfxdpx2AI54pPJ85f4W", 1674087231
        body = '{"type":"contact.created","timestamp":"2022-11-03T20:26:10.344522Z","data":{"name":"Zoë ♥"}}'
        signature = "v1a," + base64.b64encode(ED25519.sign(f"{id}.{time}.{body}".encode())).decode()
        headers = {prefix + "id": id, prefix + "timestamp": str(time), prefix + "signature": signature}
        source = "Signed with cryptography 50.0.2 (PyPI), as the specification says; Ed25519 test key of RFC 9421, appendix B.1.4; body of the specification's shape."
        base = vector("body with non-ASCII text", "computed", source, key, provider, headers, body, time, id=id, event="contact.created", type=JSON)
        symmetric = {**base["headers"], prefix + "signature": "v1,K5oZfzN95Z9UVu1EsfQmfVNQhnkZ2pj9o9NDN/H/pI4= " + signature}
        only = {**base["headers"], prefix + "signature": "v1," + signature[4:]}
        put(provider, documentation, [
            base,
            {**base, "name": "signature of the other kind before it", "headers": symmetric},
            derived(base, "body changed by one blank", "invalid: signature mismatch", "Derived.", body=body + " "),
            derived(base, "said to be of the symmetric kind", "invalid: no signature of a known version", "Derived.", headers=only),
            derived(base, "301 s old", "invalid: stale", "Derived.", now=time + 301),
        ])


def workos():
    from workos.webhooks._verification import verify_header

    def check(v):
        signature = v["headers"].get("WorkOS-Signature")
        with freeze_time(datetime.fromtimestamp(v["now"], timezone.utc)):
            return accepts(lambda: verify_header(event_body=v["body"].encode(), event_signature=signature, secret=v["secret"]))

    secret, time = "1lyKDzhJjuCkIscIWqkSe4YsQ", 1727000000123
    body = '{"id":"event_01J8ABCDEF","data":{"object":"user","id":"user_01J8","first_name":"Zoë","last_name":"Łoś"},"event":"user.created","created_at":"2024-09-22T10:13:20.100Z"}'
    headers = {"WorkOS-Signature": f"t={time}, v1={mac(secret, f'{time}.{body}').hexdigest()}"}
    source = "Computed with Python hmac by the documented formula; verdict of verify_header of workos 10.8.0 (PyPI); contents ours."
    base = vector("body with non-ASCII text", "official-code", source, secret, "workos", headers, body, 1727000100, id="event_01J8ABCDEF", event="user.created", type=JSON)
    bad = "Derived; refused by verify_header of workos 10.8.0 (PyPI)."
    vectors = [
        base,
        {**base, "name": "179 s old", "now": 1727000179},
        derived(base, "181 s old", "invalid: stale", bad, now=1727000181),
        derived(base, "body changed by one blank", "invalid: signature mismatch", bad, body=body + " "),
        derived(base, "another secret", "invalid: signature mismatch", bad, secret="another secret"),
        derived(base, "no signature", "invalid: missing signature", bad, headers={"Content-Type": JSON}),
    ]
    for v in vectors:
        assert check(v) == (v["expect"] == "valid"), v["name"]
    put("workos", ["https://workos.com/docs/events/data-syncing/webhooks"], vectors)


def castle():
    from types import SimpleNamespace
    from castle.webhooks.verify import WebhooksVerify

    logging.disable()

    def check(v):
        request = SimpleNamespace(headers=v["headers"], data=v["body"].encode())
        return accepts(lambda: WebhooksVerify.call(request, SimpleNamespace(api_secret=v["secret"])))

    secret = "9c1185a5c5e9fc54612808977ee8f548"
    body = '{"api_version":"v1","app_id":"382395555537961","type":"$policy.matched","created_at":"2024-09-22T10:13:20.100Z","data":{"id":"MTIzNDU","user_traits":{"name":"Zoë Łoś ♥"}}}'
    signature = WebhooksVerify._compute_signature(SimpleNamespace(data=body.encode()), secret)
    source = "Computed by WebhooksVerify of castle 7.3.0 (PyPI), which also accepts it; contents ours."
    base = vector("body with non-ASCII text", "official-code", source, secret, "castle", {"X-Castle-Signature": signature}, body, None, event="$policy.matched", type=JSON)
    bad = "Derived; refused by WebhooksVerify of castle 7.3.0 (PyPI)."
    vectors = [
        base,
        derived(base, "body changed by one blank", "invalid: signature mismatch", bad, body=body + " "),
        derived(base, "another secret", "invalid: signature mismatch", bad, secret="another secret"),
    ]
    for v in vectors:
        assert check(v) == (v["expect"] == "valid"), v["name"]
    put("castle", ["https://docs.castle.io/docs/webhooks", "https://github.com/castle/castle-python"], vectors)


def onfido():
    from onfido.webhook_event_verifier import WebhookEventVerifier

    def check(v):
        return accepts(lambda: WebhookEventVerifier(v["secret"]).read_payload(v["body"], v["headers"].get("X-SHA2-Signature")))

    secret = "wU99mE6jJ7nXOLFwZ0tJymM1lpI15pZh"
    body = '{"payload":{"resource_type":"workflow_run","action":"workflow_run.completed","object":{"id":"c8a2b1d0-3f4e-4a5b-9c6d-7e8f90a1b2c3","status":"approved","completed_at_iso8601":"2024-04-04T09:21:21Z","href":"https://api.eu.onfido.com/v3.6/workflow_runs/c8a2b1d0"},"resource":{"applicant_name":"Zoë Łoś"}}}'
    headers = {"X-SHA2-Signature": mac(secret, body).hexdigest()}
    source = "Computed with Python hmac by the documented formula; verdict of WebhookEventVerifier of onfido-python 6.2.0 (PyPI); contents ours."
    base = vector("body with non-ASCII text", "official-code", source, secret, "onfido", headers, body, None, event="workflow_run.completed", type=JSON)
    bad = "Derived; refused by WebhookEventVerifier of onfido-python 6.2.0 (PyPI)."
    vectors = [
        base,
        derived(base, "body changed by one blank", "invalid: signature mismatch", bad, body=body + " "),
        derived(base, "signature in upper case", "invalid: signature is not lower-case hexadecimal", bad, headers={"Content-Type": JSON, "X-SHA2-Signature": headers["X-SHA2-Signature"].upper()}),
        derived(base, "no signature", "invalid: missing signature", bad, headers={"Content-Type": JSON}),
    ]
    for v in vectors:
        assert check(v) == (v["expect"] == "valid"), v["name"]
    put("onfido", ["https://documentation.onfido.com/api/latest/#webhooks", "https://github.com/onfido/onfido-python"], vectors)


def boldsign():
    from boldsign.webhook_utility import WebhookUtility

    def check(v):
        return accepts(lambda: WebhookUtility._validate_signature(v["body"], v["headers"].get("X-BoldSign-Signature"), v["secret"], 300, v["now"]))

    def sign(secret, body):
        return WebhookUtility._generate_hmac_signature(secret, body, "1700000000")

    secret = "d0f2a4b6c8e0-4f1a-9b2c"
    body = '{"event":{"id":"e2a1f0c4-8b7d-4c3e-9f10-1122334455aa","created":1700000000,"eventType":"Signed","clientId":null,"environment":"Live"},"data":{"object":"document","documentId":"d1","messageTitle":"Vertrag für Zoë ♥"}}'
    id = "e2a1f0c4-8b7d-4c3e-9f10-1122334455aa"

    def headers(signature):
        return {"Content-Type": JSON, "X-BoldSign-Event": "Signed", "X-BoldSign-Signature": f"t=1700000000, {signature}"}

    source = "Computed by WebhookUtility of boldsign 3.3.4 (PyPI), which also accepts it; contents ours."
    base = vector("one signature", "official-code", source, secret, "boldsign", headers(f"s0={sign(secret, body)}"), body, 1700000100, id=id, event="Signed")
    bad = "Derived; refused by WebhookUtility of boldsign 3.3.4 (PyPI)."
    both = headers(f"s0={sign(secret, body)}, s1={sign('the old secret', body)}")
    vectors = [
        base,
        {**base, "name": "beside it the signature by an old secret", "headers": both},
        {**base, "name": "ours is the old secret", "secret": "the old secret", "headers": both},
        {**base, "name": "300 s old", "now": 1700000300},
        derived(base, "301 s old", "invalid: stale", bad, now=1700000301),
        derived(base, "301 s in the future", "invalid: from the future", bad, now=1699999699),
        derived(base, "another secret", "invalid: signature mismatch", bad, secret="another secret"),
        derived(base, "body changed by one blank", "invalid: signature mismatch", bad, body=body + " "),
    ]
    for v in vectors:
        assert check(v) == (v["expect"] == "valid"), v["name"]
    put("boldsign", ["https://developers.boldsign.com/webhooks/verify-webhook-events", "https://developers.boldsign.com/webhooks/introduction/"], vectors)


def multipart(text, boundary="----------------------------f5d1a2b3c4e5"):
    body = f'--{boundary}\r\nContent-Disposition: form-data; name="json"\r\n\r\n{text}\r\n--{boundary}--\r\n'
    return f"multipart/form-data; boundary={boundary}", body


def dropbox_sign():
    from dropbox_sign import EventCallbackHelper, EventCallbackRequest

    def check(secret, text):
        return accepts(lambda: EventCallbackHelper.is_valid(secret, EventCallbackRequest.init(json.loads(text))))

    secret = "324e3b0840f065eb51f3fd63231d0d33daa35d4ed10d27718839e81737065782"
    api = "github.com/hellosign/dropbox-sign-python, test_fixtures/EventCallbackHelper_AccountCallbacks.json"
    fixtures = {
        "unknown_error": "c574f5d3090c2936360b4e36cf6835cf3e2206b84fdc6347e6b28ca721ae1371",
        "account_confirmed": "6dc5b7aad93cf54915e0089d6c31d61b3833f66f51459171c69f8fa211308848",
        "signature_request_sent": "08d45a6b7677492b78be030cef18cfeaece8fe67e163cc8e526ee638ad483756",
        "template_created": "4a9b22fa68d5addb8b6313eea9d42ecb393903a4240b71503ef78e9dac6c100d",
    }
    metadata = {"related_signature_id": "ad4d8a769b555fa5ef38691465d426682bf2c992", "reported_for_account_id": "63522885f9261e2b04eea043933ee7313eb674fd"}
    vectors = []
    for kind, hash in fixtures.items():
        event = {"event_time": "1348177752", "event_type": kind, "event_hash": hash}
        if kind != "account_confirmed":
            event["event_metadata"] = metadata
        text = json.dumps({"account_guid": metadata["reported_for_account_id"], "event": event}, separators=(",", ":"))
        assert check(secret, text)
        type, body = multipart(text)
        source = f"Published in {api}; put into a form by us, as deliveries come; accepted by EventCallbackHelper of dropbox-sign 2.0.0 (PyPI)."
        vectors.append(vector(f"fixture {kind}", "published", source, secret, "dropbox-sign", {"Content-Type": type}, body, None, event=kind))

    def made(kind, secret, hash=None):
        hash = hash or mac(secret, "1727000000" + kind).hexdigest()
        return json.dumps({"event": {"event_time": "1727000000", "event_type": kind, "event_hash": hash, "event_metadata": {}}, "signature_request": {"title": "Mietvertrag für Zoë ♥"}}, ensure_ascii=False)

    text = made("signature_request_signed", secret)
    assert check(secret, text)
    type, body = multipart(text)
    source = "Computed with Python hmac by the documented formula; verdict of EventCallbackHelper of dropbox-sign 2.0.0 (PyPI); contents ours."
    base = vector("form with non-ASCII text", "official-code", source, secret, "dropbox-sign", {"Content-Type": type}, body, None, event="signature_request_signed")
    bad = "Derived; refused by EventCallbackHelper of dropbox-sign 2.0.0 (PyPI)."
    other = made("signature_request_canceled", secret, mac(secret, "1727000000signature_request_signed").hexdigest())
    assert not check(secret, other) and not check(secret[::-1], text)
    nothing = '{"event":{"event_time":"1727000000","event_type":"signature_request_signed"}}'
    vectors += [
        base,
        derived(base, "another type", "invalid: signature mismatch", bad, body=multipart(other)[1]),
        derived(base, "API key reversed", "invalid: signature mismatch", bad, secret=secret[::-1]),
        derived(base, "no hash", "invalid: missing signature", "Derived.", body=multipart(nothing)[1], origin="computed"),
        derived(
            base,
            "a digit moved from the time to the type",
            "invalid: a type that starts with a digit",
            "Derived: the signed bytes are the same, so EventCallbackHelper of dropbox-sign 2.0.0 (PyPI) accepts it; this crate does not.",
            body=multipart(text.replace('"1727000000"', '"172700000"').replace('"signature_request_signed"', '"0signature_request_signed"'))[1],
            origin="computed",
        ),
    ]
    put("dropbox-sign", ["https://developers.hellosign.com/docs/events/overview", "https://github.com/hellosign/dropbox-sign-python"], vectors)


def docusign(checkout):
    path = pathlib.Path(checkout, "app/connect/examples/eg001_validate_webhook_message.py")
    spec = importlib.util.spec_from_file_location("eg001", path)
    eg001 = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(eg001)

    def sign(secret, body):
        return eg001.Eg001ValidateWebhookMessageController.worker({"secret": secret, "payload": body})

    first, second = "kF7Yd6sQw3m0bV5xZ1aC9eR2tU4iO8pL6nJ0hG3fD5s=", "2mN8vB4cX6zL0kJ2hG4fD6sA8pO0iU2yT4rE6wQ8a1s="
    body = '{"event":"envelope-completed","apiVersion":"v2.1","uri":"/restapi/v2.1/accounts/1/envelopes/2","retryCount":0,"configurationId":10,"generatedDateTime":"2024-09-22T10:13:20.1234567Z","data":{"accountId":"1","envelopeId":"2","envelopeSummary":{"emailSubject":"Bitte unterschreiben: Café Łódź ♥"}}}'
    xml = '<?xml version="1.0" encoding="utf-8"?><DocuSignEnvelopeInformation xmlns="http://www.docusign.net/API/3.0"><EnvelopeStatus><Status>Completed</Status><Subject>Café ♥</Subject></EnvelopeStatus></DocuSignEnvelopeInformation>'
    code = "Eg001ValidateWebhookMessageController.worker, github.com/docusign/code-examples-python commit 868209074b8a"
    source = f"Computed by {code}; contents ours."

    def make(name, secret, signatures, text, type=JSON, event="envelope-completed"):
        headers = {"X-Authorization-Digest": "HMACSHA256"} | {f"X-DocuSign-Signature-{n}": s for n, s in signatures.items()}
        return vector(name, "official-code", source, secret, "docusign", headers, text, None, event=event, type=type)

    base = make("one key", first, {1: sign(first, body)}, body)
    put("docusign", ["https://developers.docusign.com/platform/webhooks/connect/validate/", "https://developers.docusign.com/platform/webhooks/connect/hmac/"], [
        base,
        make("two keys, ours is the second", second, {1: sign(first, body), 2: sign(second, body)}, body),
        make("four keys, ours is the third", second, {1: sign(first, body), 2: sign("a", body), 3: sign(second, body), 4: sign("b", body)}, body),
        make("XML", first, {1: sign(first, xml)}, xml, "text/xml; charset=utf-8", None),
        derived(base, "body changed by one blank", "invalid: signature mismatch", f"Derived; {code} gives another signature.", body=body + " "),
        derived(base, "another key", "invalid: signature mismatch", f"Derived; {code} gives another signature.", secret=second),
        derived(base, "no signature", "invalid: missing signature", "Derived.", headers={"Content-Type": JSON, "X-Authorization-Digest": "HMACSHA256"}),
    ])


def elevenlabs():
    from elevenlabs.client import ElevenLabs

    client = ElevenLabs(api_key="-")

    def check(v):
        with mock.patch("time.time", lambda: v["now"]):
            return accepts(lambda: client.webhooks.construct_event(v["body"], v["headers"].get("ElevenLabs-Signature"), v["secret"]))

    secret, time = "wsec_5f0d1b2c3a4e", 1727000000
    body = '{"type":"post_call_transcription","event_timestamp":1727000000,"data":{"agent_id":"xyz","conversation_id":"abc","status":"done","transcript":[{"role":"user","message":"Ein Kaffee für Zoë, Łódź ♥"}]}}'
    headers = {"ElevenLabs-Signature": f"t={time},v0={mac(secret, f'{time}.{body}').hexdigest()}"}
    verdict = "construct_event of elevenlabs 2.78.0 (PyPI)"
    source = f"Computed with Python hmac by the documented formula; verdict of {verdict}; contents ours."
    base = vector("body with non-ASCII text", "official-code", source, secret, "elevenlabs", headers, body, time + 60, event="post_call_transcription", type=JSON)
    bad = f"Derived; refused by {verdict}."
    vectors = [
        base,
        {**base, "name": "1799 s old", "now": time + 1799},
        derived(base, "1801 s old", "invalid: stale", bad, now=time + 1801),
        derived(base, "body changed by one blank", "invalid: signature mismatch", bad, body=body + " "),
        derived(base, "another secret", "invalid: signature mismatch", bad, secret="another secret"),
        derived(base, "only scheme v1", "invalid: no signature of a known version", bad, headers={**base["headers"], "ElevenLabs-Signature": headers["ElevenLabs-Signature"].replace("v0=", "v1=")}),
    ]
    for v in vectors:
        assert check(v) == (v["expect"] == "valid"), v["name"]
    future = "Derived. 4000 s in the future: the SDK accepts it, as it looks at the past only; this crate refuses it by its own policy."
    vectors.append(derived(base, "future timestamp accepted by SDK", "invalid: from the future (the SDK accepts it; this crate does not)", future, now=time - 4000))
    put("elevenlabs", ["https://elevenlabs.io/docs/eleven-api/resources/webhooks", "https://github.com/elevenlabs/elevenlabs-python"], vectors)


def retell():
    from retell.lib.webhook_auth import symmetric

    def check(v):
        signature = v["headers"].get("X-Retell-Signature", "")
        return accepts(lambda: symmetric["verify"](v["body"], v["secret"], signature, {"timestamp": v["now"] * 1000}))

    secret, time = "key_9f8e7d6c5b4a3f2e1d0c", 1727000000123
    vectors = []
    for name, body, event in [
        ("call ended", '{"event":"call_ended","call":{"call_type":"phone_call","call_id":"Jabr9TXYYJHfvl6Syypi88rdAHYHmcq6","disconnection_reason":"user_hangup"}}', "call_ended"),
        ("body with non-ASCII text", '{"event":"call_analyzed","call":{"call_id":"Jabr9TXYYJHfvl6Syypi88rdAHYHmcq6","transcript":"Ein Kaffee für Zoë ♥"}}', "call_analyzed"),
    ]:
        source = "Computed by symmetric.sign of retell-sdk 6.2.13 (PyPI), whose verify accepts it; contents ours."
        headers = {"X-Retell-Signature": symmetric["sign"](body, secret, time)}
        vectors.append(vector(name, "official-code", source, secret, "retell", headers, body, 1727000100, event=event, type=JSON))
    base, bad = vectors[0], "Derived; refused by verify of retell-sdk 6.2.13 (PyPI)."
    vectors += [
        derived(base, "301 s old", "invalid: stale", bad, now=1727000302),
        derived(base, "body changed by one blank", "invalid: signature mismatch", bad, body=base["body"] + " "),
        derived(base, "another key", "invalid: signature mismatch", bad, secret="key_another"),
        derived(base, "no time", "invalid: missing timestamp", bad, headers={**base["headers"], "X-Retell-Signature": base["headers"]["X-Retell-Signature"].split(",")[1]}),
    ]
    for v in vectors:
        assert check(v) == (v["expect"] == "valid"), v["name"]
    put("retell", ["https://docs.retellai.com/features/secure-webhook", "https://github.com/RetellAI/retell-python-sdk"], vectors)


def formulas():
    """Providers without code of their own that could be run."""
    hashed = "Computed with Python hmac by the documented formula; contents of the documented shape, ours."

    def simple(provider, documentation, header, secret, bodies, events, write, query=None, id=None, extra=None, ids=None):
        vectors = []
        for index, (body, event) in enumerate(zip(bodies, events)):
            signature = write(secret, body)
            headers = {header: signature} if header else {}
            name = ["first event", "body with non-ASCII text"][index]
            more = {"query": query.format(signature)} if query else {}
            vectors.append(vector(name, "computed", hashed, secret, provider, {**headers, **(extra or {})}, body, None, event=event, id=(ids or [id, id])[index], type=JSON, **more))
        base = vectors[0]
        vectors += [
            derived(base, "body changed by one blank", "invalid: signature mismatch", "Derived.", body=base["body"] + " "),
            derived(base, "another secret", "invalid: signature mismatch", "Derived.", secret="another secret"),
        ]
        missing = {key: value for key, value in base["headers"].items() if key != header}
        where = {"url": base["url"].split("?")[0]} if query else {}
        vectors.append(derived(base, "no signature", "invalid: missing signature", "Derived.", headers=missing, **where))
        put(provider, documentation, vectors)

    applicant = '{"applicantId":"5c9e177b0a975a6eeccf5960","inspectionId":"5c9e177b0a975a6eeccf5961","correlationId":"req-63f92830-4d68-4eee-98d5-875d53a12258","externalUserId":"%s","type":"%s","reviewStatus":"%s","createdAtMs":"2020-02-21 13:23:19.321"}'
    for name, algorithm in [("sha1", hashlib.sha1), ("sha256", hashlib.sha256), ("sha512", hashlib.sha512)]:
        simple(
            f"sumsub-{name}",
            ["https://docs.sumsub.com/docs/webhook-manager", "https://docs.sumsub.com/docs/webhooks"],
            "X-Payload-Digest",
            "SoMe_SeCrEt_KeY",
            [applicant % ("12672", "applicantReviewed", "completed"), applicant % ("Zoë Łoś", "applicantPending", "pending")],
            ["applicantReviewed", "applicantPending"],
            lambda secret, body: mac(secret, body, algorithm).hexdigest(),
            extra={"X-Payload-Digest-Alg": f"HMAC_{name.upper()}_HEX"},
        )
    path = FILES / "sumsub-sha256.json"
    base = json.loads(path.read_text())["vectors"][0]
    put("sumsub-sha256", ["https://docs.sumsub.com/docs/webhook-manager", "https://docs.sumsub.com/docs/webhooks"], [
        derived(
            base,
            "signed with SHA-1, and saying so",
            "invalid: the algorithm is not taken from the request",
            "Derived.",
            headers={**base["headers"], "X-Payload-Digest": mac(base["secret"], base["body"], hashlib.sha1).hexdigest(), "X-Payload-Digest-Alg": "HMAC_SHA1_HEX"},
        )
    ])
    simple(
        "veriff",
        ["https://devdocs.veriff.com/docs/hmac-authentication-and-endpoint-security"],
        "X-HMAC-Signature",
        "abcdef12-abcd-abcd-abcd-abcdef012345",
        [
            '{"id":"f04bdb47-d3be-4b28-b028-a652feb060b5","attemptId":"e4c7d5a8-2b0a-4f3b-9c1d-7f8e9a0b1c2d","feature":"selfid","code":7002,"action":"submitted","vendorData":"11111111"}',
            '{"status":"success","verification":{"id":"12df6045-3846-3e45-946a-14fa6136d78b","attemptId":"00bca969-b53a-4fad-b065-874d41a7b2b8","code":9001,"status":"approved","person":{"firstName":"ZOË","lastName":"ŁOŚ"}}}',
        ],
        ["submitted", None],
        lambda secret, body: mac(secret, body).hexdigest(),
        extra={"X-Auth-Client": "8e4f7cd8-7a19-4d7d-971f-a076407ee03c"},
    )
    event = '{"event_id":"%s","event_name":"%s","event_time":"1670855889","subscription_id":"5c8e3a3b-6a0e-4f6e-8f0a-0d6c1b2a3f4e","subscription_description":"%s","sandbox":false,"data":{"signature_request":{"id":"2d1e0f9a"}}}'
    simple(
        "yousign",
        ["https://developers.yousign.com/docs/use-webhooks-in-your-app", "https://developers.yousign.com/docs/failure-and-retry-policy"],
        "X-Yousign-Signature-256",
        "c0ffee5a1t7b2d4f6a8c0e1f3a5b7d9",
        [event % ("b6c63685-c556-4a30-8fe9-b6f2b187d936", "signature_request.activated", "contracts"), event % ("0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d", "signer.done", "Contrats signés à Łódź ♥")],
        ["signature_request.activated", "signer.done"],
        lambda secret, body: "sha256=" + mac(secret, body).hexdigest(),
        extra={"X-Yousign-Retry": "0", "X-Yousign-Issued-At": "1670855890", "User-Agent": "Yousign Webhook Bot"},
        ids=["b6c63685-c556-4a30-8fe9-b6f2b187d936", "0a1b2c3d-4e5f-4a6b-8c7d-9e0f1a2b3c4d"],
    )
    simple(
        "cursor",
        ["https://cursor.com/docs/cloud-agent/api/webhooks"],
        "X-Webhook-Signature",
        "a-secret-of-at-least-32-characters!",
        [
            '{"event":"statusChange","timestamp":"2024-01-15T10:30:00Z","id":"bc_abc123","status":"FINISHED","source":{"repository":"https://github.com/your-org/your-repo","ref":"main"},"summary":"Added README.md with installation instructions"}',
            '{"event":"statusChange","timestamp":"2024-01-15T10:31:00Z","id":"bc_abc124","status":"ERROR","summary":"Café Łódź ♥"}',
        ],
        ["statusChange", "statusChange"],
        lambda secret, body: "sha256=" + mac(secret, body).hexdigest(),
        extra={"X-Webhook-ID": "msg_01J8Q", "X-Webhook-Event": "statusChange", "User-Agent": "Cursor-Agent-Webhook/1.0"},
        id="msg_01J8Q",
    )
    simple(
        "pandadoc",
        ["https://developers.pandadoc.com/docs/webhook-verification", "https://developers.pandadoc.com/changelog/2026-07-20-webhooks-deduplicate"],
        None,
        "7Rb9xKqYw2",
        [
            '[{"event":"document_state_changed","data":{"id":"msFYActMfJHqNTKH8YSvF1","name":"Sample Document","status":"document.completed"}}]',
            '[{"event":"recipient_completed","data":{"id":"msFYActMfJHqNTKH8YSvF1","name":"Vertrag für Zoë ♥"}}]',
        ],
        [None, None],
        lambda secret, body: mac(secret, body).hexdigest(),
        query="?signature={}",
        extra={"X-PandaDoc-Webhook-Event-Id": "0198b2c4-7d1e-7a3f-9c55-2f6d0e8a1b34"},
        id="0198b2c4-7d1e-7a3f-9c55-2f6d0e8a1b34",
    )
    simple(
        "idenfy",
        ["https://documentation.idenfy.com/security/callback-signing"],
        "Idenfy-Signature",
        "signing-key-of-this-webhook",
        [
            '{"final":true,"platform":"PC","status":{"overall":"APPROVED","suspicionReasons":[]},"clientId":"123","scanRef":"abc-def"}',
            '{"final":false,"status":{"overall":"DENIED"},"data":{"docFirstName":"ZOË","docLastName":"ŁOŚ"},"scanRef":"abc-deg"}',
        ],
        [None, None],
        lambda secret, body: mac(secret, body).hexdigest(),
    )
    simple(
        "logto",
        ["https://docs.logto.io/developers/webhooks/secure-webhooks"],
        "logto-signature-sha-256",
        "h6JcJf0a3pXo9d1kK2qQwZzTt7b4sYyU",
        [
            '{"hookId":"hook_1","event":"User.Created","createdAt":"2024-09-22T10:13:20.100Z","data":{"id":"u1","username":"zoe"}}',
            '{"hookId":"hook_1","event":"PostSignIn","createdAt":"2024-09-22T10:13:21.100Z","user":{"id":"u1","name":"Zoë Łoś ♥"}}',
        ],
        ["User.Created", "PostSignIn"],
        lambda secret, body: mac(secret, body).hexdigest(),
    )

    simple(
        "firecrawl",
        ["https://docs.firecrawl.dev/webhooks/security"],
        "X-Firecrawl-Signature",
        "9f2b1c4d5e6f7a8b9c0d1e2f3a4b5c6d",
        [
            '{"success":true,"type":"crawl.started","id":"550e8400-e29b-41d4-a716-446655440000","data":[],"metadata":{}}',
            '{"success":true,"type":"crawl.page","id":"550e8400-e29b-41d4-a716-446655440000","data":[{"markdown":"# Café Łódź ♥"}],"metadata":{}}',
        ],
        ["crawl.started", "crawl.page"],
        lambda secret, body: "sha256=" + mac(secret, body).hexdigest(),
    )

    source = "Computed by RFC 7617, as the documentation asks for credentials in the callback URL; contents of the documented shape, ours."

    def deepgram(name, body, id, expect="valid", credentials="deepgram:pässword", secret="deepgram:pässword"):
        headers = {"Authorization": "Basic " + base64.b64encode(credentials.encode()).decode()} if credentials else {}
        return vector(name, "computed", source, secret, "deepgram", headers, body, None, expect, id=id, type=JSON)

    id = "a847f427-4ad5-4d67-9b95-db801e58251c"
    body = '{"metadata":{"request_id":"%s","created":"2024-05-12T18:57:13Z","duration":25.9},"results":{"channels":[{"alternatives":[{"transcript":"%s"}]}]}}'
    put("deepgram", ["https://developers.deepgram.com/docs/callback", "https://developers.deepgram.com/changelog/2026/10/27"], [
        deepgram("transcript", body % (id, "yeah as much as it is worth celebrating"), id, credentials="deepgram:password", secret="deepgram:password"),
        deepgram("body and password with non-ASCII text", body % (id, "ein Café in Łódź"), id),
        deepgram("sent with PUT", body % (id, "yeah"), id) | {"method": "PUT"},
        deepgram("another password", body % (id, "yeah"), id, "invalid: not the password", credentials="deepgram:password"),
        deepgram("another user", body % (id, "yeah"), id, "invalid: not the user", credentials="deepgran:pässword"),
        deepgram("no credentials", body % (id, "yeah"), id, "invalid: missing signature", credentials=None),
    ])

    signed = "Computed with Python hmac by the documented formula, which is that of the samples on the documentation page; contents ours."
    secret = "f1b2c3d4-0000-4000-8000-1234567890ab"

    def signwell(kind, time, hash=None):
        hash = hash or mac(secret, f"{kind}@{time}").hexdigest()
        return json.dumps({"event": {"type": kind, "time": time, "hash": hash}, "data": {"object": {"id": "doc1", "name": "Vertrag für Zoë ♥"}}}, ensure_ascii=False)

    base = vector("body with non-ASCII text", "computed", signed, secret, "signwell", {}, signwell("document_completed", 1622637000), None, event="document_completed", type=JSON)
    put("signwell", ["https://developers.signwell.com/reference/event-hash-verification"], [
        base,
        {**base, "name": "time as text", "body": json.dumps({"event": {"hash": mac(secret, "document_viewed@1622637001").hexdigest(), "time": "1622637001", "type": "document_viewed"}}), "event": "document_viewed"},
        derived(base, "another type", "invalid: signature mismatch", "Derived.", body=signwell("document_declined", 1622637000, mac(secret, "document_completed@1622637000").hexdigest())),
        derived(base, "another webhook's id", "invalid: signature mismatch", "Derived.", secret="a0000000-0000-4000-8000-1234567890ab"),
        derived(base, "two types", "invalid: a signed value that is there twice", "Derived.", body=signwell("document_completed", 1622637000).replace('"time"', '"type": "document_declined", "time"')),
        derived(base, "no hash", "invalid: missing signature", "Derived.", body='{"event": {"type": "document_completed", "time": 1622637000}}'),
    ])

    secret, time = "wbhsec_9d8c7b6a-5f4e-4d3c-2b1a-0f9e8d7c6b5a", 1727000000
    body = '{"data":{"type":"event","id":"evt_XGuRPJEYsx6Dy7vAX1xfKUH7","attributes":{"name":"inquiry.completed","created-at":"2024-09-22T10:13:20.100Z","payload":{"data":{"type":"inquiry","id":"inq_1","attributes":{"name-first":"Zoë ♥"}}}}}}'
    v1 = mac(secret, f"{time}.{body}").hexdigest()
    base = vector("body with non-ASCII text", "computed", hashed, secret, "persona", {"Persona-Signature": f"t={time},v1={v1}"}, body, time + 100, id="evt_XGuRPJEYsx6Dy7vAX1xfKUH7", event="inquiry.completed", type=JSON)
    put("persona", ["https://docs.withpersona.com/webhooks-best-practices", "https://docs.withpersona.com/webhooks"], [
        base,
        {**base, "name": "300 s old", "now": time + 300},
        {
            **base,
            "name": "two pairs while a secret is replaced, ours is the last",
            "headers": {**base["headers"], "Persona-Signature": f"t={time},v1={mac('wbhsec_another', f'{time}.{body}').hexdigest()} t={time},v1={v1}"},
        },
        derived(base, "301 s old", "invalid: stale", "Derived.", now=time + 301),
        derived(base, "body changed by one blank", "invalid: signature mismatch", "Derived.", body=body + " "),
        derived(base, "another secret", "invalid: signature mismatch", "Derived.", secret="wbhsec_another"),
    ])

    for provider, header, documentation, secret, bodies, ids, events in [
        (
            "okta",
            "Authorization",
            ["https://developer.okta.com/docs/concepts/event-hooks/"],
            "my-hook-secret",
            [
                '{"eventId":"b5a188b9-5ece-4636-b041-482ffda96311","eventTime":"2019-03-27T16:59:53.032Z","eventType":"com.okta.event_hook","eventTypeVersion":"1.0","data":{"events":[{"uuid":"da3bf1a0","eventType":"user.lifecycle.create"}]}}',
                '{"eventId":"c5a188b9-5ece-4636-b041-482ffda96312","data":{"events":[{"displayMessage":"Zoë Łoś ♥","eventType":"user.session.start"}]}}',
            ],
            ["b5a188b9-5ece-4636-b041-482ffda96311", "c5a188b9-5ece-4636-b041-482ffda96312"],
            [None, None],
        ),
        (
            "auth0",
            "Authorization",
            ["https://auth0.com/docs/customize/log-streams/custom-log-streams"],
            "Bearer 3e1b6a5c9d8f",
            [
                '[{"log_id":"90020240922101320100","data":{"date":"2024-09-22T10:13:20.100Z","type":"s","client_id":"c1","user_name":"zoe@example.com"}}]',
                '[{"log_id":"90020240922101320101","data":{"type":"fp","description":"Zoë Łoś ♥"}}]',
            ],
            [None, None],
            [None, None],
        ),
        (
            "documenso",
            "X-Documenso-Secret",
            ["https://docs.documenso.com/docs/developers/webhooks/verification"],
            "your_webhook_secret_here",
            [
                '{"event":"DOCUMENT_COMPLETED","payload":{"id":10,"title":"documenso.pdf","status":"COMPLETED"},"createdAt":"2024-04-22T11:52:18.277Z","webhookEndpoint":"https://hooks.example.com/documenso"}',
                '{"event":"DOCUMENT_SIGNED","payload":{"id":10,"title":"Vertrag für Zoë ♥"}}',
            ],
            [None, None],
            ["DOCUMENT_COMPLETED", "DOCUMENT_SIGNED"],
        ),
        (
            "huggingface",
            "X-Webhook-Secret",
            ["https://huggingface.co/docs/hub/webhooks"],
            "my-webhook-secret",
            [
                '{"event":{"action":"update","scope":"repo.content"},"repo":{"type":"model","name":"openai-community/gpt2","id":"621ffdc036468d709f17434d","private":false},"webhook":{"id":"6390e855e30d9209411de93b","version":3}}',
                '{"event":{"action":"create","scope":"discussion"},"discussion":{"id":"639885d811ae2bad2b7ba461","title":"Café Łódź ♥","num":2},"webhook":{"id":"6390e855e30d9209411de93b","version":3}}',
            ],
            [None, None],
            ["repo.content", "discussion"],
        ),
    ]:
        source = "Nothing is computed: the documentation asks for the header to be equal to what was configured; contents of the documented shape, ours."
        names = ["first event", "body with non-ASCII text"]
        vectors = [
            vector(name, "computed", source, secret, provider, {header: secret}, body, None, id=id, event=event, type=JSON)
            for name, body, id, event in zip(names, bodies, ids, events)
        ]
        base = vectors[0]
        put(provider, documentation, vectors + [
            derived(base, "another secret", "invalid: not the secret", "Derived.", headers={"Content-Type": JSON, header: secret + "x"}),
            derived(base, "secret cut short", "invalid: not the secret", "Derived.", headers={"Content-Type": JSON, header: secret[:-1]}),
            derived(base, "no secret", "invalid: missing signature", "Derived.", headers={"Content-Type": JSON}),
        ])


def tokens():
    """JSON Web Tokens, and other signatures by private keys."""
    private, public = rsa()
    claims = {
        "iss": "https://appleid.apple.com",
        "aud": "com.example.app",
        "iat": 1700000000,
        "exp": 1700086400,
        "jti": "abede67-cc39-4a1d-9e2b-0f3c5d7e9a1b",
        "events": json.dumps({"type": "consent-revoked", "sub": "000000.x.0000", "event_time": 1700000000000}, separators=(",", ":")),
    }
    source = "Signed with PyJWT 2.15.1 (PyPI), as the documentation and answers in Apple's forum describe the token; RSA test key of RFC 9421, appendix B.1.1; contents ours."

    def apple(name, expect="valid", now=1700000100, id="abede67-cc39-4a1d-9e2b-0f3c5d7e9a1b", key=private, algorithm="RS256", **changed):
        payload = {k: v for k, v in (claims | changed).items() if v is not None}
        token = jwt.encode(payload, key, algorithm=algorithm, headers={"kid": "test-key-rsa"})
        return vector(name, "computed", source, public, "apple-signin", {}, json.dumps({"payload": token}), now, expect, id=id, type=JSON, parameters={"audience": "com.example.app"})

    valid = apple("consent revoked")
    cut = json.loads(valid["body"])["payload"]
    put("apple-signin", ["https://developer.apple.com/documentation/signinwithapple/processing-changes-for-sign-in-with-apple-accounts", "https://developer.apple.com/forums/thread/655485"], [
        valid,
        apple("event with non-ASCII text", now=1700086400, events=json.dumps({"type": "email-enabled", "email": "zoë@example.com", "sub": "1"}, ensure_ascii=False)),
        apple("expired", "invalid: expired", now=1700090000),
        apple("for another app", "invalid: wrong audience", aud="com.example.other"),
        apple("by somebody else", "invalid: wrong issuer", iss="https://example.com"),
        apple("a token without an end", exp=None),
        apple("an identity token", "invalid: no events", events=None, sub="000000.x.0000"),
        apple("signed with HMAC", "invalid: wrong algorithm", key="a secret of at least thirty-two bytes", algorithm="HS256"),
        derived(valid, "payload of another token", "invalid: signature mismatch", source, body=json.dumps({"payload": ".".join([cut.split(".")[0], json.loads(apple("x", jti="other")["body"])["payload"].split(".")[1], cut.split(".")[2]])})),
        derived(valid, "no token", "invalid: missing signature", "Derived.", body="{}"),
    ])

    source = "Signed with PyJWT 2.15.1 (PyPI), with the claims that backend/webhooks/manager.go of github.com/teamhanko/hanko (commit f742d496) sets; RSA test key of RFC 9421, appendix B.1.1; contents ours."
    claims = {
        "aud": ["localhost"],
        "data": {"id": "c339547d-e17d-4ba7-8a1d-b3d5a4d17c1c", "username": "Zoë Łoś ♥", "created_at": "2024-09-22T10:13:20Z"},
        "evt": "user.create",
        "exp": 1700000300,
        "iat": 1700000000,
        "sub": "hanko webhooks",
    }

    def hanko(name, expect="valid", now=1700000100, event="user.create", note=None, audience="localhost", **changed):
        payload = {k: v for k, v in (claims | changed).items() if v is not None}
        token = jwt.encode(payload, private, algorithm="RS256", headers={"kid": "test-key-rsa"})
        body = {"token": token, "event": event} | ({"note": note} if note else {})
        parameters = {"parameters": {"audience": audience}} if audience else {}
        return vector(name, "computed", source, public, "hanko", {}, json.dumps(body, ensure_ascii=False), now, expect, event=event, type=JSON, **parameters)

    put("hanko", ["https://docs.hanko.io/guides/webhooks", "https://github.com/teamhanko/hanko"], [
        hanko("user with non-ASCII name"),
        hanko("another event, and any audience", event="user.update", evt="user.update", audience=None),
        hanko("unsigned text beside the token", note="Zoë ♥"),
        hanko("expired", "invalid: expired", now=1700000400),
        hanko("the session of a user", "invalid: not about webhooks", sub="c339547d-e17d-4ba7-8a1d-b3d5a4d17c1c", evt=None, data=None),
        hanko("for somebody else", "invalid: wrong audience", aud=["example.com"]),
        hanko("a token without an end", "invalid: does not say when it expires", exp=None),
    ])

    body = '{"event":{"createInstant":1505762615056,"id":"e502168a-b469-45d9-a079-fd45f83e0406","type":"user.create","user":{"firstName":"Zoë ♥"}}}'
    digest = {"request_body_sha256": base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()}
    secret = "fusionauth-webhook-hmac-secret-32bytes!!"
    source = "Signed with PyJWT 2.15.1 (PyPI), header and claims of the shape that the documentation shows; event of the documented shape."

    def fusionauth(name, expect, secret, key, algorithm, claims=digest, **more):
        token = jwt.encode(claims, key, algorithm=algorithm, headers={"kid": "_H07wVG1fV3l5ih74rNxIC3nevE"})
        headers = {"X-FusionAuth-Signature-JWT": token}
        return vector(name, "computed", source, secret, "fusionauth", headers, body, None, expect, id="e502168a-b469-45d9-a079-fd45f83e0406", event="user.create", type=JSON)

    hs256 = fusionauth("HS256", "valid", secret, secret, "HS256")
    put("fusionauth", ["https://fusionauth.io/docs/extend/events-and-webhooks/signing", "https://github.com/FusionAuth/fusionauth-example-javascript-webhooks"], [
        hs256,
        fusionauth("HS512", "valid", secret * 2, secret * 2, "HS512"),
        fusionauth("another secret", "invalid: signature mismatch", "another secret, which is as long as that", secret, "HS256"),
        fusionauth("HMAC with the public key for a secret", "invalid: wrong algorithm", ED25519_PEM, secret, "HS256"),
        fusionauth("no claim about the body", "invalid: missing claim", secret, secret, "HS256", {"iss": "acme.com"}),
        derived(hs256, "body changed by one blank", "invalid: the claim is about another body", source, body=body + " "),
        derived(hs256, "no token", "invalid: missing signature", "Derived.", headers={"Content-Type": JSON}),
    ])

    id, user, time = "5057fca7-2eb3-468f-b95d-cefe92b0b9d4", "github|12345678", 1752019770
    source = "Signed with cryptography 50.0.2 (PyPI) by the documented formula; Ed25519 test key of RFC 9421, appendix B.1.4; contents of the documented shape, ours."

    def fal(name, body, user=user, expect="valid"):
        message = f"{id}\n{user}\n{time}\n{hashlib.sha256(body.encode()).hexdigest()}"
        headers = {
            "X-Fal-Webhook-Request-Id": id,
            "X-Fal-Webhook-User-Id": user,
            "X-Fal-Webhook-Timestamp": str(time),
            "X-Fal-Webhook-Signature": ED25519.sign(message.encode()).hex(),
        }
        return vector(name, "computed", source, ED25519_PEM, "fal", headers, body, time + 100, expect, id=id, type=JSON, parameters={"user-id": "github|12345678"})

    base = fal("result", '{"error": null, "gateway_request_id": "%s", "payload": {"images": [{"url": "https://example.com/1.png"}]}, "request_id": "%s", "status": "OK"}' % (id, id))
    put("fal", ["https://docs.fal.ai/documentation/model-apis/inference/webhooks", "https://fal.ai/docs/model-apis/webhooks"], [
        base,
        fal("body with non-ASCII text", '{"request_id":"%s","status":"OK","payload":{"prompt":"un café à Łódź ♥"}}' % id),
        fal("the result of another user, signed by fal", base["body"], "github|12345679", "invalid: signature mismatch"),
        derived(base, "body changed by one blank", "invalid: signature mismatch", "Derived.", body=base["body"] + " "),
        derived(base, "301 s old", "invalid: stale", "Derived.", now=time + 301),
        derived(base, "another request id", "invalid: signature mismatch", "Derived.", headers={**base["headers"], "X-Fal-Webhook-Request-Id": id[::-1]}),
    ])


if __name__ == "__main__":
    standard_webhooks_family()
    workos()
    castle()
    onfido()
    boldsign()
    dropbox_sign()
    elevenlabs()
    retell()
    formulas()
    tokens()
    if len(sys.argv) > 1:
        docusign(sys.argv[1])
