"""Vectors of banks, ledgers and chains, made or judged by the providers' own SDKs for Python.

Prints them as JSON, by provider: the parts of tests/vectors/*.json whose source is a package named here, or the formula alone.
Nothing is random, and no clock is asked: running it again prints the same.

Needs Python 3.11 and
    pip install modern-treasury==1.80.0 orb-billing==4.90.0 lithic==0.133.0 increase==0.552.0 standardwebhooks==1.1.0 \
        blockfrost-python==0.7.0 truelayer-signing==0.4.0 PyJWT==2.15.1 cryptography==49.0.0 freezegun==1.5.5
"""

import base64
import contextlib
import hashlib
import hmac
import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import jwt
from blockfrost import SignatureVerificationError, verify_webhook_signature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from freezegun import freeze_time
from increase import Increase
from lithic import Lithic
from modern_treasury import ModernTreasury
from orb import Orb
from standardwebhooks import Webhook, WebhookVerificationError
from truelayer_signing import HttpMethod, sign_with_pem, verify_with_pem
from truelayer_signing.errors import TlSigningException

JSON = {"Content-Type": "application/json"}
HOOKS = "https://hooks.example.com"

# Made for these vectors; it protects nothing.
RSA_KEY = serialization.load_pem_private_key(Path(__file__).with_name("banking-key.pem").read_bytes(), password=None)
P256_KEY = ec.derive_private_key(int.from_bytes(hashlib.sha256(b"tower-webhook P-256").digest()), ec.SECP256R1())
P521_KEY = ec.derive_private_key(int.from_bytes(hashlib.sha512(b"tower-webhook P-521").digest()), ec.SECP521R1())


def pem(key):
    return key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    ).decode()


def spki(key):
    return base64.b64encode(
        key.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    ).decode()


