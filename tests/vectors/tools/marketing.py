#!/usr/bin/env python3
"""Makes the vectors of mail, marketing, logistics, shops and social networks that nobody published.

    pip install sendgrid==6.12.5 resend==2.52.0 line-bot-sdk==3.27.0 easypost==10.7.0 viberbot==1.0.12 lark-oapi==1.7.5 lettermint==3.2.0 emailit==2.0.1 mailtrap==2.11.0 \
        cryptography==50.0.2
    python3 marketing.py

Signatures are computed here by the documented formulas; the SDKs above then judge them, and those of marketing.mjs do so afterwards.
Published vectors in the files stay as they are. Nothing is random: running it again changes nothing.
"""

import base64
import hashlib
import hmac
import json
import pathlib
from unittest import mock

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa

FOLDER = pathlib.Path(__file__).parent.parent
NOW = 1_786_119_001  # 2026-08-07T16:10:01Z
COMPUTED = "Computed with Python's hmac by the documented formula; inputs ours."


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def mac(secret, message, hash="sha256"):
    secret, message = (part.encode() if isinstance(part, str) else part for part in (secret, message))
    return hmac.new(secret, message, hash).digest()


def b64(raw):
    return base64.b64encode(raw).decode()


def b64url(raw):
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def pem(private_key):
    form = serialization.PublicFormat.SubjectPublicKeyInfo
    return private_key.public_key().public_bytes(serialization.Encoding.PEM, form).decode()


def fixed_ec_key(seed):
    return ec.derive_private_key(int.from_bytes(hashlib.sha256(seed).digest()), ec.SECP256R1())


def fixed_rsa_key(seed):
    """An RSA key that anybody can make again. Never use it for anything but tests."""

    def prime(label):
        digits = b"".join(hashlib.sha256(seed + label + bytes([i])).digest() for i in range(4))
        candidate = int.from_bytes(digits) | 1 | 3 << 1022
        while not all(pow(base, candidate - 1, candidate) == 1 for base in (2, 3, 5, 7)) or candidate % 65537 == 1:
            candidate += 2
        return candidate

    p, q, e = prime(b"p"), prime(b"q"), 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(e, p * q)
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public)
    return numbers.private_key()


def vector(name, source, secret, headers, body, *, now=None, expect="valid", id=None, event=None, **more):
    origin = "official-code" if "ccepted by" in source or "efused by" in source else "computed"
    made = {"name": name, "origin": origin, "source": source}
    made |= {"keys": secret} if isinstance(secret, list) else {"secret": secret}
    made |= {"parameters": more["parameters"]} if "parameters" in more else {}
    made |= {"method": "POST", "url": more.get("url"), "headers": headers, "body": body, "now": now, "expect": expect}
    return made | {"id": id, "event": event}


def write(provider, documentation, vectors):
    """Keeps what is published in the file, and replaces the rest."""
    path = FOLDER / f"{provider}.json"
    published = [v for v in json.loads(path.read_text())["vectors"] if v["origin"] == "published"] if path.exists() else []
    for made in vectors:
        made["url"] = made["url"] or f"https://hooks.example.com/{provider}"
    content = {"provider": provider, "documentation": documentation, "vectors": published + vectors}
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n")


def body_mac(provider, documentation, *, secret, header, bodies, sign, source=COMPUTED, refused=None, extra=None):
    """A provider that signs the body alone: `bodies` are (name, body, id, event)."""
    headers = lambda signature: {"Content-Type": "application/json", header: signature} | (extra or {})
    vectors = [
        vector(name, source, secret, headers(sign(body)), body, id=id, event=event) for name, body, id, event in bodies
    ]
    name, body, *_ = bodies[0]
    derived = refused or "Derived from the vector above; computed with Python's hmac."
    vectors.append(
        vector("body changed by one blank", derived, secret, headers(sign(body)), body + " ", expect="invalid: signature mismatch")
    )
    vectors.append(vector("no signature", derived, secret, {"Content-Type": "application/json"} | (extra or {}), body, expect="invalid: missing signature"))
    write(provider, documentation, vectors)


def timed(provider, documentation, *, secret, now, headers, bodies, other_times, source=COMPUTED, refused=None):
    """A provider that signs a time: `headers(now, body)`, and what else is to be judged at which time."""
    vectors = [
        vector(name, source, secret, headers(now, body), body, now=now, id=id, event=event) for name, body, id, event in bodies
    ]
    name, body, *_ = bodies[0]
    derived = refused or "Derived from the vector above; computed with Python's hmac."
    for name, at, expect in other_times:
        vectors.append(vector(name, derived, secret, headers(now, body), body, now=at, expect=expect))
    vectors.append(
        vector("body changed by one blank", derived, secret, headers(now, body), body + " ", now=now, expect="invalid: signature mismatch")
    )
    write(provider, documentation, vectors)


STALE = [("six minutes later", NOW + 360, "invalid: stale"), ("six minutes earlier", NOW - 360, "invalid: from the future")]


def stale(hours):
    """For providers that may try again with the time of the first try."""
    return [
        (f"{hours} hours and a second later", NOW + hours * 3600 + 1, "invalid: stale"),
        ("six minutes earlier", NOW - 360, "invalid: from the future"),
    ]



# --- Logistics -------------------------------------------------------------------------------------------------------


def aftership():
    secret = "4f1c9b1e0a1d4b0d8b3e2f6a7c5d9e10"
    sign = lambda body: b64(mac(secret, body))
    tracking = {
        "event": "tracking_update",
        "event_id": "94dadd60-ed26-46d0-aa52-3ced925a50ff",
        "is_tracking_first_tag": True,
        "msg": {"id": "vebix4hfu3sr3kac0epve01n", "tracking_number": "9405511202575421535949", "tag": "InTransit", "title": "Paket für Łódź"},
        "ts": 1712741696,
    }
    body_mac(
        "aftership",
        ["https://www.aftership.com/docs/tracking/webhook/webhook-signature"],
        secret=secret,
        header="aftership-hmac-sha256",
        sign=sign,
        bodies=[
            ("tracking update with non-ASCII text", compact(tracking), tracking["event_id"], "tracking_update"),
            ("tracking update, pretty-printed", json.dumps(tracking, indent=2), tracking["event_id"], "tracking_update"),
        ],
    )
    returned = {
        "id": "01JRS5X3Y2V9K8M7N6P5Q4R3S2",
        "event": "return.submitted",
        "version": "2025-04",
        "created_at": "2025-04-14T08:30:00Z",
        "data": {"rma_number": "AFT1001", "note": "Größe passt nicht ♥"},
    }
    body_mac(
        "aftership-returns",
        ["https://www.aftership.com/docs/returns/2025-04/webhook/signature", "https://www.aftership.com/docs/warranty/webhook/webhook-signature"],
        secret=secret,
        header="as-signature-hmac-sha256",
        sign=sign,
        bodies=[
            ("return submitted, with non-ASCII text", compact(returned), returned["id"], "return.submitted"),
            ("return submitted, pretty-printed", json.dumps(returned, indent=2), returned["id"], "return.submitted"),
        ],
    )
    label = {"event_type": "label.created", "meta": {"code": 200}, "data": {"id": "d4e5f6a7-0b1c-4d2e-8f3a-9b8c7d6e5f40", "status": "created", "note": "Ä/ö"}}
    body_mac(
        "aftership-shipping",
        ["https://www.aftership.com/docs/shipping/webhook/webhook-signature", "https://www.aftership.com/docs/returns/webhook/webhook-signature"],
        secret=secret,
        header="am-webhook-signature",
        sign=lambda body: "hmac-sha256=" + sign(body),
        bodies=[
            ("label with non-ASCII text", compact(label), None, "label.created"),
            ("label, pretty-printed", json.dumps(label, indent=2), None, "label.created"),
        ],
    )