def url64(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def mac(secret, message, hash=hashlib.sha256):
    return hmac.new(secret.encode(), message.encode(), hash)


def vector(provider, name, headers, body, source, origin="computed", expect="valid", now=None, id=None, event=None, **key):
    """`key` is `secret`, or `keys`."""
    valid = expect == "valid"
    return {
        "name": name,
        "origin": origin,
        "source": source,
        **key,
        "method": "POST",
        "url": f"{HOOKS}/{provider}",
        "headers": JSON | headers,
        "body": body,
        "now": now,
        "expect": expect,
        "id": id if valid else None,
        "event": event if valid else None,
    }


def refused(errors, judge):
    """That the SDK refuses, with one of its own errors."""
    try:
        verdict = judge()
    except errors:
        return True
    return verdict is False


PYTHON = "Computed with Python's hmac by the documented formula"
DERIVED = "Derived from a vector above"


def modern_treasury():
    client = ModernTreasury(api_key="none", organization_id="none")
    secret = "wh_key_5Qm2kZ8t"
    body = compact({
        "event": "completed",
        "data": {"id": "c2f0b1de-2b3c-4d41-9c43-6e4b3b1f2d11", "object": "payment_order", "description": "Miete Köln, März – 1.200 €"},
    })
    signature = client.webhooks.get_signature(body, key=secret)
    assert client.webhooks.validate_signature(body, {"X-Signature": signature}, key=secret)
    assert refused(ValueError, lambda: client.webhooks.validate_signature(body + "\n", {"X-Signature": signature}, key=secret))
    headers = {"X-Signature": signature, "X-Webhook-ID": "7d0b6b0e-0d5c-4f7b-a0cf-1f0c3b7f9a52", "X-Topic": "payment_order"}
    source = "Computed by webhooks.get_signature of modern-treasury 1.80.0 (PyPI), inputs ours."
    yield vector("modern-treasury", "payment order with non-ASCII text", headers, body, source, "official-code",
                 secret=secret, id="7d0b6b0e-0d5c-4f7b-a0cf-1f0c3b7f9a52", event="completed")
    yield vector("modern-treasury", "body with a line feed at its end", headers, body + "\n",
                 f"{DERIVED}; refused by webhooks.validate_signature of modern-treasury 1.80.0 (PyPI).", "official-code",
                 "invalid: signature mismatch", secret=secret)


def orb():
    client = Orb(api_key="none")
    secret = "c-UGKYdnhHh436B_sMouYAPUvXyWpzOdunZBV5dFSD8"
    stamp, now = "2024-03-27T15:42:29.551", 1711554149
    body = compact({"id": "kR4mcwpfNNTnjfZd", "created_at": "2024-03-27T15:42:29+00:00", "type": "invoice.issued",
                    "invoice": {"memo": "Größe XL – 東京 ✓"}})
    signature = mac(secret, f"v1:{stamp}:{body}").hexdigest()
    headers = {"X-Orb-Timestamp": stamp, "X-Orb-Signature": f"v1={signature}"}
    judge = lambda body, headers: client.webhooks.verify_signature(body, headers, secret=secret)
    with freeze_time("2024-03-27T15:42:29Z"):
        assert judge(body, headers) is None
        assert refused(ValueError, lambda: judge(body + " ", headers))
    with freeze_time("2024-03-27T15:47:31Z"):
        assert refused(ValueError, lambda: judge(body, headers))
    with freeze_time("2024-03-27T15:37:27Z"):
        assert refused(ValueError, lambda: judge(body, headers))
    verdict = "webhooks.verify_signature of orb-billing 4.90.0 (PyPI)"
    yield vector("orb", "invoice with non-ASCII text", headers, body, f"{PYTHON}; accepted by {verdict}; inputs ours.",
                 "official-code", secret=secret, now=now, id="kR4mcwpfNNTnjfZd", event="invoice.issued")
    for name, expect, at in [("302 s old", "invalid: stale", now + 302), ("302 s ahead", "invalid: from the future", now - 302)]:
        yield vector("orb", name, headers, body, f"{DERIVED}; refused by {verdict}.", "official-code", expect,
                     secret=secret, now=at)
    yield vector("orb", "body with a blank at its end", headers, body + " ", f"{DERIVED}; refused by {verdict}.",
                 "official-code", "invalid: signature mismatch", secret=secret, now=now)


def standard(provider, secret, key, judge, package, id, body, event):
    """Providers that speak Standard Webhooks: signed by its library, judged by their own SDK."""
    now = 1714564800
    sign = lambda key: Webhook(key).sign(id, datetime.fromtimestamp(now, UTC), body)
    headers = {"webhook-id": id, "webhook-timestamp": str(now), "webhook-signature": sign(key)}
    rotated = headers | {"webhook-signature": f"{sign(b'another secret, which is being retired')} {sign(key)}"}
    with freeze_time("2024-05-01T12:00:00Z"):
        judge(body, headers)
        judge(body, rotated)
        assert refused(WebhookVerificationError, lambda: judge(body + " ", headers))
        assert refused(WebhookVerificationError, lambda: judge(body, headers | {"webhook-id": id[:-1]}))
    with freeze_time("2024-05-01T12:05:01Z"):
        assert refused(WebhookVerificationError, lambda: judge(body, headers))
    made = f"Signed by Webhook.sign of standardwebhooks 1.1.0 (PyPI), accepted by {package}; inputs ours."
    facts = {"secret": secret, "now": now}
    yield vector(provider, "event with non-ASCII text", headers, body, made, "official-code", id=id, event=event, **facts)
    yield vector(provider, "two signatures, of which the second is right", rotated, body, made, "official-code", id=id,
                 event=event, **facts)
    no = f"{DERIVED}; refused by {package}."
    yield vector(provider, "body with a blank at its end", headers, body + " ", no, "official-code",
                 "invalid: signature mismatch", **facts)
    yield vector(provider, "another id", headers | {"webhook-id": id[:-1]}, body, no, "official-code",
                 "invalid: signature mismatch", **facts)
    yield vector(provider, "301 s old", headers, body, no, "official-code", "invalid: stale", **(facts | {"now": now + 301}))


def lithic():
    secret = "whsec_bGl0aGljIHRlc3Qgc2VjcmV0IGJ5dGVz"
    client = Lithic(api_key="none")
    body = compact({"event_type": "card.created", "card_token": "4c9b5ae2-0f4f-4f5d-8d4c-5a8a2a7d7f0e", "memo": "Café ☕ – Łódź"})
    judge = lambda body, headers: client.webhooks.verify_signature(body, headers, secret=secret)
    yield from standard("lithic", secret, secret, judge, "webhooks.verify_signature of lithic 0.133.0 (PyPI)",
                        "msg_2g8fO3rUeYgkYV9G5cYQy0sRkXw", body, "card.created")


def increase():
    secret = "a shared secret of our own"
    client = Increase(api_key="none", webhook_secret=secret)
    body = compact({"id": "event_001dzz0r20rzr4zrhrr1364hy80", "created_at": "2024-05-01T12:00:00Z", "category": "account.created",
                    "associated_object_type": "account", "associated_object_id": "account_in71c4amph0vgo2qllky", "type": "event",
                    "note": "Überweisung ✓"})
    judge = lambda body, headers: client.events.unwrap(body, headers=headers)
    yield from standard("increase", secret, secret.encode(), judge, "events.unwrap of increase 0.552.0 (PyPI)",
                        "event_001dzz0r20rzr4zrhrr1364hy80", body, "account.created")


def brex():
    key = base64.b64encode(b"brex test secret of 32 bytes ok!").decode()
    body = compact({"event_type": "TRANSFER_PROCESSED", "transfer_id": "dptx_cl9g2t8xp000001", "company_id": "cuacc_cl9g2t8xp",
                    "memo": "Bürobedarf – São Paulo"})
    id, now = "msg_2FNCuEhIwVsFkKUwhOkCMpTJF2W", 1714564800
    sign = lambda key: "v1," + base64.b64encode(
        hmac.new(base64.b64decode(key), f"{id}.{now}.{body}".encode(), hashlib.sha256).digest()).decode()
    headers = {"Webhook-Id": id, "Webhook-Timestamp": str(now), "Webhook-Signature": sign(key)}
    old = base64.b64encode(b"brex secret that will be revoked").decode()
    facts = {"secret": key, "now": now}
    made = f"{PYTHON}, inputs ours."
    yield vector("brex", "transfer with non-ASCII text", headers, body, made, id=id, event="TRANSFER_PROCESSED", **facts)
    yield vector("brex", "two signatures after a rotation of keys",
                 headers | {"Webhook-Signature": f"{sign(old)} {sign(key)}"}, body, made, id=id, event="TRANSFER_PROCESSED", **facts)
    yield vector("brex", "body with a blank at its end", headers, body + " ", f"{DERIVED}.", expect="invalid: signature mismatch", **facts)
    yield vector("brex", "another timestamp", headers | {"Webhook-Timestamp": str(now + 1)}, body, f"{DERIVED}.",
                 expect="invalid: signature mismatch", **facts)
    yield vector("brex", "301 s old", headers, body, f"{DERIVED}.", expect="invalid: stale", **(facts | {"now": now + 301}))


def blockfrost():
    secret = "59a1eb46-96f4-4f0b-8a03-b4d26e70593a"
    now = 1650013856
    body = compact({"id": "47668401-c3a4-42d4-bac1-ad46515924a3", "webhook_id": "cf68eb9c-635f-415e-a5a8-6233638f28d7",
                    "created": now, "type": "block", "payload": {"hash": "f49521b67b440e5030adf124aee8f88881b7682ba07acf06c2781405b0f806a4",
                                                                 "height": 7126256, "note": "Ada ₳ – Größe"}})
    signature = mac(secret, f"{now}.{body}").hexdigest()
    header = f"t={now},v1={signature}"
    rotated = f"t={now},v1={mac('another', f'{now}.{body}').hexdigest()},v1={signature}"
    judge = lambda body, header: verify_webhook_signature(body.encode(), header, secret)
    with freeze_time("2022-04-15T09:10:56Z"):
        assert judge(body, header) and judge(body, rotated)
        assert refused(SignatureVerificationError, lambda: judge(body + " ", header))
        assert refused(SignatureVerificationError, lambda: judge(body, header.replace("v1=", "v2=")))
    with freeze_time("2022-04-15T09:20:56Z"):
        assert judge(body, header)
    with freeze_time("2022-04-15T09:20:57Z"):
        assert refused(SignatureVerificationError, lambda: judge(body, header))
    verdict = "verify_webhook_signature of blockfrost-python 0.7.0 (PyPI)"
    made = f"{PYTHON}; accepted by {verdict}; inputs ours."
    facts = {"secret": secret, "origin": "official-code"}
    ids = {"id": "47668401-c3a4-42d4-bac1-ad46515924a3", "event": "block"}
    name = "Blockfrost-Signature"
    yield vector("blockfrost", "block with non-ASCII text", {name: header}, body, made, now=now, **ids, **facts)
    yield vector("blockfrost", "two signatures, of which the second is right", {name: rotated}, body, made, now=now, **ids, **facts)
    yield vector("blockfrost", "600 s old", {name: header}, body, made, now=now + 600, **ids, **facts)
    no = f"{DERIVED}; refused by {verdict}."
    yield vector("blockfrost", "601 s old", {name: header}, body, no, expect="invalid: stale", now=now + 601, **facts)
    yield vector("blockfrost", "body with a blank at its end", {name: header}, body + " ", no, expect="invalid: signature mismatch",
                 now=now, **facts)
    yield vector("blockfrost", "no signature of a known version", {name: header.replace("v1=", "v2=")}, body, no,
                 expect="invalid: no signature of a known version", now=now, **facts)


def truelayer():
    kid, stamp, now = "5f1d3a52-7e0c-4d3e-9d44-0c6ff0a9b7a1", "2024-05-01T12:00:00Z", 1714564800
    jku = "https://webhooks.truelayer.com/.well-known/jwks"
    private = P521_KEY.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()).decode()
    body = compact({"type": "payment_settled", "event_version": 1, "event_id": "b8d4dda0-ff2c-4d77-a6da-4615e4bad941",
                    "payment_id": "60c60a60-ed73-4855-b6b0-e0a5dde2a4d4", "metadata": {"reference": "Miete – Zürich"}})

    def sign(headers, path="/truelayer", method=HttpMethod.POST):
        # The package draws a random number for each signature; here it is that of RFC 6979.
        from truelayer_signing import crypto
        drawn, crypto.ec.ECDSA = crypto.ec.ECDSA, lambda hash: drawn(hash, deterministic_signing=True)
        try:
            signer = sign_with_pem(kid, private).set_jku(jku).set_method(method).set_path(path).set_body(body)
            return signer.add_headers(headers).sign()
        finally:
            crypto.ec.ECDSA = drawn

    def accepts(signature, headers, body=body):
        verifier = verify_with_pem(pem(P521_KEY)).set_method(HttpMethod.POST).set_path("/truelayer").set_body(body)
        try:
            verifier.add_headers(headers).add_required_header("X-TL-Webhook-Timestamp").verify(signature)
            return True
        except TlSigningException:
            return False

    signed = {"X-TL-Webhook-Timestamp": stamp}
    headers = signed | {"Tl-Signature": sign(signed)}
    assert accepts(headers["Tl-Signature"], signed)
    more = {"X-TL-Webhook-Timestamp": stamp, "Content-Type": "application/json"}
    both = more | {"Tl-Signature": sign(more)}
    assert accepts(both["Tl-Signature"], more)
    facts = {"secret": pem(P521_KEY), "now": now, "origin": "official-code"}
    ids = {"id": "b8d4dda0-ff2c-4d77-a6da-4615e4bad941", "event": "payment_settled"}
    package = "truelayer-signing 0.4.0 (PyPI)"
    made = f"Signed and accepted by {package}, with the deterministic numbers of RFC 6979; inputs ours."
    yield vector("truelayer", "payment with non-ASCII text", headers, body, made, **ids, **facts)
    yield vector("truelayer", "two signed headers", both, body, made, **ids, **facts)
    ring = [{"id": "another", "key": spki(ec.derive_private_key(7, ec.SECP521R1()))}, {"id": kid, "key": pem(P521_KEY)}]
    yield vector("truelayer", "key chosen by its id", headers, body, made, keys=ring, **ids, now=now, origin="official-code")
    no = f"{DERIVED}; refused by {package}."
    assert not accepts(headers["Tl-Signature"], signed, body + " ")
    yield vector("truelayer", "body with a blank at its end", headers, body + " ", no, expect="invalid: signature mismatch", **facts)
    late = {"X-TL-Webhook-Timestamp": "2024-05-01T12:00:01Z"}
    assert not accepts(headers["Tl-Signature"], late)
    yield vector("truelayer", "another timestamp", headers | late, body, no, expect="invalid: signature mismatch", **facts)
    bare = signed | {"Tl-Signature": sign({})}
    assert not accepts(bare["Tl-Signature"], signed)
    yield vector("truelayer", "timestamp that is not signed", bare, body,
                 f"Signed by {package}; refused by it, as the timestamp is asked for; inputs ours.",
                 expect="invalid: the timestamp is not among the signed headers", **facts)
    yield vector("truelayer", "301 s old", headers, body, f"{DERIVED}; the package judges no time, so `expect` is this crate's verdict.",
                 **(facts | {"now": now + 301, "origin": "computed"}), expect="invalid: stale")


def plaid():
    kid, now = "6c5516e1-92dc-479e-a8ff-5a51992e0001", 1714564800
    numbers = P256_KEY.public_key().public_numbers()
    jwk = compact({"alg": "ES256", "created_at": 1560466150, "crv": "P-256", "expired_at": None, "kid": kid, "kty": "EC", "use": "sig",
                   "x": url64(numbers.x.to_bytes(32)), "y": url64(numbers.y.to_bytes(32))})
    body = json.dumps({"webhook_type": "ITEM", "webhook_code": "ERROR", "item_id": "wz666MBjYWTp2PDzzggYhM6oWWmBb",
                       "error": {"display_message": "Zugang gesperrt – größere Änderung", "error_code": "ITEM_LOGIN_REQUIRED"},
                       "environment": "production"}, indent=2, ensure_ascii=False)

    def token(claims, header):
        signed = f"{url64(compact(header).encode())}.{url64(compact(claims).encode())}"
        if header["alg"] == "HS256":
            return f"{signed}.{url64(hmac.new(jwk.encode(), signed.encode(), hashlib.sha256).digest())}"
        r, s = decode_dss_signature(P256_KEY.sign(signed.encode(), ec.ECDSA(hashes.SHA256(), deterministic_signing=True)))
        return f"{signed}.{url64(r.to_bytes(32) + s.to_bytes(32))}"

    header = {"alg": "ES256", "kid": kid, "typ": "JWT"}
    claims = {"iat": now, "request_body_sha256": hashlib.sha256(body.encode()).hexdigest()}
    good = token(claims, header)
    with freeze_time("2024-05-01T12:00:00Z"):
        assert jwt.decode(good, jwt.PyJWK(json.loads(jwk)).key, algorithms=["ES256"]) == claims
    ring = [{"id": kid, "key": jwk}]
    facts = {"keys": ring, "now": now}
    name = "Plaid-Verification"
    made = "Signed with the Python package cryptography by the documented claims, accepted by PyJWT 2.15.1; inputs ours."
    yield vector("plaid", "item error with non-ASCII text", {name: good}, body, made, event="ERROR", **facts)
    yield vector("plaid", "key without a ring", {name: good}, body, made, event="ERROR", secret=jwk, now=now)
    yield vector("plaid", "300 s old", {name: good}, body, made, event="ERROR", **(facts | {"now": now + 300}))
    yield vector("plaid", "301 s old", {name: good}, body, f"{DERIVED}.", expect="invalid: stale", **(facts | {"now": now + 301}))
    yield vector("plaid", "body with a line feed at its end", {name: good}, body + "\n", f"{DERIVED}.",
                 expect="invalid: hash of the body", **facts)
    yield vector("plaid", "HS256, keyed with the text of the public key", {name: token(claims, header | {"alg": "HS256"})}, body,
                 "Computed with Python's hmac; the documentation asks for ES256.", expect="invalid: algorithm", **facts)
    yield vector("plaid", "id of a key that is not there", {name: token(claims, header | {"kid": "another"})}, body,
                 "Signed with the Python package cryptography; inputs ours.", expect="invalid: unknown key", **facts)
    yield vector("plaid", "no hash of the body", {name: token({"iat": now}, header)}, body,
                 "Signed with the Python package cryptography; inputs ours.", expect="invalid: claim is missing", **facts)