def shipstation():
    key = fixed_rsa_key(b"shipstation-v2")
    ring = [{"id": "5f1d2c3b-key-1", "key": pem(key)}]

    def headers(now, body, kid=ring[0]["id"]):
        time = {NOW: "2026-08-07T16:10:01Z"}[now]
        signature = key.sign(f"{time}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256())
        return {
            "Content-Type": "application/json",
            "x-shipengine-rsa-sha256-key-id": kid,
            "x-shipengine-rsa-sha256-signature": b64(signature),
            "x-shipengine-timestamp": time,
        }

    track = {"resource_url": "https://api.shipengine.com/v1/tracking?carrier_code=usps&tracking_number=9400111298370264401222", "resource_type": "API_TRACK"}
    city = track | {"data": {"city_locality": "Kraków", "status_description": "Zugestellt – Haustür"}}
    source = "Computed with cryptography 50.0.2 (PyPI) by the documented formula, with a key made for this file; inputs ours."
    timed(
        "shipstation-v2",
        ["https://docs.shipstation.com/apis/docs/guides/webhooks-validation", "https://docs.shipstation.com/apis/docs/guides/webhooks"],
        secret=ring,
        now=NOW,
        headers=headers,
        source=source,
        refused="Derived from the vector above; " + source[0].lower() + source[1:],
        bodies=[("tracking update", compact(track), None, "API_TRACK"), ("non-ASCII text", compact(city), None, "API_TRACK")],
        other_times=STALE,
    )


def uber():
    secret = "k-zMBjtyTAdA1Jz9eXyC7bDYyDTe1_HO2bEiiDmQ"
    sign = lambda body: mac(secret, body).hex()
    order = {
        "event_type": "orders.notification",
        "event_id": "c4d2261e-2779-4eb6-beb0-cb41235c751e",
        "event_time": 1427343990,
        "meta": {"resource_id": "153dd7f1-339d-4619-940c-418943c14636", "status": "pos", "user_id": "89dd9741-66b5-4bb4-b216-a813f3b21b4f"},
        "resource_href": "https://api.uber.com/v2/eats/order/153dd7f1-339d-4619-940c-418943c14636",
    }
    status = {
        "kind": "event.delivery_status",
        "status": "dropoff",
        "delivery_id": "del_0fHRyqQvQVuWqJkYbXqQnQ",
        "data": {"dropoff": {"name": "Zoë Müller", "address": "Straße 5, 10115 Berlin"}},
    }
    body_mac(
        "uber",
        [
            "https://developer.uber.com/docs/eats/guides/webhooks",
            "https://developer.uber.com/docs/vehicles/guides/webhooks",
            "https://developer.uber.com/docs/deliveries/guides/webhooks",
        ],
        secret=secret,
        header="X-Uber-Signature",
        sign=sign,
        bodies=[
            ("order notification", compact(order), order["event_id"], "orders.notification"),
            ("delivery status with non-ASCII text", compact(status), None, "event.delivery_status"),
        ],
    )


def easypost():
    from easypost.errors.general.signature_verification_error import SignatureVerificationError
    from easypost.util import validate_webhook

    secret = "sécret"  # composed here; EasyPost signs with the decomposed form (NFKD)
    decomposed = "se\u0301cret"
    sign = lambda body: "hmac-sha256-hex=" + mac(decomposed, body).hex()
    event = {
        "result": {"id": "batch_123456", "object": "Batch", "num_shipments": 1, "reference": "Straße ♥"},
        "description": "batch.created",
        "mode": "test",
        "previous_attributes": None,
        "completed_urls": None,
        "user_id": "user_123456",
        "status": "pending",
        "object": "Event",
        "id": "evt_123456",
    }
    bodies = [
        ("batch created, with non-ASCII text", compact(event), "evt_123456", "batch.created"),
        ("batch created, pretty-printed", json.dumps(event, indent=2), "evt_123456", "batch.created"),
    ]
    for _, body, *_ in bodies:
        validate_webhook(body.encode(), {"X-Hmac-Signature": sign(body)}, secret)
    try:
        validate_webhook(bodies[0][1].encode() + b" ", {"X-Hmac-Signature": sign(bodies[0][1])}, secret)
        raise AssertionError("must be refused")
    except SignatureVerificationError:
        pass
    body_mac(
        "easypost",
        ["https://docs.easypost.com/guides/webhooks-guide", "https://github.com/EasyPost/easypost-python"],
        secret=decomposed,
        header="X-Hmac-Signature",
        sign=sign,
        bodies=bodies,
        source="Computed with Python's hmac; accepted by validate_webhook of easypost 10.7.0 (PyPI) and Utils.validateWebhook of @easypost/api 8.9.0 (npm); inputs ours. The secret is written in normalisation form NFKD, which the SDKs bring it into.",
        refused="Derived from the vector above; refused by easypost 10.7.0 (PyPI) and @easypost/api 8.9.0 (npm).",
    )


# --- Marketing and mail ------------------------------------------------------------------------------------------------


def onfleet():
    secret = "c3c1ab1c7a0b4d6e8f9012a3b4c5d6e7c3c1ab1c7a0b4d6e8f9012a3b4c5d6e7"
    completed = {
        "time": 1779730000000,
        "triggerId": 3,
        "triggerName": "taskCompleted",
        "taskId": "11z1BFspwhBYDvIH_FrJfWMm",
        "workerId": "1Ds6ulPYWxNPgaIaoLPqlIQE",
        "data": {"task": {"id": "11z1BFspwhBYDvIH_FrJfWMm", "completionDetails": {"success": True, "notes": "Bei Müller abgegeben ♥"}}},
    }
    body_mac(
        "onfleet",
        ["https://docs.onfleet.com/reference/secrets", "https://docs.onfleet.com/reference/webhooks"],
        secret=secret,
        header="X-Onfleet-Signature",
        sign=lambda body: mac(bytes.fromhex(secret), body, "sha512").hex(),
        bodies=[
            ("task completed, with non-ASCII text", compact(completed), None, "taskCompleted"),
            ("worker on duty", compact({"time": 1779730000000, "triggerId": 5, "triggerName": "workerDuty", "status": 1}), None, "workerDuty"),
        ],
    )


def segment():
    secret = "s3cret-of-the-destination"
    sign = lambda body: mac(secret, body, "sha1").hex()
    track = {
        "type": "track",
        "event": "Purchased an Item",
        "messageId": "segment-test-message-c2x5f",
        "userId": "019mr8mf4r",
        "properties": {"product": "Café crème ♥"},
        "timestamp": "2026-08-07T16:10:01.000Z",
    }
    page = {"type": "page", "messageId": "ajs-9f1d2c3b4a5e", "userId": "019mr8mf4r", "name": "Home", "timestamp": "2026-08-07T16:10:01.000Z"}
    body_mac(
        "segment",
        ["https://segment.com/docs/connections/destinations/catalog/webhooks/"],
        secret=secret,
        header="X-Signature",
        sign=sign,
        bodies=[
            ("track call with non-ASCII text", compact(track), track["messageId"], "track"),
            ("page call", compact(page), page["messageId"], "page"),
        ],
    )


def klaviyo():
    secret = "a-secret-of-16-or-more"
    webhook = "01KP4928STE8FKCWB6WDHZ4ZB7"
    meta = {"timestamp": "2026-08-07T16:10:01.101159+00:00", "klaviyo_webhook_id": webhook, "klaviyo_account_id": "WBhXHN", "version": "2024-06-28"}

    def headers(now, body, date="Fri, 07 Aug 2026 16:10:01 GMT"):
        return {
            "Content-Type": "application/json",
            "Klaviyo-Signature": mac(secret, body + date).hex(),
            "Klaviyo-Timestamp": date,
            "Klaviyo-Webhook-Id": webhook,
        }

    event = {"meta": meta, "data": [{"topic": "event:klaviyo.email_delivered", "external_id": "73WCCK7JKtE", "payload": {}}]}
    subject = {"meta": meta, "data": [{"topic": "event:klaviyo.email_delivered", "external_id": "73WCCK7JKtF", "payload": {"subject": "Frühling ♥"}}]}
    now, body = NOW + 1, compact(event)
    timed(
        "klaviyo",
        ["https://developers.klaviyo.com/en/docs/working_with_system_webhooks"],
        secret=secret,
        now=now,
        headers=headers,
        bodies=[("one event", body, None, None), ("non-ASCII text", compact(subject), None, None)],
        other_times=[(name, at + now - NOW, expect) for name, at, expect in stale(24)],
    )
    path = FOLDER / "klaviyo.json"
    content = json.loads(path.read_text())
    url = "https://hooks.example.com/klaviyo"
    ahead = headers(now, body, "Fri, 07 Aug 2026 21:10:01 GMT")
    content["vectors"] += [
        vector("date five hours ahead, as Klaviyo was seen to send it", COMPUTED, secret, ahead, body, now=now, url=url),
        vector("another date", COMPUTED, secret, ahead | {"Klaviyo-Timestamp": "Fri, 07 Aug 2026 21:10:02 GMT"}, body, now=now, url=url, expect="invalid: signature mismatch"),
        vector(
            "end of the body moved into the date",
            "Derived from the vector above: the signed bytes are the same.",
            secret,
            ahead | {"Klaviyo-Timestamp": "}" + ahead["Klaviyo-Timestamp"]},
            body[:-1],
            now=now,
            url=url,
            expect="invalid: missing timestamp",
        ),
    ]
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n")


def customerio():
    secret = "755781b5e03a973f3405a85474d5a032a60fd56fabaad66039b12eadd83955fa"
    headers = lambda now, body: {
        "Content-Type": "application/json",
        "X-CIO-Timestamp": str(now),
        "X-CIO-Signature": mac(secret, f"v0:{now}:{body}").hex(),
    }
    sent = {
        "data": {"customer_id": "42", "delivery_id": "RPILAgABcRhIBqSp7kiPekGBIeVh", "recipient": "zoë@example.com", "subject": "Grüße"},
        "event_id": "01E4C4G1S0AMNG0XVF2M7RPH5S",
        "object_type": "email",
        "metric": "sent",
        "timestamp": 1585250199,
    }
    opened = sent | {"event_id": "01E4C4G1S0AMNG0XVF2M7RPH5T", "metric": "opened"}
    timed(
        "customerio",
        ["https://docs.customer.io/journeys/webhooks/", "https://docs.customer.io/api/webhooks/"],
        secret=secret,
        now=NOW,
        headers=headers,
        bodies=[
            ("e-mail sent, with non-ASCII text", compact(sent), sent["event_id"], "sent"),
            ("e-mail opened", compact(opened), opened["event_id"], "opened"),
        ],
        other_times=stale(7 * 24 + 1),
    )


def mandrill():
    from urllib.parse import quote_plus

    url, secret = "https://hooks.example.com/mandrill?shop=1", "test-webhook"
    formula = "Computed with Python's hmac by the documented formula (URL, name, decoded value); inputs ours."

    def make(name, events, *, body=None, source=formula, expect="valid", signed=None, secret=secret):
        signature = b64(mac(secret, url + "mandrill_events" + (signed or events), "sha1"))
        headers = {"Content-Type": "application/x-www-form-urlencoded", "X-Mandrill-Signature": signature}
        body = body or "mandrill_events=" + quote_plus(events)
        return vector(name, source, secret, headers, body, url=url, expect=expect)

    events = compact([{"event": "open", "_id": "exampleaaaaaaaaaaaaaaaaaaaaaaaaa", "msg": {"subject": "Grüße & Küsse ♥"}, "ts": 1365111111}])
    write(
        "mailchimp-transactional",
        ["https://mailchimp.com/developer/transactional/guides/track-respond-activity-webhooks/"],
        [
            make("test of a new webhook, whose key is test-webhook", "[]"),
            make("non-ASCII text", events),
            make("the same with %20 for blanks", events, body="mandrill_events=" + quote_plus(events).replace("+", "%20")),
            make("another event", events.replace("open", "spam"), signed=events, expect="invalid: signature mismatch"),
            make(
                "a second field",
                events,
                body="mandrill_events=" + quote_plus(events) + "&x=1",
                signed=events + "x1",
                source="Derived: the documented formula covers any fields, but without separators; Mandrill only sends mandrill_events, and this crate takes nothing else.",
                expect="invalid: ambiguous message",
            ),
        ],
    )


def mailgun():
    secret = "key-3ax6xnjp29jd6fds4gc373sgvjxteol0"
    token = "84caa97b6ce3cd1d6af6c4c7c4fe3d7e3ed5ed1a45a9a9c15b"

    def body(event, token=token):
        signature = {"token": token, "timestamp": str(NOW), "signature": mac(secret, f"{NOW}{token}").hex()}
        return compact({"signature": signature, "event-data": {"event": event, "id": "CPgfbmQMTCKtHW6uIWtuVe", "recipient": "zoë@example.com"}})

    headers = {"Content-Type": "application/json"}
    derived = "Derived from the vector above; computed with Python's hmac."
    write(
        "mailgun",
        ["https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks"],
        [
            vector("non-ASCII text", COMPUTED, secret, headers, body("delivered"), now=NOW, id=token, event="delivered"),
            vector("eight hours later", COMPUTED, secret, headers, body("opened"), now=NOW + 8 * 3600, id=token, event="opened"),
            vector("nine hours later", derived, secret, headers, body("delivered"), now=NOW + 9 * 3600, expect="invalid: stale"),
            vector("another token", derived, secret, headers, body("delivered").replace(token, token[::-1]), now=NOW, expect="invalid: signature mismatch"),
            vector("a time that was not signed", derived, secret, headers, body("delivered").replace(str(NOW), str(NOW + 1)), now=NOW, expect="invalid: signature mismatch"),
        ],
    )
    form = f"recipient=bob%40example.com&sender=alice%40example.com&subject=Gr%C3%BC%C3%9Fe&timestamp={NOW}&token={token}&signature={mac(secret, f'{NOW}{token}').hex()}"
    boundary = "c1b2a3d4e5f6"
    fields = {"subject": "Grüße ♥", "timestamp": NOW, "token": token, "signature": mac(secret, f"{NOW}{token}").hex()}
    multipart = "".join(f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n' for name, value in fields.items()) + f"--{boundary}--\r\n"
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    write(
        "mailgun-routes",
        ["https://documentation.mailgun.com/docs/mailgun/user-manual/receive-forward-store/receive-http", "https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks"],
        [
            vector("message as a form", COMPUTED, secret, headers, form, now=NOW, id=token),
            vector("message as multipart/form-data, with non-ASCII text", COMPUTED, secret, {"Content-Type": f"multipart/form-data; boundary={boundary}"}, multipart, now=NOW, id=token),
            vector("nine hours later", derived, secret, headers, form, now=NOW + 9 * 3600, expect="invalid: stale"),
            vector("another token", derived, secret, headers, form.replace(token, token[::-1]), now=NOW, expect="invalid: signature mismatch"),
        ],
    )


def sendgrid():
    from sendgrid.helpers.eventwebhook import EventWebhook

    key = fixed_ec_key(b"sendgrid")
    public = pem(key).split("\n", 1)[1].rsplit("-----END", 1)[0].replace("\n", "")

    def headers(now, body):
        signature = key.sign(f"{now}{body}".encode(), ec.ECDSA(hashes.SHA256(), deterministic_signing=True))
        return {
            "Content-Type": "application/json",
            "X-Twilio-Email-Event-Webhook-Signature": b64(signature),
            "X-Twilio-Email-Event-Webhook-Timestamp": str(now),
        }

    event = {"email": "zoë@example.com", "event": "open", "sg_event_id": "b3BlbjE", "category": ["Grüße"], "timestamp": NOW - 9}
    body = compact([event]) + "\r\n"
    sent = headers(NOW, body)
    judge = lambda text: EventWebhook(public).verify_signature(
        text, sent["X-Twilio-Email-Event-Webhook-Signature"], sent["X-Twilio-Email-Event-Webhook-Timestamp"]
    )
    assert judge(body) and not judge(body + " ")
    sdks = "EventWebhook.verify_signature of sendgrid 6.12.5 (PyPI) and EventWebhook.verifySignature of @sendgrid/eventwebhook 8.0.0 (npm)"
    timed(
        "sendgrid",
        ["https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/getting-started-event-webhook-security-features"],
        secret=public,
        now=NOW,
        headers=headers,
        bodies=[("non-ASCII text", body, None, None)],
        other_times=[],
        source=f"Computed with cryptography 50.0.2 (PyPI), with a key made for this file; accepted by {sdks}; inputs ours.",
        refused=f"Derived from the vector above; refused by {sdks}.",
    )
    path = FOLDER / "sendgrid.json"
    content = json.loads(path.read_text())
    derived = "Derived from the vector above; the SDKs leave the time to the receiver."
    content["vectors"] += [
        vector(name, derived, public, sent, body, now=at, expect=expect, url="https://hooks.example.com/sendgrid") for name, at, expect in stale(25)
    ]
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n")


def resend():
    from resend import Webhooks

    secret, id = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
    key = base64.b64decode(secret.removeprefix("whsec_"))
    headers = lambda now, body: {
        "Content-Type": "application/json",
        "svix-id": id,
        "svix-timestamp": str(now),
        "svix-signature": "v1," + b64(mac(key, f"{id}.{now}.{body}")),
    }

    def judge(body, signed, at):
        made = headers(NOW, signed)
        options = {"payload": body, "webhook_secret": secret, "headers": {name.removeprefix("svix-"): value for name, value in made.items()}}
        with mock.patch("time.time", return_value=at):
            try:
                Webhooks.verify(options)
                return True
            except ValueError:
                return False

    event = {"type": "email.delivered", "created_at": "2026-08-07T16:10:00.000Z", "data": {"email_id": "56761188-7520-42d8-8898-ff6fc54ce618", "subject": "Grüße ♥"}}
    bounced = event | {"type": "email.bounced"}
    body = compact(event)
    assert judge(body, body, NOW) and judge(compact(bounced), compact(bounced), NOW) and not judge(body + " ", body, NOW)
    assert not judge(body, body, NOW + 360) and not judge(body, body, NOW - 360)
    sdks = "Webhooks.verify of resend 2.52.0 (PyPI) and webhooks.verify of resend 6.38.0 (npm)"
    timed(
        "resend",
        ["https://resend.com/docs/webhooks/verify-webhooks-requests"],
        secret=secret,
        now=NOW,
        headers=headers,
        bodies=[("e-mail delivered, with non-ASCII text", body, id, "email.delivered"), ("e-mail bounced", compact(bounced), id, "email.bounced")],
        other_times=STALE,
        source=f"Computed with Python's hmac; accepted by {sdks}; inputs ours.",
        refused=f"Derived from the vector above; refused by {sdks}.",
    )


def loops():
    secret, id = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_2xQ7h9LkR3vN"
    key = base64.b64decode(secret.removeprefix("whsec_"))
    headers = lambda now, body: {
        "Content-Type": "application/json",
        "Webhook-Id": id,
        "Webhook-Timestamp": str(now),
        "Webhook-Signature": "v1," + b64(mac(key, f"{id}.{now}.{body}")),
    }
    created = {"eventName": "contact.created", "webhookSchemaVersion": "1.0.0", "eventTime": 1734425918, "contactIdentity": {"id": "cm4ttoxz", "email": "zoë@example.com"}}
    sent = created | {"eventName": "email.delivered"}
    timed(
        "loops",
        ["https://loops.so/docs/webhooks"],
        secret=secret,
        now=NOW,
        headers=headers,
        bodies=[("contact created, with non-ASCII text", compact(created), id, "contact.created"), ("e-mail delivered", compact(sent), id, "email.delivered")],
        other_times=STALE,
    )


def emailit():
    from emailit import exceptions
    from emailit._webhook_signature import WebhookSignature

    secret = "whsec_0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"
    headers = lambda now, body: {
        "Content-Type": "application/json",
        "User-Agent": "Emailit-Webhooks/2.0",
        "X-Emailit-Timestamp": str(now),
        "X-Emailit-Signature": WebhookSignature.compute_signature(body, str(now), secret),
    }
    delivered = {"event_id": "evt_2bH7kNwP5mQaV1sXgIdKe6pZr", "type": "email.delivered", "data": {"object": {"id": "em_4yM2nTvR8oPcX3uZiKeLg7sB", "object": "email", "subject": "Grüße ♥"}}}
    bounced = delivered | {"event_id": "evt_2bH7kNwP5mQaV1sXgIdKe6pZs", "type": "email.bounced"}

    def judge(body, signed, at):
        made = headers(NOW, signed)
        with mock.patch("time.time", return_value=at):
            try:
                WebhookSignature.verify(body, made["X-Emailit-Signature"], made["X-Emailit-Timestamp"], secret)
                return True
            except exceptions.api_error.ApiErrorException:
                return False

    body = compact(delivered)
    assert judge(body, body, NOW) and not judge(body + " ", body, NOW) and not judge(body, body, NOW + 360) and judge(body, body, NOW - 360)
    timed(
        "emailit",
        ["https://emailit.com/docs/webhooks/request-signature/", "https://emailit.com/docs/webhooks/webhook-requests/"],
        secret=secret,
        now=NOW,
        headers=headers,
        bodies=[
            ("e-mail delivered, with non-ASCII text", body, delivered["event_id"], "email.delivered"),
            ("e-mail bounced", compact(bounced), bounced["event_id"], "email.bounced"),
        ],
        other_times=[STALE[0], (STALE[1][0], STALE[1][1], STALE[1][2] + " (the SDK accepts it; this crate does not)")],
        source="Computed by WebhookSignature.compute_signature of emailit 2.0.1 (PyPI), accepted by its verify; inputs ours.",
        refused="Derived from the vector above; refused by WebhookSignature.verify of emailit 2.0.1 (PyPI), unless `expect` says otherwise.",
    )


def lettermint():
    from lettermint import Webhook
    from lettermint.exceptions import WebhookVerificationError

    secret = "whsec_abc123def456ghi789jkl012mno345pq"
    headers = lambda now, body, event="message.delivered": {
        "Content-Type": "application/json",
        "X-Lettermint-Signature": f"t={now},v1=" + mac(secret, f"{now}.{body}").hex(),
        "X-Lettermint-Event": event,
        "X-Lettermint-Delivery": str(now),
        "X-Lettermint-Attempt": "1",
    }
    delivered = {"id": "b6fdcab8-5e5c-4c1f-b2d3-64e0b2d1f0a1", "event": "message.delivered", "timestamp": "2026-08-07T16:09:59.000Z", "data": {"message_id": "5d4f3a2b", "subject": "Grüße ♥"}}
    bounced = delivered | {"id": "b6fdcab8-5e5c-4c1f-b2d3-64e0b2d1f0a2", "event": "message.hard_bounced"}

    def judge(body, signed, at):
        with mock.patch("time.time", return_value=at):
            try:
                return bool(Webhook(secret).verify(body, headers(NOW, signed)))
            except WebhookVerificationError:
                return False

    body = compact(delivered)
    assert judge(body, body, NOW) and not judge(body + " ", body, NOW) and not judge(body, body, NOW + 360) and not judge(body, body, NOW - 360)
    sdks = "Webhook.verify of lettermint 3.2.0 (PyPI) and Webhook.verifyHeaders of lettermint 2.7.0 (npm)"
    timed(
        "lettermint",
        ["https://docs.lettermint.co/platform/webhooks/signing"],
        secret=secret,
        now=NOW,
        headers=headers,
        bodies=[
            ("message delivered, with non-ASCII text", body, delivered["id"], "message.delivered"),
            ("message bounced", compact(bounced), bounced["id"], "message.hard_bounced"),
        ],
        other_times=STALE,
        source=f"Computed with Python's hmac; accepted by {sdks}; inputs ours.",
        refused=f"Derived from the vector above; refused by {sdks}.",
    )


def mailtrap():
    from mailtrap.webhooks import verify_signature

    secret = "8d9a3c0e7f5b2d4a6c1e9f8b7a3d5c2e"
    event = {"event": "delivery", "message_id": "9fb8bd10-6b4f-11f0-b558-0242ac120002", "event_id": "a2c3d4e5", "email": "zoë@example.com", "timestamp": NOW}
    bodies = [
        ("list of one event, with non-ASCII text", compact({"events": [event]}), None, None),
        ("the same as JSON lines", compact(event) + "\n" + compact(event | {"event": "open", "event_id": "a2c3d4e6"}) + "\n", None, None),
    ]
    sign = lambda body: mac(secret, body).hex()
    assert all(verify_signature(body, sign(body), secret) for _, body, *_ in bodies)
    assert not verify_signature(bodies[0][1] + " ", sign(bodies[0][1]), secret)
    sdks = "verify_signature of mailtrap 2.11.0 (PyPI) and verifyWebhookSignature of mailtrap 4.10.0 (npm)"
    body_mac(
        "mailtrap",
        ["https://docs.mailtrap.io/email-api-smtp/advanced/webhooks", "https://mailtrap.github.io/mailtrap-dotnet/api/Mailtrap.Webhooks.WebhookSignature.html"],
        secret=secret,
        header="Mailtrap-Signature",
        sign=sign,
        bodies=bodies,
        source=f"Computed with Python's hmac; accepted by {sdks}; inputs ours.",
        refused=f"Derived from the vector above; refused by {sdks}.",
    )


def sendpost():
    secret = "PyUklwwkmWyAR1Vwz2Gw"
    event = {"event": {"eventID": "f2d8f4f6", "type": 2, "to": {"email": "zoë@example.com"}, "submittedAt": NOW}, "emailMessage": {"subject": "Grüße ♥"}}
    body_mac(
        "sendpost",
        ["https://docs.sendpost.io/api-reference/webhook/webhook-signature-verification"],
        secret=secret,
        header="X-SendPost-Signature",
        sign=lambda body: mac(secret, body).hex(),
        bodies=[
            ("event with non-ASCII text", compact(event), None, None),
            ("event, pretty-printed", json.dumps(event, indent=2), None, None),
        ],
        extra={"X-SendPost-Signature-Alg": "hmac-sha256", "X-SendPost-Webhook-Id": "550e8400-e29b-41d4-a716-446655440000", "X-SendPost-Webhook-Attempt": "1"},
    )


def agentmail():
    secret, id = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek"
    key = base64.b64decode(secret.removeprefix("whsec_"))
    headers = lambda now, body: {
        "Content-Type": "application/json",
        "svix-id": id,
        "svix-timestamp": str(now),
        "svix-signature": "v1," + b64(mac(key, f"{id}.{now}.{body}")),
    }
    received = {"type": "event", "event_type": "message.received", "event_id": "evt_123", "message": {"inbox_id": "inbox@agentmail.to", "subject": "Grüße ♥"}}
    timed(
        "agentmail",
        ["https://docs.agentmail.to/webhook-verification"],
        secret=secret,
        now=NOW,
        headers=headers,
        bodies=[
            ("message received, with non-ASCII text", compact(received), id, "message.received"),
            ("message sent", compact(received | {"event_type": "message.sent"}), id, "message.sent"),
        ],
        other_times=STALE,
        source="Computed with Python's hmac as Svix does, whose libraries the documentation refers to; inputs ours.",
    )


def credentials(provider, documentation, secret, authorization, wrong, bodies):
    """Providers that sign nothing, and send what was configured."""
    headers = lambda text: {"Content-Type": "application/json", "Authorization": text}
    source = "Composed as documented; nothing is computed beyond base64; inputs ours."
    write(
        provider,
        documentation,
        [vector(name, source, secret, headers(authorization), body, event=event) for name, body, event in bodies]
        + [
            vector("other credentials", source, secret, headers(wrong), bodies[0][1], expect="invalid: other credentials"),
            vector("no credentials", source, secret, {"Content-Type": "application/json"}, bodies[0][1], expect="invalid: missing signature"),
        ],
    )


def postmark_and_brevo():
    basic = lambda text: "Basic " + b64(text.encode())
    bounce = compact({"RecordType": "Bounce", "ID": 4323372036854775807, "Type": "HardBounce", "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483", "Subject": "Grüße ♥", "BouncedAt": "2026-08-07T16:10:01Z"})
    delivery = compact({"RecordType": "Delivery", "MessageID": "883953f4-6105-42a2-a16a-77a8eac79483", "DeliveredAt": "2026-08-07T16:10:01Z"})
    credentials(
        "postmark",
        ["https://postmarkapp.com/developer/webhooks/webhooks-overview"],
        "postmark:correct-horse",
        basic("postmark:correct-horse"),
        basic("postmark:wrong-horse"),
        [("bounce with non-ASCII text", bounce, "Bounce"), ("delivery", delivery, "Delivery")],
    )
    bodies = [
        ("e-mail delivered, with non-ASCII text", compact({"event": "delivered", "email": "zoë@example.com", "message-id": "<201798300811.5787683@relay.domain.com>", "ts_event": NOW}), "delivered"),
        ("e-mail opened", compact({"event": "opened", "email": "ana@example.com", "message-id": "<201798300811.5787684@relay.domain.com>", "ts_event": NOW}), "opened"),
    ]
    documentation = ["https://developers.brevo.com/docs/secured-webhooks"]
    credentials("brevo", documentation, "brevo:correct-horse", basic("brevo:correct-horse"), basic("brevo:wrong-horse"), bodies)
    token = "c3VwZXItc2VjcmV0LXRva2Vu"
    credentials("brevo-token", documentation, token, f"Bearer {token}", f"Bearer {token[::-1]}", bodies)


def mailersend():
    secret = "6IRJ6NPQpH7Y8cYmE2CWPO2TW8zZvUdO"
    event = {
        "type": "activity.sent",
        "domain_id": "yv69oxl5kl785kw2",
        "created_at": "2026-08-07T16:10:01.000000Z",
        "webhook_id": "2351ndgwr4zqx8ko",
        "url": "https://hooks.example.com/mailersend",
        "data": {"object": "activity", "id": "62f114f8165fe0d8db0288e3", "type": "sent", "email": {"subject": "Grüße ♥"}},
    }
    body_mac(
        "mailersend",
        ["https://developers.mailersend.com/api/v1/webhooks.html", "https://github.com/mailersend/mailersend-nodejs"],
        secret=secret,
        header="Signature",
        sign=lambda body: mac(secret, body).hex(),
        bodies=[
            ("e-mail sent, with non-ASCII text", compact(event), None, "activity.sent"),
            ("e-mail opened", compact(event | {"type": "activity.opened"}), None, "activity.opened"),
        ],
        source="Computed with Python's hmac; accepted by MailerSendUtils.verifyWebHook of mailersend 3.4.0 (npm); inputs ours.",
        refused="Derived from the vector above; refused by MailerSendUtils.verifyWebHook of mailersend 3.4.0 (npm).",
    )


# --- Shops -----------------------------------------------------------------------------------------------------------


def ebay():
    key, kid = fixed_ec_key(b"ebay"), "9936261a-7d7b-4621-a0f1-96ccb428af49"

    def header(body, kid=kid):
        signature = key.sign(body.encode(), ec.ECDSA(hashes.SHA1(), deterministic_signing=True))
        return b64(compact({"alg": "ecdsa", "kid": kid, "signature": b64(signature), "digest": "SHA1"}).encode())

    note = {
        "metadata": {"topic": "MARKETPLACE_ACCOUNT_DELETION", "schemaVersion": "1.0", "deprecated": False},
        "notification": {
            "notificationId": "49feeaeb-4982-42d9-a377-9645b8479411_33f7e043-fed8-442b-9d44-791923bd9a6e",
            "eventDate": "2026-08-07T16:09:59.462Z",
            "publishDate": "2026-08-07T16:10:01.679Z",
            "publishAttemptCount": 1,
            "data": {"username": "zoë_müller", "userId": "ma8vp1jySJC", "eiasToken": "nY+sHZ2PrBmdj6wVnY+sEZ2PrA2dj6wJnY+gAZGEpwmdj6x9nY+seQ=="},
        },
    }
    body = compact(note)
    ring = [{"id": kid, "key": pem(key)}, {"id": "another", "key": pem(fixed_ec_key(b"another"))}]
    sdk = "validateSignature of event-notification-nodejs-sdk 1.0.3 (npm), its fetching of keys stubbed"
    make = lambda name, verb, headers, body, **more: vector(
        name, f"Computed with cryptography 50.0.2 (PyPI), with a key made for this file; {verb} by {sdk}; inputs ours.", ring, headers, body, **more
    )
    headers = {"Content-Type": "application/json", "X-EBAY-SIGNATURE": header(body)}
    write(
        "ebay",
        ["https://developer.ebay.com/marketplace-account-deletion", "https://developer.ebay.com/api-docs/commerce/notification/overview.html"],
        [
            make("account deletion with non-ASCII text", "accepted", headers, body, id=note["notification"]["notificationId"], event="MARKETPLACE_ACCOUNT_DELETION"),
            make("another user", "refused", headers, body.replace("zoë", "zoe"), expect="invalid: signature mismatch"),
            make("key of another id", "refused", headers | {"X-EBAY-SIGNATURE": header(body, "another")}, body, expect="invalid: signature mismatch"),
        ],
    )


def squarespace():
    secret = "F3F9B981C78E7A6187E42853F6CE2804177E98206164779423B02DEC981ACD6B"
    note = {
        "id": "5c2ba184b63ed3cb411ce2b1",
        "websiteId": "5f3c3d55ac435e1a051f77b3",
        "subscriptionId": "5f3c2155d947844beedda991",
        "topic": "order.create",
        "createdOn": "2026-08-07T16:10:01.123Z",
        "data": {"orderId": "585d498fdee9f31a60284a37", "note": "Größe ♥"},
    }
    body_mac(
        "squarespace",
        ["https://developers.squarespace.com/webhooks/verifying-notifications", "https://developers.squarespace.com/webhooks/overview"],
        secret=secret,
        header="Squarespace-Signature",
        sign=lambda body: mac(bytes.fromhex(secret), body).hex(),
        bodies=[
            ("order with non-ASCII text", compact(note), note["id"], "order.create"),
            ("extension uninstalled", compact(note | {"topic": "extension.uninstall", "data": {}}), note["id"], "extension.uninstall"),
        ],
        source="Computed with Python's hmac by the documented formula; secret of the documentation, other inputs ours.",
    )


def wix():
    key = fixed_rsa_key(b"wix")
    derived = "Derived from the vector above; refused by AppStrategy of @wix/sdk 1.21.16 (npm)."
    accepted = "Computed with cryptography 50.0.2 (PyPI) as RFC 7515 says, with a key made for this file; accepted by parseJWT of @wix/sdk 1.21.16 (npm); inputs ours."

    def token(text, algorithm="RS256"):
        event = {"data": compact({"note": text}), "instanceId": "4a5b6c7d-8e9f-4a0b-9c1d-2e3f4a5b6c7d", "eventType": "wix.contacts.v4.contact_created"}
        claims = {"data": json.dumps(event), "iat": NOW, "exp": NOW + 300_000}
        signed = ".".join(b64url(json.dumps(part).encode()) for part in ({"kid": "qG1kD2dz", "alg": algorithm}, claims))
        if algorithm == "HS256":
            return f"{signed}.{b64url(mac(pem(key), signed))}"
        return f"{signed}.{b64url(key.sign(signed.encode(), padding.PKCS1v15(), hashes.SHA256()))}"

    headers = {"Content-Type": "text/plain"}
    good = token("Ana")
    write(
        "wix",
        ["https://dev.wix.com/docs/rest/articles/getting-started/webhooks", "https://dev.wix.com/docs/build-apps/develop-your-app/access/authentication/verify-requests-received-from-wix"],
        [
            vector("contact created", accepted, pem(key), headers, good, now=NOW),
            vector("non-ASCII text in the claims", accepted, pem(key), headers, token("Zoë ♥"), now=NOW),
            vector("expired", derived, pem(key), headers, good, now=NOW + 300_100, expect="invalid: stale"),
            vector("another signature", derived, pem(key), headers, good[:-8] + "AAAAAAAA", now=NOW, expect="invalid: signature mismatch"),
            vector("HS256 with the public key as secret", derived, pem(key), headers, token("Ana", "HS256"), now=NOW, expect="invalid: wrong algorithm"),
        ],
    )


def ecwid():
    secret = "abcde123456789"
    event = {
        "eventId": "80aece08-40e8-4145-8764-6c2f0d38678",
        "eventCreated": 1234567,
        "storeId": 1003,
        "entityId": 103878161,
        "eventType": "order.created",
        "data": {"orderId": "XJ12H", "newPaymentStatus": "PAID", "newFulfillmentStatus": "SHIPPED", "note": "Größe ♥"},
    }
    signature = b64(mac(secret, f"{event['eventCreated']}.{event['eventId']}"))
    headers = {"Content-Type": "application/json", "X-Ecwid-Webhook-Signature": signature}
    inputs = "Computed with Python's hmac by the documented formula; secret and event of the documentation, its note ours."
    derived = "Derived from the vector above; computed with Python's hmac."
    write(
        "ecwid",
        ["https://docs.ecwid.com/webhook-automations/setup-webhooks", "https://docs.ecwid.com/build-apps/webhook-automations/setup-webhooks/code-example-for-webhook-handling"],
        [
            vector("order with non-ASCII text", inputs, secret, headers, compact(event), id=event["eventId"], event="order.created"),
            vector("another type, which is not signed", inputs, secret, headers, compact(event | {"eventType": "order.updated"}), id=event["eventId"], event="order.updated"),
            vector("another id", derived, secret, headers, compact(event | {"eventId": "80aece08-40e8-4145-8764-6c2f0d38679"}), expect="invalid: signature mismatch"),
            vector("another time", derived, secret, headers, compact(event | {"eventCreated": 1234568}), expect="invalid: signature mismatch"),
        ],
    )


def loop_returns():
    secret = "5d8f0c2b7a6e4f13"
    created = {"trigger": "return.created", "id": "1234", "provider_order_id": "54321", "customer_note": "Zu groß ♥"}
    body_mac(
        "loop-returns",
        ["https://docs.loopreturns.com/reference/hmac-calculation", "https://docs.loopreturns.com/webhook-reference/validation"],
        secret=secret,
        header="X-Loop-Signature",
        sign=lambda body: b64(mac(secret, body)),
        bodies=[
            ("return with non-ASCII text", compact(created), None, None),
            ("return, pretty-printed", json.dumps(created, indent=2), None, None),
        ],
    )


def fourthwall():
    secret = "e3f93c7c-c92b-4b8f-a9b1-5b70e0891abc"
    order = {
        "testMode": False,
        "id": "weve_geAva6c1RAuyb9HQxbSlmA",
        "webhookId": "wcon_P-VkRfmJTBaC6_Tst22cew",
        "shopId": "sh_7ad0c438-beda-4779-a885-0dc325a755c1",
        "type": "ORDER_PLACED",
        "apiVersion": "V1_BETA",
        "createdAt": "2023-07-12T15:05:11.078089+00:00",
        "data": {"message": "Dziękuję ♥"},
    }
    sign = lambda body: b64(mac(secret, body))
    source = "Computed with Python's hmac by the documented formula; secret and envelope of the documentation, data ours."
    body_mac(
        "fourthwall",
        ["https://docs.fourthwall.com/webhooks/signature-verification", "https://docs.fourthwall.com/webhooks/webhook-model"],
        secret=secret,
        header="X-Fourthwall-Hmac-SHA256",
        sign=sign,
        bodies=[
            ("order with non-ASCII text", compact(order), order["id"], "ORDER_PLACED"),
            ("order, pretty-printed", json.dumps(order, indent=2), order["id"], "ORDER_PLACED"),
        ],
        source=source,
    )
    body_mac(
        "fourthwall-apps",
        ["https://docs.fourthwall.com/webhooks/signature-verification", "https://docs.fourthwall.com/webhooks/webhook-model"],
        secret=secret,
        header="X-Fourthwall-Hmac-Apps-SHA256",
        sign=sign,
        bodies=[
            ("order with non-ASCII text", compact(order), order["id"], "ORDER_PLACED"),
            ("subscription", compact(order | {"type": "SUBSCRIPTION_PURCHASED", "data": {}}), order["id"], "SUBSCRIPTION_PURCHASED"),
        ],
        source=source,
    )


def shopware():
    secret = "dont-tell-shopware-secret"
    event = {
        "data": {"payload": [{"entity": "product", "operation": "update", "primaryKey": "7b04ebe416db4ebc93de4d791325e1d9", "updatedFields": ["größe"]}], "event": "product.written"},
        "source": {"url": "http://localhost:8000", "appVersion": "0.0.1", "shopId": "dgrH7nLU6tlE", "eventId": "7b04ebe416db4ebc93de4d791325e1d9"},
        "timestamp": 123123123,
    }
    source = "Computed with Python's hmac by the documented formula; accepted by DualSignatureVerifier of @shopware-ag/app-server-sdk 2.0.3 (npm); event of the documentation, its fields ours."
    body_mac(
        "shopware",
        ["https://developer.shopware.com/docs/guides/plugins/apps/webhook.html", "https://developer.shopware.com/docs/guides/plugins/apps/app-signature-verification.html"],
        secret=secret,
        header="shopware-shop-signature",
        sign=lambda body: mac(secret, body).hex(),
        bodies=[
            ("product written, with non-ASCII text", compact(event), event["source"]["eventId"], "product.written"),
            ("slashes escaped as PHP does", compact(event).replace("/", "\\/"), event["source"]["eventId"], "product.written"),
        ],
        source=source,
        refused="Derived from the vector above; refused by DualSignatureVerifier of @shopware-ag/app-server-sdk 2.0.3 (npm).",
    )


# --- Social networks and messengers ------------------------------------------------------------------------------------


def linkedin():
    secret = "client_secret_example"
    lead = {"type": "LEAD_ACTION", "leadAction": "CREATED", "occurredAt": 1700000000000}
    social = {"type": "ORGANIZATION_SOCIAL_ACTION_NOTIFICATIONS", "notifications": [{"notificationId": 12345, "action": "COMMENT", "text": "Très bien ♥"}]}
    body_mac(
        "linkedin",
        ["https://learn.microsoft.com/en-us/linkedin/shared/api-guide/webhook-validation"],
        secret=secret,
        header="X-LI-Signature",
        sign=lambda body: mac(secret, "hmacsha256=" + body).hex(),
        bodies=[
            ("lead", compact(lead), None, lead["type"]),
            ("comment with non-ASCII text", compact(social), None, social["type"]),
        ],
    )
    path = FOLDER / "linkedin.json"
    content = json.loads(path.read_text())
    headers = {"Content-Type": "application/json", "X-LI-Signature": mac(secret, compact(lead)).hex()}
    content["vectors"].append(
        vector("signature without the literal prefix", COMPUTED, secret, headers, compact(lead), expect="invalid: signature mismatch", url="https://hooks.example.com/linkedin")
    )
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n")


def tiktok():
    secret = "tiktok-client-secret"
    headers = lambda now, body: {"Content-Type": "application/json", "TikTok-Signature": f"t={now},s=" + mac(secret, f"{now}.{body}").hex()}
    event = {
        "client_key": "bwo2m45353a6k85",
        "event": "video.publish.completed",
        "create_time": 1615338610,
        "user_openid": "act.example",
        "content": '{"share_id":"video.6974245311675353080.VDCxrcMJ"}',
    }
    timed(
        "tiktok",
        ["https://developers.tiktok.com/doc/webhooks-verification", "https://developers.tiktok.com/doc/webhooks-overview"],
        secret=secret,
        now=NOW,
        headers=headers,
        bodies=[
            ("video published", compact(event), None, event["event"]),
            ("non-ASCII text", compact(event | {"event": "authorization.removed", "content": '{"reason":"Ünïcode ♥"}'}), None, "authorization.removed"),
        ],
        other_times=stale(73),
    )


def meta():
    secret = "5ebe2294ecd0e0f08eab7690d2a6ee69"
    page = compact(
        {"object": "page", "entry": [{"id": "682498302938465", "time": 1518479195594, "messaging": [{"message": {"mid": "mid.1457764197618", "text": "ESC"}}]}]}
    ).replace("ESC", "caf\\u00e9 \\u2665")
    plain = compact({"object": "instagram", "entry": [{"id": "17841400000000000", "time": 1518479195, "changes": [{"field": "comments", "value": {"text": "café ♥"}}]}]})
    whatsapp = compact(
        {
            "object": "whatsapp_business_account",
            "entry": [{"id": "102290129340398", "changes": [{"field": "messages", "value": {"messages": [{"id": "wamid.HBgLMTY1MDM4Nzk0MzkVAgASGBQzQTRBNjU5OUFFRTAzODEwMTQ0RgA=", "text": {"body": "ESC"}}]}}]}],
        }
    ).replace("ESC", "caf\\u00e9 \\u2665")
    contact = compact({"object": "whatsapp_business_account", "entry": [{"id": "102290129340398", "changes": [{"field": "messages", "value": {"contacts": [{"profile": {"name": "Zoë ♥"}, "wa_id": "16505551234"}]}}]}]})
    documentation = ["https://developers.facebook.com/docs/graph-api/webhooks/getting-started"]
    common = {"secret": secret, "header": "X-Hub-Signature-256", "sign": lambda body: "sha256=" + mac(secret, body).hex()}
    messages = [("message with escaped non-ASCII text", page, None, "page"), ("comment with text that is not escaped", plain, None, "instagram")]
    body_mac("meta", documentation + ["https://developers.facebook.com/docs/messenger-platform/webhooks"], bodies=messages, **common)
    body_mac(
        "whatsapp",
        documentation + ["https://developers.facebook.com/docs/whatsapp/cloud-api/guides/set-up-webhooks"],
        bodies=[("message with escaped non-ASCII text", whatsapp, None, "whatsapp_business_account"), ("contact with text that is not escaped", contact, None, "whatsapp_business_account")],
        **common,
    )
    common |= {"header": "X-Hub-Signature", "sign": lambda body: "sha1=" + mac(secret, body, "sha1").hex()}
    body_mac("meta-sha1", documentation, bodies=messages, **common)


def x_twitter():
    secret = "consumer-secret"
    event = {"for_user_id": "2244994945", "tweet_create_events": [{"id_str": "1050118621198921728", "text": "Grüße ♥"}]}
    direct = {"for_user_id": "2244994945", "direct_message_events": [{"type": "message_create", "id": "954491830116155396"}]}
    body_mac(
        "x-twitter",
        ["https://docs.x.com/x-api/webhooks/quickstart", "https://github.com/xdevplatform/autohook"],
        secret=secret,
        header="x-twitter-webhooks-signature",
        sign=lambda body: "sha256=" + b64(mac(secret, body)),
        bodies=[("post with non-ASCII text", compact(event), None, None), ("direct message", compact(direct), None, None)],
        source="Computed with Python's hmac; accepted by validateSignature of twitter-autohook 1.7.2 (npm); inputs ours.",
        refused="Derived from the vector above; refused by validateSignature of twitter-autohook 1.7.2 (npm).",
    )


def line():
    from linebot.v3.webhook import SignatureValidator

    secret = "8c570fa6dd201bb328f1c1eac23a96d8"
    sign = lambda body: b64(mac(secret, body))
    event = {
        "destination": "U8e742f61d673b39c7fff3cecb7536ef0",
        "events": [
            {
                "type": "message",
                "message": {"type": "text", "id": "444573844083572737", "text": "こんにちは ♥"},
                "timestamp": 1462629479859,
                "webhookEventId": "01FZ74A0TDDPYRVKNK77XKC3ZR",
                "deliveryContext": {"isRedelivery": False},
            }
        ],
    }
    bodies = [("message with non-ASCII text", compact(event), None, None), ("verification without events", compact(event | {"events": []}), None, None)]
    judge = SignatureValidator(secret).validate
    assert all(judge(body, sign(body)) for _, body, *_ in bodies) and not judge(bodies[0][1] + " ", sign(bodies[0][1]))
    sdks = "SignatureValidator of line-bot-sdk 3.27.0 (PyPI) and validateSignature of @line/bot-sdk 11.0.0 (npm)"
    body_mac(
        "line",
        ["https://developers.line.biz/en/docs/messaging-api/verify-webhook-signature/"],
        secret=secret,
        header="x-line-signature",
        sign=sign,
        bodies=bodies,
        source=f"Computed with Python's hmac; accepted by {sdks}; inputs ours.",
        refused=f"Derived from the vector above; refused by {sdks}.",
    )


def wechat():
    token, nonce, time = "weixin-token", "486452656", str(NOW)

    def url(nonce=nonce, time=time, token=token):
        signature = hashlib.sha1("".join(sorted([token, time, nonce])).encode()).hexdigest()
        return f"https://hooks.example.com/wechat?signature={signature}&timestamp={time}&nonce={nonce}&openid=oA1b2C3"

    body = "<xml><ToUserName><![CDATA[gh_1]]></ToUserName><MsgType><![CDATA[text]]></MsgType><Content><![CDATA[你好]]></Content><MsgId>1234567890123456</MsgId></xml>"
    headers = {"Content-Type": "text/xml"}
    formula = "Computed with Python's hashlib by the documented formula (SHA-1 of token, time and nonce, sorted); inputs ours."
    make = lambda name, url, **more: vector(name, formula, token, headers, more.pop("body", body), url=url, now=more.pop("now", NOW), **more)
    write(
        "wechat-mp",
        ["https://developers.weixin.qq.com/doc/offiaccount/Basic_Information/Access_Overview.html"],
        [
            make("message with non-ASCII text", url()),
            make("nonce that sorts before the time", url("123456789")),
            make("token that sorts first", url(token="0token")) | {"secret": "0token"},
            make("another body, which is not signed", url(), body=body.replace("你好", "再见")),
            make("another nonce", url().replace(nonce, "486452657"), expect="invalid: signature mismatch"),
            make("six minutes later", url(), now=NOW + 360, expect="invalid: stale"),
        ],
    )


def viber():
    from viberbot import Api, BotConfiguration

    secret = "445da6az1s345z78-dazcczb2542zv51a-e0vc5fva17480im9"
    sign = lambda body: mac(secret, body).hex()
    message = {
        "event": "message",
        "timestamp": 1457764197627,
        "message_token": 4912661846655238145,
        "sender": {"id": "01234567890A=", "name": "Zoë Müller"},
        "message": {"type": "text", "text": "Привет ♥"},
    }
    seen = {"event": "seen", "timestamp": 1457764197627, "message_token": 4912661846655238146, "user_id": "01234567890A="}
    bodies = [
        ("message with non-ASCII text", compact(message), "4912661846655238145", "message"),
        ("message seen", compact(seen), "4912661846655238146", "seen"),
    ]
    api = Api(BotConfiguration(auth_token=secret, name="bot", avatar=""))
    assert all(api.verify_signature(body.encode(), sign(body)) for _, body, *_ in bodies)
    assert not api.verify_signature(bodies[0][1].encode() + b" ", sign(bodies[0][1]))
    sdks = "Api.verify_signature of viberbot 1.0.12 (PyPI) and MessageValidator of viber-bot 1.0.18 (npm)"
    body_mac(
        "viber",
        ["https://developers.viber.com/docs/api/rest-bot-api/#callbacks"],
        secret=secret,
        header="X-Viber-Content-Signature",
        sign=sign,
        bodies=bodies,
        source=f"Computed with Python's hmac; accepted by {sdks}; inputs ours.",
        refused=f"Derived from the vector above; refused by {sdks}.",
    )


def lark():
    from lark_oapi.core.exception import AccessDeniedException
    from lark_oapi.core.model import RawRequest
    from lark_oapi.event.dispatcher_handler import EventDispatcherHandler

    secret, nonce = "test encrypt key", "1693560712"
    headers = lambda now, body: {
        "Content-Type": "application/json",
        "X-Lark-Request-Timestamp": str(now),
        "X-Lark-Request-Nonce": nonce,
        "X-Lark-Signature": hashlib.sha256(f"{now}{nonce}{secret}{body}".encode()).hexdigest(),
    }

    def judge(body, signed):
        request = RawRequest()
        request.headers, request.body = headers(NOW, signed), body.encode()
        try:
            EventDispatcherHandler.builder(secret, "").build()._verify_sign(request, secret)
            return True
        except AccessDeniedException:
            return False

    encrypted = compact({"encrypt": "P37w+VZImNgPEO1RBhJ6RtKl7n6zymIbEG1pReEzghk="})
    plain = compact({"schema": "2.0", "header": {"event_id": "5e3702a84e847582be8db7fb73283c02", "event_type": "im.message.receive_v1"}, "event": {"text": "你好 ♥"}})
    assert judge(encrypted, encrypted) and judge(plain, plain) and not judge(encrypted + " ", encrypted)
    sdks = "EventDispatcherHandler of lark-oapi 1.7.5 (PyPI)"
    timed(
        "lark",
        ["https://open.larksuite.com/document/server-docs/event-subscription-guide/event-subscription-configure-/encrypt-key-encryption-configuration-case"],
        secret=secret,
        now=NOW,
        headers=headers,
        bodies=[
            ("encrypted event", encrypted, None, None),
            ("event with non-ASCII text", plain, "5e3702a84e847582be8db7fb73283c02", "im.message.receive_v1"),
        ],
        other_times=[(name, at, expect + " (the SDK leaves the time to the receiver)") for name, at, expect in stale(24)],
        source=f"Computed with Python's hashlib; accepted by {sdks}; inputs ours.",
        refused=f"Derived from the vector above; refused by {sdks}.",
    )
    path = FOLDER / "lark.json"
    content = json.loads(path.read_text())
    url = "https://hooks.example.com/lark"
    # What SHA-256 pads a message with (FIPS 180-4 section 5.1.1). Whoever knows a hash can go on from there, without the key.
    hashed = f"{NOW}{nonce}{secret}{encrypted}".encode()
    padding = b"\x80" + bytes(-(len(hashed) + 9) % 64) + (8 * len(hashed)).to_bytes(8, "big")
    added = padding + b'{"encrypt":"AAAA"}'
    extended = headers(NOW, encrypted) | {"X-Lark-Signature": hashlib.sha256(hashed + added).hexdigest()}
    made = vector(
        "bytes added to the end without the key",
        "Computed with Python's hashlib: what an attacker can compute from the first vector alone (length extension).",
        secret,
        extended,
        b64(encrypted.encode() + added),
        now=NOW,
        url=url,
        expect="invalid: ambiguous message",
    )
    content["vectors"].append({"body_base64" if key == "body" else key: value for key, value in made.items()})
    path.write_text(json.dumps(content, ensure_ascii=False, indent=2) + "\n")


if __name__ == "__main__":
    for make in (
        aftership, shipstation, uber, easypost, onfleet, segment, klaviyo, customerio, mandrill, mailgun, sendgrid, resend, loops, emailit, lettermint, mailtrap, sendpost, agentmail, postmark_and_brevo, mailersend,
        ebay, wix, squarespace, ecwid, loop_returns, fourthwall, shopware, linkedin, tiktok, meta, x_twitter, line, wechat, viber, lark,
    ):  # fmt: skip
        make()