def circle():
    kid = "f3a1a7b0-6f0e-4c0c-9a6f-4a4f3f0f9f11"
    body = compact({"subscriptionId": "d4c07d5f-f05f-4fe4-853d-4dd434806dfb", "notificationId": "acab8c14-92ee-481a-8335-6eb5271da014",
                    "notificationType": "transactions.inbound", "notification": {"id": "3b5d6e0c", "refId": "Rechnung – Grüße"},
                    "timestamp": "2024-05-01T12:00:00.123456789Z", "version": 2})
    signature = base64.b64encode(P256_KEY.sign(body.encode(), ec.ECDSA(hashes.SHA256(), deterministic_signing=True))).decode()
    headers = {"X-Circle-Key-Id": kid, "X-Circle-Signature": signature}
    ring = [{"id": "another", "key": spki(ec.derive_private_key(7, ec.SECP256R1()))}, {"id": kid, "key": spki(P256_KEY)}]
    ids = {"id": "acab8c14-92ee-481a-8335-6eb5271da014", "event": "transactions.inbound"}
    made = "Signed with the Python package cryptography as documented; inputs ours."
    yield vector("circle", "transaction with non-ASCII text, key chosen by its id", headers, body, made, keys=ring, **ids)
    yield vector("circle", "body with a blank at its end", headers, body + " ", f"{DERIVED}.", keys=ring, expect="invalid: signature mismatch")
    yield vector("circle", "id of another key", headers | {"X-Circle-Key-Id": "another"}, body, f"{DERIVED}.", keys=ring,
                 expect="invalid: signature mismatch")
    yield vector("circle", "id of a key that is not there", headers | {"X-Circle-Key-Id": "a third"}, body, f"{DERIVED}.", keys=ring,
                 expect="invalid: unknown key")


def rsa(message, hash):
    return base64.b64encode(RSA_KEY.sign(message.encode(), padding.PKCS1v15(), hash)).decode()


FIREBLOCKS = compact({"id": "3c8011bf-4b07-4ba0-9ac9-20fcc1fa2c10", "resourceId": "b70701f4-d7b1-4795-a8ee-b09cdb5b850d",
                      "workspaceId": "4fda3dee-4c92-4d24-9b7f-4f6c1d2a3b4c", "eventType": "transaction.created", "eventVersion": 1.0,
                      "createdAt": 1734528011, "data": {"note": "Auszahlung – Zürich ₿"}})


def fireblocks_v1():
    signature = rsa(FIREBLOCKS, hashes.SHA512())
    made = "Signed with the Python package cryptography as documented; inputs ours."
    facts = {"secret": pem(RSA_KEY)}
    yield vector("fireblocks-v1", "event of the newer form with non-ASCII text", {"Fireblocks-Signature": signature}, FIREBLOCKS, made,
                 id="3c8011bf-4b07-4ba0-9ac9-20fcc1fa2c10", event="transaction.created", **facts)
    old = compact({"type": "TRANSACTION_STATUS_UPDATED", "tenantId": "e8c0a3e0-1b2c-5d4e-8f00-5b1c2d3e4f5a", "timestamp": 1680442600000,
                   "data": {"id": "a8fb85ab-4a7d-44a1-94c2-9b6f4c1a2b3d", "status": "COMPLETED"}})
    yield vector("fireblocks-v1", "event of the older form", {"Fireblocks-Signature": rsa(old, hashes.SHA512())}, old, made,
                 event="TRANSACTION_STATUS_UPDATED", **facts)
    yield vector("fireblocks-v1", "body with a blank at its end", {"Fireblocks-Signature": signature}, FIREBLOCKS + " ", f"{DERIVED}.",
                 expect="invalid: signature mismatch", **facts)
    yield vector("fireblocks-v1", "SHA-256 instead of SHA-512", {"Fireblocks-Signature": rsa(FIREBLOCKS, hashes.SHA256())}, FIREBLOCKS, made,
                 expect="invalid: signature mismatch", **facts)


def fireblocks_v2():
    kid = "fb-2026-01"
    numbers = RSA_KEY.public_key().public_numbers()
    jwk = compact({"kty": "RSA", "kid": kid, "use": "sig", "alg": "RS512", "n": url64(numbers.n.to_bytes(256)), "e": "AQAB"})

    def token(header, body=FIREBLOCKS, hash=hashes.SHA512()):
        head, payload = url64(compact(header).encode()), url64(body.encode())
        signature = url64(RSA_KEY.sign(f"{head}.{payload}".encode(), padding.PKCS1v15(), hash))
        return f"{head}..{signature}"

    good = token({"alg": "RS512", "kid": kid})
    jwt.api_jws.decode(good.replace("..", f".{url64(FIREBLOCKS.encode())}."), RSA_KEY.public_key(), algorithms=["RS512"])
    name = "Fireblocks-Webhook-Signature"
    facts = {"keys": [{"id": kid, "key": jwk}]}
    ids = {"id": "3c8011bf-4b07-4ba0-9ac9-20fcc1fa2c10", "event": "transaction.created"}
    made = "Signed with the Python package cryptography as documented; accepted by PyJWT 2.15.1 once the body is put back; inputs ours."
    yield vector("fireblocks-v2", "detached signature over non-ASCII text", {name: good}, FIREBLOCKS, made, **ids, **facts)
    yield vector("fireblocks-v2", "key as PEM, without a ring", {name: good}, FIREBLOCKS, made, secret=pem(RSA_KEY), **ids)
    yield vector("fireblocks-v2", "body with a blank at its end", {name: good}, FIREBLOCKS + " ", f"{DERIVED}.",
                 expect="invalid: signature mismatch", **facts)
    yield vector("fireblocks-v2", "payload left in", {name: good.replace("..", f".{url64(FIREBLOCKS.encode())}.")}, FIREBLOCKS, f"{DERIVED}.",
                 expect="invalid: the payload must be left out", **facts)
    yield vector("fireblocks-v2", "RS256", {name: token({"alg": "RS256", "kid": kid}, hash=hashes.SHA256())}, FIREBLOCKS,
                 "Signed with the Python package cryptography; the documentation asks for RS512.", expect="invalid: algorithm", **facts)
    yield vector("fireblocks-v2", "id of a key that is not there", {name: token({"alg": "RS512", "kid": "another"})}, FIREBLOCKS,
                 "Signed with the Python package cryptography; inputs ours.", expect="invalid: unknown key", **facts)


def wise():
    body = compact({"data": {"resource": {"type": "transfer", "id": 111, "profile_id": 222, "account_id": 333}, "current_state": "processing",
                             "previous_state": "incoming_payment_waiting", "occurred_at": "2024-05-01T12:00:00Z", "note": "Grüße nach Tallinn"},
                    "subscription_id": "01234567-89ab-cdef-0123-456789abcdef", "event_type": "transfers#state-change", "schema_version": "2.0.0",
                    "sent_at": "2024-05-01T12:00:01Z"})
    headers = {"X-Signature-SHA256": rsa(body, hashes.SHA256()), "X-Delivery-Id": "c8f7a1f0-7a40-4f5b-8c19-5f2a4f6b7d10"}
    facts = {"secret": pem(RSA_KEY)}
    made = "Signed with the Python package cryptography as documented; inputs ours."
    yield vector("wise", "state change with non-ASCII text", headers, body, made, id="c8f7a1f0-7a40-4f5b-8c19-5f2a4f6b7d10",
                 event="transfers#state-change", **facts)
    yield vector("wise", "SHA-1, as the older header has it", headers | {"X-Signature-SHA256": rsa(body, hashes.SHA1())}, body, made,
                 expect="invalid: signature mismatch", **facts)


def simple(provider, header, secret, body, event=None, id=None, hash=hashlib.sha256, encode="hex", more={}, accepted=None, name=None,
           reserialises=False):
    """A MAC of the body, in a header of its own."""
    def sign(secret):
        tag = mac(secret, body, hash)
        return tag.hexdigest() if encode == "hex" else base64.b64encode(tag.digest()).decode()
    made, no, origin = f"{PYTHON}, inputs ours.", f"{DERIVED}.", "computed"
    if accepted:
        made, no, origin = f"{PYTHON}; accepted by {accepted}; inputs ours.", f"{DERIVED}; refused by {accepted}.", "official-code"
    headers = {header: sign(secret)} | more
    facts = {"secret": secret}
    yield vector(provider, name or "event with non-ASCII text", headers, body, made, origin, id=id, event=event, **facts)
    if reserialises:
        # The official code writes the body anew before it signs it: blanks are nothing to it.
        yield vector(provider, "body with a blank at its end", headers, body + " ", f"{DERIVED}.", expect="invalid: signature mismatch", **facts)
    else:
        yield vector(provider, "body with a blank at its end", headers, body + " ", no, origin, "invalid: signature mismatch", **facts)
    yield vector(provider, "signed with another secret", headers | {header: sign(secret + "x")}, body, no, origin,
                 "invalid: signature mismatch", **facts)


def alchemy():
    accepted = "isValidSignatureForStringBody of github.com/alchemyplatform/webhook-examples, commit 28a28883, Node.js 20"
    body = compact({"webhookId": "wh_octjglnywaupz6th", "id": "whevt_ogrc5v64myey69ux", "createdAt": "2024-05-01T12:00:00.306Z",
                    "type": "ADDRESS_ACTIVITY", "event": {"network": "ETH_MAINNET", "activity": [
                        {"hash": "0x7a4a39da2a3fa1fc2ef88fd1eaea070286ed2aba21e0419dcfb6d5c5d9f02a72", "asset": "Œuvre №7 ♦", "value": 293.092129}]}})
    yield from simple("alchemy", "X-Alchemy-Signature", "whsec_tR5yXkGq0Wc2oJb7", body, "ADDRESS_ACTIVITY", "whevt_ogrc5v64myey69ux",
                      accepted=accepted)
    ping = '{"webhookId":"wh_octjglnywaupz6th","id":"whevt_aaaaaaaaaaaaaaaa","createdAt":"2024-05-01T12:00:01.000Z","type":"MINED_TRANSACTION","event":{}}'
    yield vector("alchemy", "mined transaction", {"X-Alchemy-Signature": mac("whsec_tR5yXkGq0Wc2oJb7", ping).hexdigest()}, ping,
                 f"{PYTHON}; accepted by {accepted}; inputs ours.", "official-code", secret="whsec_tR5yXkGq0Wc2oJb7",
                 id="whevt_aaaaaaaaaaaaaaaa", event="MINED_TRANSACTION")


def dwolla():
    accepted = "isSignatureValid of github.com/Dwolla/webhook-receiver, commit 2d4ee141, Node.js 20"
    body = compact({"id": "29a82d20-a703-41cb-9b3c-bd409c499925", "resourceId": "a6f09251-c2de-4833-94a8-5c70916cebbc",
                    "topic": "customer_created", "timestamp": "2024-05-01T18:21:11.490Z", "created": "2024-05-01T18:21:11.490Z",
                    "_links": {"self": {"href": "https://api-sandbox.dwolla.com/events/29a82d20-a703-41cb-9b3c-bd409c499925"}}})
    more = {"X-Dwolla-Topic": "customer_created"}
    yield from simple("dwolla", "X-Request-Signature-SHA-256", "a secret of our own", body, "customer_created",
                      "29a82d20-a703-41cb-9b3c-bd409c499925", more=more, accepted=accepted, name="customer created")
    body = body.replace("customer_created", "transfer_completed").replace("29a82d20", "30a82d20").replace(
        '"created"', '"correlationId":"Miete – März","created"')
    yield vector("dwolla", "transfer with non-ASCII text", {"X-Request-Signature-SHA-256": mac("a secret of our own", body).hexdigest(),
                                                            "X-Dwolla-Topic": "transfer_completed"}, body,
                 f"{PYTHON}; accepted by {accepted}; inputs ours.", "official-code", secret="a secret of our own",
                 id="30a82d20-a703-41cb-9b3c-bd409c499925", event="transfer_completed")


def quickbooks():
    accepted = "the handler in app.js of github.com/IntuitDeveloper/SampleApp-WebhookNotifications-nodejs, commit 4af6c388, Node.js 20"
    secret = "6d2f9f2e-5b58-4b0e-9d5a-0f4d1b7c3a21"
    old = compact({"eventNotifications": [{"realmId": "1185883450", "dataChangeEvent": {"entities": [
        {"name": "Customer", "id": "1", "operation": "Create", "lastUpdated": "2024-05-01T14:42:19-0700"},
        {"name": "Vendor", "id": "Łódź 1", "operation": "Update", "lastUpdated": "2024-05-01T14:42:20-0700"}]}}]})
    yield from simple("quickbooks", "intuit-signature", secret, old, encode="base64", accepted=accepted, reserialises=True)
    new = compact([{"specversion": "1.0", "id": "88cd52aa-33b6-4351-9aa4-47572edbd068", "source": "intuit.dsnBgbseACLLRZNxo2dfc4evmEJdxde58xeeYcZliOU=",
                    "type": "qbo.customer.created.v1", "datacontenttype": "application/json", "time": "2024-05-01T21:31:25.179Z",
                    "intuitentityid": "1234", "intuitaccountid": "310687", "data": {}}])
    yield vector("quickbooks", "events in the form of CloudEvents", {"intuit-signature": base64.b64encode(mac(secret, new).digest()).decode()},
                 new, f"{PYTHON}, inputs ours.", secret=secret)


def xero():
    accepted = "index.php of github.com/XeroAPI/xero-php-webhook, commit 6d7e60ae, PHP 8.2"
    secret = "s0m3Wf8Yk2hQzq1Q6yT0bWm2nVd7rLk5eUj3xG9cA4pR8tZ1oI=="
    event = compact({"events": [{"resourceUrl": "https://api.xero.com/api.xro/2.0/Contacts/717f2bfc-c6d4-41fd-b238-3f2f0c0cf777",
                                 "resourceId": "717f2bfc-c6d4-41fd-b238-3f2f0c0cf777", "eventDateUtc": "2024-05-01T12:00:00.973",
                                 "eventType": "UPDATE", "eventCategory": "CONTACT", "tenantId": "c2cc9b6e-9458-4c7d-93cc-f02b81b0594f",
                                 "tenantType": "ORGANISATION", "note": "Größe – Tūī"}],
                     "lastEventSequence": 1, "firstEventSequence": 1, "entropy": "S0m3r4N0m3t3xt"})
    yield from simple("xero", "x-xero-signature", secret, event, encode="base64", accepted=accepted)
    intent = '{"events":[],"firstEventSequence": 0,"lastEventSequence": 0, "entropy": "OMXNMVQDXQVWGTJBTOXA"}'
    yield vector("xero", "intent to receive", {"x-xero-signature": base64.b64encode(mac(secret, intent).digest()).decode()}, intent,
                 f"{PYTHON}; accepted by {accepted}; inputs ours.", "official-code", secret=secret)


def pinwheel():
    secret, stamp = "5a1d6f0c2b7e4938a1c05f6d7e8b9a0c", "1714564800"
    body = compact({"event": "paystubs.added", "event_id": "f6c6a1d2-7c4b-4a0e-9d61-2b1a3c4d5e6f", "payload": {"note": "Größe – 2.300 €"}})
    sign = lambda stamp, version="v2": f"{version}=" + mac(secret, f"v2:{stamp}:{body}").hexdigest()
    headers = {"x-pinwheel-signature": sign(stamp), "x-timestamp": stamp}
    ids = {"id": "f6c6a1d2-7c4b-4a0e-9d61-2b1a3c4d5e6f", "event": "paystubs.added"}
    facts = {"secret": secret}
    yield vector("pinwheel", "paystubs with non-ASCII text", headers, body, f"{PYTHON}, inputs ours.", **ids, **facts)
    short = {"x-pinwheel-signature": sign("860860860"), "x-timestamp": "860860860"}
    yield vector("pinwheel", "timestamp of the documentation's tests", short, body, f"{PYTHON}, inputs ours but for the timestamp.", **ids, **facts)
    yield vector("pinwheel", "another timestamp", headers | {"x-timestamp": "1714564801"}, body, f"{DERIVED}.",
                 expect="invalid: signature mismatch", **facts)
    yield vector("pinwheel", "body with a blank at its end", headers, body + " ", f"{DERIVED}.", expect="invalid: signature mismatch", **facts)
    yield vector("pinwheel", "another version", headers | {"x-pinwheel-signature": sign(stamp, "v1")}, body, f"{DERIVED}.",
                 expect="invalid: no signature of a known version", **facts)


def revolut():
    secret, now = "wsk_r59a4HfWVAKycbCaNO1RvgCJec02gRd8", 1714564800
    body = compact({"event": "ORDER_COMPLETED", "order_id": "9fc01989-3f61-4484-a5d9-ffe768531be9",
                    "merchant_order_ext_ref": "Bestellung №12 – Größe"})
    sign = lambda secret: f"v1={mac(secret, f'v1.{now}123.{body}').hexdigest()}"
    headers = {"Revolut-Request-Timestamp": f"{now}123", "Revolut-Signature": sign(secret)}
    facts = {"secret": secret, "now": now}
    yield vector("revolut", "order with non-ASCII text", headers, body, f"{PYTHON}, inputs ours.", event="ORDER_COMPLETED", **facts)
    yield vector("revolut", "two signatures while a secret is rotated", headers | {"Revolut-Signature": f"{sign('wsk_old')},{sign(secret)}"},
                 body, f"{PYTHON}, inputs ours.", event="ORDER_COMPLETED", **facts)
    yield vector("revolut", "body with a blank at its end", headers, body + " ", f"{DERIVED}.", expect="invalid: signature mismatch", **facts)
    yield vector("revolut", "301 s old", headers, body, f"{DERIVED}.", expect="invalid: stale", **(facts | {"now": now + 302}))


def tink():
    secret, now = "top_secret_top_secret_top_secret", 1714564800
    body = compact({"context": {"userId": "a123e4567"}, "content": {"note": "Konto – Größe"}, "event": "refresh:finished"})
    headers = {"X-Tink-Signature": f"t={now},v1={mac(secret, f'{now}.{body}').hexdigest()}"}
    facts = {"secret": secret, "now": now}
    yield vector("tink", "event with non-ASCII text", headers, body, f"{PYTHON}, inputs ours.", event="refresh:finished", **facts)
    yield vector("tink", "body with a blank at its end", headers, body + " ", f"{DERIVED}.", expect="invalid: signature mismatch", **facts)
    yield vector("tink", "301 s old", headers, body, f"{DERIVED}.", expect="invalid: stale", **(facts | {"now": now + 301}))


def moov():
    accepted = "isSigned of github.com/moovfinancial/webhook-handler, commit 3013477c, with crypto-js 4.2.0 (npm)"
    secret = "7cb9d2c0-5a1e-4f0b-8f5c-1f6b3a2d4e5f"
    body = compact({"eventID": "d9d18a42-d1ea-4e4c-b671-0fa93e24d584", "type": "event.test", "data": {"ping": True}, "createdOn": "2024-05-01T12:00:00Z"})
    parts = ["2024-05-01T12:00:00Z", "0f4b1a7c-8d3e-4b52-9c60-7a1d2e3f4b5c", "5dee3f7f-a9b8-4c6f-8f7e-2a3b4c5d6e7f"]
    headers = dict(zip(["X-Timestamp", "X-Nonce", "X-Webhook-ID"], parts)) | {"X-Signature": mac(secret, "|".join(parts), hashlib.sha512).hexdigest()}
    made = f"{PYTHON}; accepted by {accepted}; inputs ours."
    facts = {"secret": secret, "origin": "official-code"}
    ids = {"id": "d9d18a42-d1ea-4e4c-b671-0fa93e24d584", "event": "event.test"}
    yield vector("moov", "test event", headers, body, made, **ids, **facts)
    other = compact({"eventID": "3a0c7a30-5d0e-4a7b-9e0e-0c1d2e3f4a5b", "type": "transfer.updated", "data": {"note": "Grüße"}, "createdOn": "2024-05-01T12:00:00Z"})
    yield vector("moov", "the same headers around another body, which is not signed", headers, other, made,
                 id="3a0c7a30-5d0e-4a7b-9e0e-0c1d2e3f4a5b", event="transfer.updated", **facts)
    no = f"{DERIVED}; refused by {accepted}."
    yield vector("moov", "another nonce", headers | {"X-Nonce": parts[1][:-1] + "d"}, body, no, expect="invalid: signature mismatch", **facts)
    yield vector("moov", "signed with another secret", headers | {"X-Signature": mac("x", "|".join(parts), hashlib.sha512).hexdigest()}, body, no,
                 expect="invalid: signature mismatch", **facts)


def tatum():
    body = compact({"address": "TJG7iciLGjsib9qhe6U6F7M2vxYJuDjWNM", "amount": "21", "asset": "TRON", "blockNumber": 44087792, "txId": "Überweisung",
                    "type": "native", "chain": "tron-testnet", "subscriptionType": "ADDRESS_EVENT"})
    yield from simple("tatum", "x-payload-hash", "c354b83b-d31b-4dda-9bab-d6a67715a1ed", body, "ADDRESS_EVENT", hash=hashlib.sha512, encode="base64")


def middesk():
    body = compact({"object": "event", "id": "0c7cb3a9-4a1f-4d32-9a8e-5f5d1b2c3d4e", "type": "business.updated",
                    "data": {"object": {"object": "business", "id": "a1b2c3", "name": "Café Łódź LLC"}}, "created_at": "2024-05-01T12:00:00.000Z"})
    secret = "sec_5e8f0a1b2c3d4e5f"
    yield from simple("middesk", "X-Middesk-Signature-256", secret, body, "business.updated", "0c7cb3a9-4a1f-4d32-9a8e-5f5d1b2c3d4e")
    body = body.replace("business.updated", "business.created").replace("0c7cb3a9", "1c7cb3a9").replace("Café Łódź", "Acme")
    yield vector("middesk", "business created", {"X-Middesk-Signature-256": mac(secret, body).hexdigest()}, body, f"{PYTHON}, inputs ours.",
                 secret=secret, id="1c7cb3a9-4a1f-4d32-9a8e-5f5d1b2c3d4e", event="business.created")


def marqeta(provider, hash):
    body = compact({"transactions": [{"type": "authorization", "state": "PENDING", "token": "5e3b8b1e-6c1a-4f3d-8a2b-9c0d1e2f3a4b",
                                      "card_acceptor": {"name": "Café Größe"}}]})
    secret = "Abcdef1!Abcdef1!Abcdef1!"
    yield from simple(provider, "X-Marqeta-Signature", secret, body, hash=hash)
    ping = '{"pings":[{"token":"marqeta","payload":"healthcheck"}]}'
    yield vector(provider, "ping", {"X-Marqeta-Signature": mac(secret, ping, hash).hexdigest()}, ping, f"{PYTHON}, inputs ours.", secret=secret)


def helius():
    """The header is the text that was set for the webhook."""
    secret = "Bearer 5f2c8a10-4d3e-4b7a-9c1f-6e0d2a3b4c5d"
    enhanced = compact([{"description": "Zahlung über 3 SOL – Größe", "type": "TRANSFER", "source": "SYSTEM_PROGRAM", "fee": 5000, "slot": 172341413,
                         "signature": "2nBhEBYYvfaAe16UMNqRHre4YNSskvuYgx3M6E4JP1oDYvZEJHvoPzyUidNgNX5r9sTyN1J9UxtbCXy2rqYcuyuv"}])
    raw = compact([{"blockTime": 1673445241, "indexWithinBlock": 2557, "slot": 171942732, "transaction": {"signatures": [
        "sTyN1J9UxtbCXy2rqYcuyuv2nBhEBYYvfaAe16UMNqRHre4YNSskvuYgx3M6E4JP1oDYvZEJHvoPzyUidNgNX5r9"]}}])
    made = "The documented header; nothing is computed. Inputs ours."
    facts = {"secret": secret}
    yield vector("helius", "enhanced webhook with non-ASCII text", {"Authorization": secret}, enhanced, made, **facts)
    yield vector("helius", "raw webhook", {"Authorization": secret}, raw, made, **facts)
    yield vector("helius", "another token", {"Authorization": secret[:-1] + "e"}, raw, made, expect="invalid: wrong token", **facts)
    yield vector("helius", "token without the word before it", {"Authorization": secret.removeprefix("Bearer ")}, raw, made,
                 expect="invalid: wrong token", **facts)
    yield vector("helius", "no token", {}, raw, made, expect="invalid: no token", **facts)


def strike():
    body = compact({"id": "82b08484-8ca5-4f1a-9f3e-0d1c2b3a4f5e", "eventType": "invoice.updated", "webhookVersion": "v1",
                    "data": {"entityId": "9bde5a1f-2a3b-4c5d-8e9f-0a1b2c3d4e5f", "changes": ["state"]}, "created": "2024-05-01T12:00:00.0000000+00:00",
                    "deliverySuccess": True, "note": "Grüße ⚡"})
    secret = "a secret of ours"
    yield from simple("strike", "X-Webhook-Signature", secret, body, "invoice.updated", "82b08484-8ca5-4f1a-9f3e-0d1c2b3a4f5e")
    body = body.replace("82b08484", "92b08484").replace("invoice", "payment").replace("Grüße ⚡", "paid")
    yield vector("strike", "payment", {"X-Webhook-Signature": mac(secret, body).hexdigest()}, body, f"{PYTHON}, inputs ours.", secret=secret,
                 id="92b08484-8ca5-4f1a-9f3e-0d1c2b3a4f5e", event="payment.updated")


def coinflow():
    secret, now = "coinflow_validation_key_1", 1714564800
    body = compact({"eventType": "Settled", "category": "Purchase", "data": {"id": "5b1a7f0c", "note": "Grüße – 12 €"}, "created": "2024-05-01T12:00:00.000Z"})
    headers = {"Coinflow-Signature": f"t={now},v1={mac(secret, f'{now}.{body}').hexdigest()}"}
    facts = {"secret": secret, "now": now}
    yield vector("coinflow", "purchase with non-ASCII text", headers, body, f"{PYTHON}, inputs ours.", event="Settled", **facts)
    yield vector("coinflow", "300 s old", headers, body, f"{PYTHON}, inputs ours.", event="Settled", **(facts | {"now": now + 300}))
    yield vector("coinflow", "body with a blank at its end", headers, body + " ", f"{DERIVED}.", expect="invalid: signature mismatch", **facts)
    yield vector("coinflow", "301 s old", headers, body, f"{DERIVED}.", expect="invalid: stale", **(facts | {"now": now + 301}))


def main():
    made = {
        "alchemy": alchemy(), "blockfrost": blockfrost(), "brex": brex(), "circle": circle(), "coinflow": coinflow(), "dwolla": dwolla(),
        "fireblocks-v1": fireblocks_v1(), "fireblocks-v2": fireblocks_v2(), "helius": helius(), "increase": increase(), "lithic": lithic(),
        "marqeta": marqeta("marqeta", hashlib.sha256), "marqeta-sha1": marqeta("marqeta-sha1", hashlib.sha1), "middesk": middesk(),
        "modern-treasury": modern_treasury(), "moov": moov(), "orb": orb(), "pinwheel": pinwheel(), "plaid": plaid(),
        "quickbooks": quickbooks(), "revolut": revolut(), "strike": strike(), "tatum": tatum(), "tink": tink(), "truelayer": truelayer(),
        "wise": wise(), "xero": xero(),
    }
    # blockfrost-python prints what it does not know.
    with contextlib.redirect_stdout(sys.stderr):
        vectors = {name: list(vectors) for name, vectors in made.items()}
    json.dump(vectors, sys.stdout, ensure_ascii=False, indent=2)
    print()


if __name__ == "__main__":
    main()
