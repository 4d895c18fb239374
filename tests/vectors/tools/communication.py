"""Makes the vectors of the communication providers that are not published.

Needs Python 3.11, PHP and Node.js, and these packages:
    twilio==9.13.0 vonage-jwt==1.1.5 messagebird==2.2.0 telnyx==4.189.0 PyNaCl==1.6.2 sinch==2.3.0 discord-interactions==0.4.0
    pusher==3.3.4 nylas==5.14.1 plivo==4.63.0 livekit-api==1.2.2 stream-chat==4.33.0 signalwire-sdk==3.7.5

Its argument is a folder with two samples: `bird.php`, the PHP function of Bird's documentation, and `teams-app.js`, which is app.js of
github.com/OfficeDev/msteams-samples-outgoing-webhook-nodejs. The vectors of Crisp and Surge are made by communication.mjs.

Published vectors stay in the files as they are; all others are made anew. Libraries that only verify are asked for their verdict
on what Python's hmac computed by the formula that they use.
"""

import base64
import hashlib
import hmac
import json
import os
import pathlib
import subprocess
import sys
import time
import urllib.error
import urllib.request
from unittest import mock
from urllib.parse import parse_qs

import jwt

FOLDER = pathlib.Path(__file__).resolve().parent.parent
SAMPLES = pathlib.Path(sys.argv[1]).resolve()
NOW = 1_750_000_000


def digest(algorithm, secret, message):
    secret = secret.encode() if isinstance(secret, str) else secret
    message = message.encode() if isinstance(message, str) else message
    return hmac.new(secret, message, algorithm).digest()


def b64(data):
    return base64.b64encode(data).decode()


def at(seconds):
    return mock.patch("time.time", lambda: float(seconds))


def accepts(verdict):
    assert verdict, "the official code refuses what should be good"


def refuses(verdict):
    assert not verdict, "the official code accepts what should be bad"


class Provider:
    """The vectors of one provider."""

    def __init__(self, name, documentation, origin="computed", source=""):
        self.name, self.origin, self.source, self.made = name, origin, source, []
        self.documentation = documentation
        self.defaults = {"method": "POST", "url": f"https://hooks.example.com/{name}"}

    def add(self, name, secret, headers, body, now=None, expect="valid", id=None, event=None, source=None, **more):
        origin = more.pop("origin", self.origin)
        vector = {"name": name, "origin": origin, "source": source or self.source}
        keys = more.pop("keys", None)
        vector |= {"keys": keys} if keys else {"secret": secret}
        if "parameters" in more:
            vector["parameters"] = more.pop("parameters")
        vector |= self.defaults | more | {"headers": headers, "body": body}
        self.made.append(vector | {"now": now, "expect": expect, "id": id, "event": event})

    def write(self):
        path = FOLDER / f"{self.name}.json"
        old = json.loads(path.read_text())["vectors"] if path.exists() else []
        kept = [vector for vector in old if vector["origin"] == "published"]
        content = {"provider": self.name, "documentation": self.documentation, "vectors": kept + self.made}
        path.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n")


JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def twilio():
    from twilio.request_validator import RequestValidator

    documentation = ["https://www.twilio.com/docs/usage/webhooks/webhooks-security"]
    source = "Computed by RequestValidator.compute_signature of twilio 9.13.0 (PyPI); inputs ours; RequestValidator.validate agrees."
    url = "https://hooks.example.com/twilio?foo=1&bar=2"
    body = "Body=Sm%C3%B8rrebr%C3%B8d+%E2%98%95&From=%2B14158675309&NumMedia=0&To=%2B18005551212&MediaUrl0="
    parameters = {name: values[0] for name, values in parse_qs(body, keep_blank_values=True).items()}
    for name, secret, algorithm, settings in [
        ("twilio", "12345", "HMAC_SHA1", {}),
        (
            "twilio-shared-key",
            "sharedkeysecret",
            "HMAC_SHA256",
            {"X-Twilio-Webhooks-Signature-Settings": "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"},
        ),
    ]:
        provider = Provider(name, documentation, "official-code", source)
        validator = RequestValidator(secret)

        def headers(url, parameters, kind=FORM):
            return kind | {"X-Twilio-Signature": validator.compute_signature(url, parameters, algorithm)} | settings

        good = headers(url, parameters)
        accepts(validator.validate(url, parameters, good["X-Twilio-Signature"], algorithm))
        provider.add("form with non-ASCII text and an empty value", secret, good, body, url=url)
        provider.add(
            "idempotency token, which is not signed",
            secret,
            good | {"I-Twilio-Idempotency-Token": "3d1a7a3e-6e5c-4b6d-9d3b-0c6f0e1f2a3b"},
            body,
            url=url,
            id="3d1a7a3e-6e5c-4b6d-9d3b-0c6f0e1f2a3b",
        )

        text = '{"EventType":"onMessageAdded","Body":"Grüße"}'
        hashed = f"{url}&bodySHA256={hashlib.sha256(text.encode()).hexdigest()}"
        good_json = headers(hashed, {}, JSON)
        accepts(validator.validate(hashed, text, good_json["X-Twilio-Signature"], algorithm))
        provider.add("JSON with its hash in the query", secret, good_json, text, url=hashed)
        refuses(validator.validate(hashed, text + " ", good_json["X-Twilio-Signature"], algorithm))
        provider.add(
            "JSON that does not match its hash", secret, good_json, text + " ", url=hashed, expect="invalid: body hash"
        )

        get = "https://hooks.example.com/twilio?CallSid=CA1&From=%2B14158675309"
        accepts(validator.validate(get, {}, headers(get, {})["X-Twilio-Signature"], algorithm))
        provider.add("GET", secret, headers(get, {}, {}), "", url=get, method="GET")

        changed = dict(parameters, To="+18005550000")
        refuses(validator.validate(url, changed, good["X-Twilio-Signature"], algorithm))
        provider.add(
            "a value changed",
            secret,
            good,
            body.replace("5551212", "5550000"),
            url=url,
            expect="invalid: signature mismatch",
        )
        provider.add(
            "JSON without a hash of it",
            secret,
            headers(url, {}, JSON),
            text,
            url=url,
            expect="invalid: nothing covers the body",
            origin="computed",
            source="The signature is right for the URL, but nothing covers the body; the SDKs have no verdict on it.",
        )
        if algorithm == "HMAC_SHA256":
            old = FORM | {"X-Twilio-Signature": validator.compute_signature(url, parameters, "HMAC_SHA1")}
            refuses(validator.validate(url, parameters, old["X-Twilio-Signature"], algorithm))
            provider.add("signed with SHA-1", secret, old, body, url=url, expect="invalid: no usable signature")
        provider.write()


def vonage():
    from vonage_jwt.verify_jwt import verify_signature

    provider = Provider(
        "vonage",
        ["https://developer.vonage.com/en/getting-started/concepts/webhooks"],
        "official-code",
        "Claims as documented, signed by PyJWT; vonage-jwt 1.1.5 (PyPI) verify_signature accepts it.",
    )
    secret = "qwertyuiopasdfghjklzxcvbnm123456"
    body = '{"to":"447700900000","from":"447700900001","channel":"sms","message_uuid":"aaaaaaaa-bbbb-cccc-dddd-0123456789ab","text":"Ça va? ☕"}'

    def headers(body, secret=secret, **claims):
        claims = {
            "iat": NOW,
            "jti": "c5ba8f24-1a14-4c10-bfdf-3fbe8ce511b5",
            "iss": "Vonage",
            "payload_hash": hashlib.sha256(body.encode()).hexdigest(),
            "api_key": "a1b2c3d",
            "application_id": "aaaaaaaa-bbbb-cccc-dddd-0123456789ab",
        } | claims
        claims = {name: value for name, value in claims.items() if value is not None}
        return JSON | {"Authorization": "Bearer " + jwt.encode(claims, secret, "HS256")}

    def verdict(headers):
        return verify_signature(headers["Authorization"].removeprefix("Bearer "), secret)

    known = dict(id="c5ba8f24-1a14-4c10-bfdf-3fbe8ce511b5")
    good = headers(body)
    accepts(verdict(good))
    provider.add("inbound message", secret, good, body, NOW + 2, **known)
    status = '{"message_uuid":"aaaaaaaa-bbbb-cccc-dddd-0123456789ab","status":"delivered"}'
    accepts(verdict(headers(status)))
    provider.add("message status", secret, headers(status), status, NOW + 300, **known)
    accepts(verdict(headers(body, payload_hash=None)))
    provider.add(
        "no hash of the body",
        secret,
        headers(body, payload_hash=None),
        body,
        NOW,
        expect="invalid: the body is not covered (the SDK accepts it; this crate does not)",
    )
    other = headers(body, secret="another secret, not that of the account")
    refuses(verdict(other))
    provider.add("other secret", secret, other, body, NOW, expect="invalid: signature mismatch")
    provider.add(
        "body changed",
        secret,
        good,
        body + " ",
        NOW,
        expect="invalid: hash of the body",
        origin="computed",
        source="Derived from the first; the SDK does not look at the body.",
    )
    provider.add(
        "301 s old",
        secret,
        good,
        body,
        NOW + 301,
        expect="invalid: stale",
        origin="computed",
        source="Derived from the first; the time that is allowed is this crate's.",
    )
    provider.write()


def messagebird():
    from messagebird.error import ValidationError
    from messagebird.request_validator import RequestValidator

    provider = Provider(
        "messagebird",
        [
            "https://developers.messagebird.com/docs/verify-http-requests",
            "https://github.com/messagebird/python-rest-api",
        ],
        "official-code",
        "Claims of the published vectors, signed by PyJWT; verdict of RequestValidator.validate_signature of messagebird 2.2.0 (PyPI).",
    )
    secret, url, body = (
        "messagebird-signing-key-of-32-bytes",
        "https://hooks.example.com/messagebird?channel=sms",
        '{"text":"Zażółć gęślą jaźń"}',
    )

    def headers(**claims):
        claims = {
            "iss": "MessageBird",
            "nbf": NOW,
            "exp": NOW + 60,
            "jti": "59a244dc-e9ad-4e23-9778-371faa238f72",
            "url_hash": hashlib.sha256(url.encode()).hexdigest(),
            "payload_hash": hashlib.sha256(body.encode()).hexdigest(),
        } | claims
        return JSON | {"MessageBird-Signature-JWT": jwt.encode(claims, secret, "HS256")}

    def verdict(headers, now):
        moment = __import__("datetime").datetime.fromtimestamp(now, __import__("datetime").timezone.utc)
        with mock.patch("jwt.api_jwt.datetime") as clock:
            clock.now.return_value = moment
            try:
                return RequestValidator(secret).validate_signature(
                    headers["MessageBird-Signature-JWT"], url, body.encode()
                )
            except ValidationError:
                return None

    accepts(verdict(headers(), NOW))
    provider.add(
        "URL with a query and a body with non-ASCII text",
        secret,
        headers(),
        body,
        NOW,
        url=url,
        id="59a244dc-e9ad-4e23-9778-371faa238f72",
    )
    refuses(verdict(headers(), NOW + 180))
    provider.add("two minutes after it expired", secret, headers(), body, NOW + 180, url=url, expect="invalid: expired")
    refuses(verdict(headers(iss="Somebody"), NOW))
    provider.add("other issuer", secret, headers(iss="Somebody"), body, NOW, url=url, expect="invalid: issuer")
    provider.write()


def bird():
    provider = Provider(
        "bird",
        [
            "https://docs.bird.com/api/notifications-api/api-reference/webhook-subscriptions/verifying-a-webhook-subscription"
        ],
        "official-code",
        "Python's hmac by the documented formula; verdict of the PHP sample of the documentation, run on PHP 8.2.",
    )
    key, url = "bird-signing-key", "https://hooks.example.com/bird?source=sms"
    body = '{"service":"channels","event":"sms.inbound","payload":{"text":"Olá, café"}}'

    def headers(body, url):
        message = f"{NOW}\n{url}\n".encode() + hashlib.sha256(body.encode()).digest()
        return JSON | {
            "messagebird-signature": b64(digest("sha256", key, message)),
            "messagebird-request-timestamp": str(NOW),
            "messagebird-request-id": "req_1",
        }

    def verdict(headers, body, url):
        arguments = [headers["messagebird-signature"], headers["messagebird-request-timestamp"], body, url, key]
        call = f"require '{SAMPLES}/bird.php'; echo verifyWebhookSignature(...array_slice($argv, 1)) ? 'yes' : 'no';"
        return subprocess.run(["php", "-r", call, "--", *arguments], capture_output=True, check=True).stdout == b"yes"

    good = headers(body, url)
    known = dict(id="req_1", event="sms.inbound")
    accepts(verdict(good, body, url))
    provider.add("URL with a query, body with non-ASCII text", key, good, body, NOW, url=url, **known)
    outbound = '{"event":"sms.outbound"}'
    accepts(verdict(headers(outbound, "https://hooks.example.com/bird"), outbound, "https://hooks.example.com/bird"))
    provider.add(
        "another event",
        key,
        headers(outbound, "https://hooks.example.com/bird"),
        outbound,
        NOW + 300,
        id="req_1",
        event="sms.outbound",
    )
    refuses(verdict(good, body, url + "&x=1"))
    provider.add("another URL", key, good, body, NOW, url=url + "&x=1", expect="invalid: signature mismatch")
    refuses(verdict(good, body + " ", url))
    provider.add("body changed", key, good, body + " ", NOW, url=url, expect="invalid: signature mismatch")
    provider.write()


def bandwidth():
    provider = Provider(
        "bandwidth", ["https://dev.bandwidth.com/docs/messaging/webhooks"], source="RFC 7617; nothing is computed."
    )
    body = '[{"type":"message-received","time":"2025-06-15T15:06:40.000Z","description":"Incoming message received","message":{"id":"1","text":"Zdravím ☕"}}]'

    def headers(credentials):
        return JSON | {"Authorization": "Basic " + b64(credentials.encode())}

    provider.add("message received", "cbuser:cbpass", headers("cbuser:cbpass"), body, event="message-received")
    voice = '{"eventType":"initiate","eventTime":"2025-06-15T15:06:40.000Z","callId":"c-1"}'
    provider.add("call", "cbuser:cb:pass", headers("cbuser:cb:pass"), voice, event="initiate")
    provider.add(
        "other password", "cbuser:cbpass", headers("cbuser:cbpasS"), body, expect="invalid: signature mismatch"
    )
    provider.add("no credentials", "cbuser:cbpass", JSON, body, expect="invalid: missing signature")
    provider.write()


def sinch():
    from sinch.domains.authentication.sinch_events.v1.authentication_validation import (
        validate_signature_header,
        validate_sinch_event_signature_with_nonce,
    )

    provider = Provider(
        "sinch-conversation",
        ["https://developers.sinch.com/docs/conversation/callbacks/", "https://github.com/sinch/sinch-sdk-python"],
        "official-code",
        "Python's hmac by the documented formula; verdict of validate_sinch_event_signature_with_nonce of sinch 2.3.0 (PyPI).",
    )
    secret, nonce = "foo_secret1234", "01FJA8B4A7BM43YGWSG9GBV067"
    body = (
        '{"app_id":"01EB37HMH1M6SV18BSNS3G135H","message":{"contact_message":{"text_message":{"text":"Hyvää päivää"}}}}'
    )
    good = JSON | {
        "x-sinch-webhook-signature": b64(digest("sha256", secret, f"{body}.{nonce}.{NOW}")),
        "x-sinch-webhook-signature-nonce": nonce,
        "x-sinch-webhook-signature-timestamp": str(NOW),
        "x-sinch-webhook-signature-algorithm": "HmacSHA256",
    }
    accepts(validate_sinch_event_signature_with_nonce(secret, good, body))
    provider.add("non-ASCII text", secret, good, body, NOW)
    other = good | {"x-sinch-webhook-signature-nonce": nonce[:-1] + "8"}
    refuses(validate_sinch_event_signature_with_nonce(secret, other, body))
    provider.add("another nonce", secret, other, body, NOW, expect="invalid: signature mismatch")
    refuses(validate_sinch_event_signature_with_nonce(secret, good, body + " "))
    provider.add("body changed", secret, good, body + " ", NOW, expect="invalid: signature mismatch")
    provider.add(
        "301 s old",
        secret,
        good,
        body,
        NOW + 301,
        expect="invalid: stale",
        origin="computed",
        source="Derived; the SDK does not look at the time.",
    )
    provider.write()

    provider = Provider(
        "sinch-numbers",
        ["https://developers.sinch.com/docs/numbers/", "https://github.com/sinch/sinch-sdk-python"],
        "official-code",
        "Python's hmac by the documented formula; verdict of validate_signature_header of sinch 2.3.0 (PyPI).",
    )
    secret = "my-callback-secret"
    body = '{"eventId":"01jr7stexp0znky34pj07dwp42","projectId":"prøject","eventType":"PROVISIONING_TO_VOICE_PLATFORM","status":"SUCCEEDED"}'
    good = JSON | {"X-Sinch-Signature": digest("sha1", secret, body).hex()}
    accepts(validate_signature_header(secret, good, body))
    provider.add(
        "non-ASCII text", secret, good, body, id="01jr7stexp0znky34pj07dwp42", event="PROVISIONING_TO_VOICE_PLATFORM"
    )
    refuses(validate_signature_header(secret, good, body + " "))
    provider.add("body changed", secret, good, body + " ", expect="invalid: signature mismatch")
    provider.write()


def telnyx():
    from nacl.signing import SigningKey
    from telnyx.lib.webhook_verification import WebhookVerificationError, verify_webhook_signature

    provider = Provider(
        "telnyx",
        ["https://developers.telnyx.com/docs/development/api-fundamentals/webhooks"],
        "official-code",
        "Signed with PyNaCl and the seed of 32 bytes 0x09; verdict of verify_webhook_signature of telnyx 4.189.0 (PyPI).",
    )
    key = SigningKey(bytes([9] * 32))
    public = b64(bytes(key.verify_key))
    body = '{"data":{"event_type":"message.received","id":"b301ed3f-1490-491f-995f-6e64e69674d4","payload":{"text":"Dzień dobry"},"record_type":"event"},"meta":{"attempt":1}}'

    def headers(body):
        signature = key.sign(f"{NOW}|{body}".encode()).signature
        return JSON | {"telnyx-signature-ed25519": b64(signature), "telnyx-timestamp": str(NOW)}

    def verdict(headers, body, now=NOW):
        with at(now):
            try:
                verify_webhook_signature(body, headers, public)
                return True
            except WebhookVerificationError:
                return False

    good = headers(body)
    known = dict(id="b301ed3f-1490-491f-995f-6e64e69674d4", event="message.received")
    accepts(verdict(good, body) and verdict(good, body, NOW + 300))
    provider.add("non-ASCII text", public, good, body, NOW, **known)
    provider.add("300 s old", public, good, body, NOW + 300, **known)
    refuses(verdict(good, body, NOW + 301) or verdict(good, body, NOW - 301) or verdict(good, body + " "))
    provider.add("301 s old", public, good, body, NOW + 301, expect="invalid: stale")
    provider.add("301 s ahead", public, good, body, NOW - 301, expect="invalid: from the future")
    provider.add("body changed", public, good, body + " ", NOW, expect="invalid: signature mismatch")
    provider.write()


def discord():
    from discord_interactions import verify_key
    from nacl.signing import SigningKey

    provider = Provider(
        "discord",
        [
            "https://discord.com/developers/docs/interactions/overview#setting-up-an-endpoint-validating-security-request-headers",
            "https://discord.com/developers/docs/events/webhook-events",
        ],
        "official-code",
        "Signed with PyNaCl and the seed of 32 bytes 0x07, bodies of the documentation and of the tests of discord-interactions-js; verdict of verify_key of discord-interactions 0.4.0 (PyPI).",
    )
    key = SigningKey(bytes([7] * 32))
    public = bytes(key.verify_key).hex()

    def headers(body):
        return JSON | {
            "X-Signature-Ed25519": key.sign(f"{NOW}{body}".encode()).signature.hex(),
            "X-Signature-Timestamp": str(NOW),
        }

    def verdict(headers, body, timestamp=str(NOW)):
        return verify_key(body.encode(), headers["X-Signature-Ed25519"], timestamp, public)

    for name, body, known in [
        (
            "ping",
            '{"id":"787053080478613555","token":"ThisIsATokenFromDiscordThatIsVeryLong","type":1,"version":1}',
            dict(id="787053080478613555", event="1"),
        ),
        (
            "application authorized",
            '{"version":1,"application_id":"1234560123453231555","type":1,"event":{"type":"APPLICATION_AUTHORIZED","timestamp":"2024-10-18T14:42:53.064834","data":{"scopes":["applications.commands"]}}}',
            dict(event="APPLICATION_AUTHORIZED"),
        ),
        (
            "application command, non-ASCII text",
            '{"id":"787053080478613556","token":"ThisIsATokenFromDiscordThatIsVeryLong","type":2,"version":1,"data":{"id":"787053080478613554","name":"prüfung"}}',
            dict(id="787053080478613556", event="2"),
        ),
    ]:
        good = headers(body)
        accepts(verdict(good, body))
        provider.add(name, public, good, body, NOW + 1, **known)
    refuses(verdict(good, "example invalid body") or verdict(good, body, str(NOW + 1)))
    provider.add("another body", public, good, "example invalid body", NOW, expect="invalid: signature mismatch")
    provider.add(
        "timestamp changed",
        public,
        good | {"X-Signature-Timestamp": str(NOW + 1)},
        body,
        NOW,
        expect="invalid: signature mismatch",
    )
    wrong = good | {"X-Signature-Ed25519": "example invalid signature"}
    refuses(verdict(wrong, body))
    provider.add("not a signature", public, wrong, body, NOW, expect="invalid: no usable signature")
    provider.add(
        "301 s old",
        public,
        good,
        body,
        NOW + 301,
        expect="invalid: stale",
        origin="computed",
        source="Derived; the time that is allowed is this crate's.",
    )
    provider.write()


def webex():
    provider = Provider(
        "webex",
        [
            "https://developer.webex.com/docs/api/guides/webhooks",
            "https://developer.webex.com/blog/using-a-webhook-secret",
        ],
        source="Python's hmac by the documented formula; inputs ours.",
    )
    secret = "somesupersecretphrase"
    for name, resource, event, text in [
        ("message", "messages", "created", "Ciao"),
        ("room, non-ASCII text", "rooms", "updated", "Füße"),
    ]:
        body = json.dumps(
            {
                "id": "Y2lzY29zcGFyazovL3VzL1dFQkhPT0s",
                "name": text,
                "resource": resource,
                "event": event,
                "data": {"id": "Y2lzY28"},
            },
            ensure_ascii=False,
            separators=(",", ":"),
        )
        good = JSON | {"X-Spark-Signature": digest("sha1", secret, body).hex()}
        provider.add(name, secret, good, body, event=event)
    provider.add("body changed", secret, good, body + " ", expect="invalid: signature mismatch")
    provider.add("other secret", "another", good, body, expect="invalid: signature mismatch")
    provider.add("no signature, as without a secret", secret, JSON, body, expect="invalid: missing signature")
    provider.write()


def teams():
    documentation = [
        "https://learn.microsoft.com/en-us/microsoftteams/platform/webhooks-and-connectors/how-to/add-outgoing-webhook"
    ]
    provider = Provider(
        "microsoft-teams-outgoing",
        documentation,
        "official-code",
        "Token of the documentation; Python's hmac; verdict of github.com/OfficeDev/msteams-samples-outgoing-webhook-nodejs, app.js, commit 51eab0a7, run on Node.js 20.",
    )
    secret = "vqF0En+Z0ucuRTM/01o2GuhMH3hKKk/N2bOmlM31zaA="

    def headers(body, key):
        return JSON | {"Authorization": "HMAC " + b64(digest("sha256", key, body))}

    # The sample is a whole server, which says in its answer what it thinks.
    code = (SAMPLES / "teams-app.js").read_text()
    assert "<Security token generated by Microsoft Teams>" in code
    code = code.replace("<Security token generated by Microsoft Teams>", secret)

    def verdict(headers, body):
        with subprocess.Popen(["node", "-e", code], env={"PORT": "18080", "PATH": os.environ["PATH"]}) as server:
            try:
                for _ in range(100):
                    try:
                        request = urllib.request.Request("http://127.0.0.1:18080/", body.encode(), headers)
                        return b"You typed" in urllib.request.urlopen(request).read()
                    except urllib.error.URLError:
                        time.sleep(0.05)
            finally:
                server.kill()

    for name, text in [("message", "<at>contoso</at> hello"), ("non-ASCII text", "<at>contoso</at> où est l’hôtel?")]:
        body = json.dumps(
            {"type": "message", "id": "1485983408511", "timestamp": "2017-02-01T21:10:07.437Z", "text": text},
            ensure_ascii=False,
            separators=(",", ":"),
        )
        good = headers(body, base64.b64decode(secret))
        accepts(verdict(good, body))
        provider.add(name, secret, good, body, id="1485983408511", event="message")
    wrong = headers(body, secret)
    refuses(verdict(wrong, body) or verdict(good, body + " "))
    provider.add("token used as text", secret, wrong, body, expect="invalid: signature mismatch")
    provider.add("body changed", secret, good, body + " ", expect="invalid: signature mismatch")
    provider.write()


def zulip():
    provider = Provider(
        "zulip", ["https://zulip.com/api/outgoing-webhooks"], source="Form of the documentation; nothing is computed."
    )
    for name, text in [
        ("mention", "@**Outgoing webhook test** Zulip is awesome!"),
        ("non-ASCII text", "@**bot** Grüß Gott"),
    ]:
        body = {
            "bot_email": "outgoing-bot@localhost",
            "data": text,
            "message": {"id": 112, "type": "stream"},
            "token": "xvOzfurIutdRRVLzpXrIIHXJvNfaJLJ0",
            "trigger": "mention",
        }
        text = json.dumps(body, ensure_ascii=False)
        provider.add(name, body["token"], JSON, text, id="112", event="mention")
    provider.add("other token", "another-token-of-the-same-length", JSON, text, expect="invalid: signature mismatch")
    provider.add("no token", body["token"], JSON, '{"trigger":"mention"}', expect="invalid: missing signature")
    provider.write()


def pusher():
    from pusher import Pusher

    provider = Provider(
        "pusher",
        ["https://pusher.com/docs/channels/server_api/webhooks/"],
        "official-code",
        "Python's hmac by the documented formula; verdict of Pusher.validate_webhook of pusher 3.3.4 (PyPI).",
    )
    key, secret = "278d425bdf160c739803", "7ad3773142a6692b25b8"
    keys = [{"id": key, "key": secret}]
    client = Pusher(app_id="1", key=key, secret=secret)

    def headers(body):
        return JSON | {"X-Pusher-Key": key, "X-Pusher-Signature": digest("sha256", secret, body).hex()}

    def verdict(headers, body):
        with at(NOW):
            return client.validate_webhook(headers["X-Pusher-Key"], headers["X-Pusher-Signature"], body)

    for name, event in [
        ("channel occupied", {"name": "channel_occupied", "channel": "test_channel"}),
        (
            "client event, non-ASCII text",
            {"name": "client_event", "channel": "private-x", "event": "client-hej", "data": "blåbär"},
        ),
    ]:
        body = json.dumps({"time_ms": NOW * 1000, "events": [event]}, ensure_ascii=False, separators=(",", ":"))
        good = headers(body)
        accepts(verdict(good, body))
        provider.add(name, secret, good, body, keys=keys)
    refuses(verdict(good, body + " "))
    provider.add("body changed", secret, good, body + " ", expect="invalid: signature mismatch")
    unknown = good | {"X-Pusher-Key": "another-key"}
    refuses(verdict(unknown, body))
    provider.add("another key", secret, unknown, body, keys=keys, expect="invalid: unknown key")
    other = JSON | {"X-Pusher-Key": key, "X-Pusher-Signature": digest("sha256", "another", body).hex()}
    refuses(verdict(other, body))
    provider.add("other secret", secret, other, body, expect="invalid: signature mismatch")
    provider.write()


def nylas():
    from nylas.client.restful_models import Webhook

    provider = Provider(
        "nylas",
        ["https://developer.nylas.com/docs/v3/notifications/"],
        "official-code",
        "Python's hmac by the documented formula; verdict of Webhook.verify_webhook_signature of nylas 5.14.1 (PyPI).",
    )
    secret = "3KBpGrnSQfuyIbEAqy9Uwg"
    body = '{"specversion":"1.0","type":"message.created","source":"/google/emails/realtime","id":"mock-id","time":1723821985,"webhook_delivery_attempt":1,"data":{"object":{"subject":"Tőzsdehírek"}}}'
    good = JSON | {"X-Nylas-Signature": digest("sha256", secret, body).hex()}
    accepts(Webhook.verify_webhook_signature(good["X-Nylas-Signature"], body.encode(), secret))
    provider.add("message created, non-ASCII text", secret, good, body, id="mock-id", event="message.created")
    refuses(Webhook.verify_webhook_signature(good["X-Nylas-Signature"], body.encode() + b" ", secret))
    provider.add("body changed", secret, good, body + " ", expect="invalid: signature mismatch")
    provider.write()


def plain(name, documentation, algorithm, secret, header, encode, bodies, **more):
    """A MAC of the body alone, without code of the provider."""
    provider = Provider(
        name, documentation, source=more.pop("source", "Python's hmac by the documented formula; inputs ours.")
    )
    for title, body, known in bodies:
        good = more.get("headers", JSON) | {header: encode(digest(algorithm, secret, body))}
        provider.add(title, secret, good, body, **known)
    provider.add("body changed", secret, good, body + " ", expect="invalid: signature mismatch")
    provider.add("other secret", secret + "x", good, body, expect="invalid: signature mismatch")
    provider.add("no signature", secret, more.get("headers", JSON), body, expect="invalid: missing signature")
    provider.write()


def intercom():
    known = dict(id="notif_78c122d0-23ba-11e4-9464-79b01267cc2e", event="contact.created")
    body = '{"type":"notification_event","topic":"contact.created","id":"notif_78c122d0-23ba-11e4-9464-79b01267cc2e","app_id":"a86dr8yl","delivery_attempts":%d,"data":{"type":"notification_event_data","item":{"name":"%s"}}}'
    plain(
        "intercom",
        ["https://developers.intercom.com/docs/webhooks"],
        "sha1",
        "client-secret-of-the-app",
        "X-Hub-Signature",
        lambda data: "sha1=" + data.hex(),
        [
            ("first attempt", body % (1, "Hoban Washburne"), known),
            ("second attempt, non-ASCII text", body % (2, "Zoë"), known),
        ],
    )


def front():
    documentation = ["https://dev.frontapp.com/docs/application-webhooks"]
    provider = Provider("front", documentation, source="Python's hmac by the documented formula; inputs ours.")
    secret = "front_app_signing_key"
    millis = NOW * 1000 + 123
    for name, body, known in [
        (
            "message received, non-ASCII text",
            '{"type":"inbound_received","authorization":{"id":"cmp_abc"},"payload":{"id":"evt_1","subject":"Ærlig talt"}}',
            dict(id="evt_1", event="inbound_received"),
        ),
        ("validation", '{"type":"sync","authorization":{"id":"cmp_abc"}}', dict(event="sync")),
    ]:
        good = JSON | {
            "X-Front-Signature": b64(digest("sha256", secret, f"{millis}:{body}")),
            "X-Front-Request-Timestamp": str(millis),
        }
        provider.add(name, secret, good, body, NOW + 60, **known)
    provider.add(
        "timestamp changed",
        secret,
        good | {"X-Front-Request-Timestamp": str(millis + 1)},
        body,
        NOW,
        expect="invalid: signature mismatch",
    )
    provider.add("302 s old", secret, good, body, NOW + 302, expect="invalid: stale")
    provider.write()
    body = '{"_links":{},"id":"evt_%s","type":"inbound","emitted_at":1750000000.123,"conversation":{"subject":"%s"}}'
    plain(
        "front-rule",
        ["https://dev.frontapp.com/docs/rule-webhooks"],
        "sha1",
        "front_api_secret",
        "X-Front-Signature",
        b64,
        [
            ("message", body % ("55c8c149", "Hello"), dict(id="evt_55c8c149", event="inbound")),
            ("non-ASCII text", body % ("55c8c150", "café ♥"), dict(id="evt_55c8c150", event="inbound")),
        ],
    )


def courier():
    provider = Provider(
        "courier",
        [
            "https://www.courier.com/docs/platform/workspaces/outbound-webhooks",
            "https://github.com/trycourier/courier-skills",
        ],
        source="Python's hmac by the documented formula; inputs ours.",
    )
    secret, millis = "courier_webhook_secret", NOW * 1000 + 12

    def headers(body):
        signature = digest("sha256", secret, f"{millis}.{body}").hex()
        return JSON | {"courier-signature": f"t={millis},signature={signature}"}

    for name, body, event in [
        (
            "message updated",
            '{"type":"message:updated","data":{"id":"1-60f1","status":"DELIVERED"}}',
            "message:updated",
        ),
        ("non-ASCII text", '{"type":"notification:published","data":{"title":"Æøå"}}', "notification:published"),
    ]:
        good = headers(body)
        provider.add(name, secret, good, body, NOW + 60, event=event)
    later = {"courier-signature": good["courier-signature"].replace(str(millis), str(millis + 1))}
    provider.add("time changed", secret, JSON | later, body, NOW, expect="invalid: signature mismatch")
    provider.add("body changed", secret, good, body + " ", NOW, expect="invalid: signature mismatch")
    provider.add("302 s old", secret, good, body, NOW + 302, expect="invalid: stale")
    provider.write()


def websub():
    documentation = ["https://www.w3.org/TR/websub/#signing-content"]
    feed = '<feed xmlns="http://www.w3.org/2005/Atom"><entry><title>Übersicht</title></entry></feed>'
    for algorithm in ["sha1", "sha256", "sha384", "sha512"]:
        encode = lambda data: f"{algorithm}={data.hex()}"
        plain(
            f"websub-{algorithm}",
            documentation,
            algorithm,
            "Jefe",
            "X-Hub-Signature",
            encode,
            [
                ("key and data of RFC 2202 and RFC 4231, test case 2", "what do ya want for nothing?", {}),
                ("feed with non-ASCII text", feed, {}),
            ],
            headers={"Content-Type": "application/atom+xml"},
            source="Python's hmac by the formula of W3C WebSub, 7.1.",
        )


def plivo():
    from plivo.utils.signature_v3 import construct_post_url, get_signature_v3, validate_v3_signature

    provider = Provider(
        "plivo",
        ["https://www.plivo.com/docs/voice/concepts/signature-validation"],
        "official-code",
        "Computed by get_signature_v3 and construct_post_url of plivo 4.63.0 (PyPI); verdict of its validate_v3_signature; inputs ours.",
    )
    token, nonce = "MWUxYWU0ZDYzNjFlMmE3", "05429567804466091622"

    def headers(url, body):
        parameters = {name: values[0] for name, values in parse_qs(body, keep_blank_values=True).items()}
        signature = get_signature_v3(token.encode(), construct_post_url(url, dict(parameters)).decode(), nonce).decode()
        return FORM | {"X-Plivo-Signature-V3": signature, "X-Plivo-Signature-V3-Nonce": nonce}

    def verdict(url, headers, body, nonce=nonce):
        parameters = {name: values[0] for name, values in parse_qs(body, keep_blank_values=True).items()}
        return validate_v3_signature("POST", url, nonce, token, headers["X-Plivo-Signature-V3"], parameters)

    body = "To=12025551234&From=12025550000&Event=StartApp&CallUUID=97ceeb52-58b6-11e1-86da-77300b68f8bb&Digits="
    for name, url, text, event in [
        ("call", "https://hooks.example.com/plivo", body, "StartApp"),
        ("URL with a query", "https://hooks.example.com/plivo?tenant=b&app=a%20c", body, "StartApp"),
        (
            "message with non-ASCII text",
            "https://hooks.example.com/plivo",
            "From=1&To=2&Text=Gr%C3%BC%C3%9Fe+%26+mehr.&Type=sms",
            None,
        ),
    ]:
        good = headers(url, text)
        accepts(verdict(url, good, text))
        provider.add(name, token, good, text, url=url, event=event)
    both = good | {"X-Plivo-Signature-V3": "Zm9yZ2Vk," + good["X-Plivo-Signature-V3"]}
    accepts(verdict(url, both, text))
    provider.add("one of two signatures", token, both, text, url=url)
    changed = text.replace("To=2", "To=3")
    refuses(verdict(url, good, changed) or verdict(url, good, text, "05429567804466091623"))
    provider.add("a value changed", token, good, changed, url=url, expect="invalid: signature mismatch")
    provider.add(
        "another nonce",
        token,
        good | {"X-Plivo-Signature-V3-Nonce": "05429567804466091623"},
        text,
        url=url,
        expect="invalid: signature mismatch",
    )
    dotted = "https://hooks.example.com/plivo?v=1.2"
    accepts(verdict(dotted, headers(dotted, text), text))
    provider.add(
        "query with a full stop",
        token,
        headers(dotted, text),
        text,
        url=dotted,
        expect="invalid: ambiguous (the SDK accepts it; this crate does not)",
    )
    provider.write()


def livekit():
    from livekit.api import TokenVerifier, WebhookReceiver

    provider = Provider(
        "livekit",
        ["https://docs.livekit.io/home/server/webhooks/"],
        "official-code",
        "Claims as LiveKit's server makes them, signed by PyJWT; verdict of WebhookReceiver.receive of livekit-api 1.2.2 (PyPI).",
    )
    key, secret = "APIabcdefgh", "livekit-api-secret-of-32-bytes-or-more"
    receiver = WebhookReceiver(TokenVerifier(key, secret))

    def headers(body, secret=secret, **claims):
        sha = b64(hashlib.sha256(body.encode()).digest())
        claims = {"iss": key, "nbf": NOW, "exp": NOW + 300, "sha256": sha} | claims
        return {"Content-Type": "application/webhook+json", "Authorization": jwt.encode(claims, secret, "HS256")}

    def verdict(headers, body, now=NOW):
        datetime = __import__("datetime")
        with mock.patch("jwt.api_jwt.datetime") as clock:
            clock.now.return_value = datetime.datetime.fromtimestamp(now, datetime.timezone.utc)
            try:
                return receiver.receive(body, headers["Authorization"])
            except Exception:
                return None

    more = dict(parameters={"api-key": key})
    for name, body, event in [
        (
            "room started",
            '{"event":"room_started","room":{"sid":"RM_1","name":"standup"},"id":"EV_1","createdAt":"1750000000"}',
            "room_started",
        ),
        (
            "participant joined, non-ASCII text",
            '{"event":"participant_joined","participant":{"identity":"Žofie"},"id":"EV_1"}',
            "participant_joined",
        ),
    ]:
        good = headers(body)
        accepts(verdict(good, body))
        provider.add(name, secret, good, body, NOW + 10, id="EV_1", event=event, **more)
    refuses(verdict(good, body + " ") or verdict(headers(body, iss="APIother"), body) or verdict(good, body, NOW + 900))
    refuses(verdict(headers(body, secret="another secret that is long enough too"), body))
    provider.add("body changed", secret, good, body + " ", NOW, expect="invalid: hash of the body", **more)
    provider.add("another API key", secret, headers(body, iss="APIother"), body, NOW, expect="invalid: issuer", **more)
    provider.add("ten minutes after it expired", secret, good, body, NOW + 900, expect="invalid: expired", **more)
    provider.add(
        "other secret",
        secret,
        headers(body, secret="another secret that is long enough too"),
        body,
        NOW,
        expect="invalid: signature mismatch",
        **more,
    )
    provider.write()


def stream():
    from stream_chat.webhook import verify_signature

    provider = Provider(
        "stream",
        ["https://getstream.io/chat/docs/node/webhooks_overview/"],
        "official-code",
        "Python's hmac by the documented formula; verdict of stream_chat.webhook.verify_signature of stream-chat 4.33.0 (PyPI).",
    )
    secret = "8fjzn5w2vynuwf8p"
    for name, body, event in [
        ("new message", '{"type":"message.new","cid":"messaging:1","message":{"text":"hi"}}', "message.new"),
        ("non-ASCII text", '{"type":"message.updated","message":{"text":"¡Qué tal!"}}', "message.updated"),
    ]:
        good = JSON | {
            "X-Signature": digest("sha256", secret, body).hex(),
            "X-Webhook-Id": "123e4567-e89b-12d3-a456-426614174000",
            "X-Webhook-Attempt": "1",
            "X-Api-Key": "a1b23cdefgh4",
        }
        accepts(verify_signature(body, good["X-Signature"], secret))
        provider.add(name, secret, good, body, id="123e4567-e89b-12d3-a456-426614174000", event=event)
    refuses(
        verify_signature(body + " ", good["X-Signature"], secret)
        or verify_signature(body, good["X-Signature"], "another")
    )
    provider.add("body changed", secret, good, body + " ", expect="invalid: signature mismatch")
    provider.add("other secret", "another", good, body, expect="invalid: signature mismatch")
    provider.write()


def timestamped(
    name, documentation, secret, millis, headers, bodies, encode=bytes.hex, key=str.encode, judged=True
):
    """A MAC of time and body, without code of the provider. Unless the time is judged, it is a header like any other."""
    provider = Provider(name, documentation, source="Python's hmac by the documented formula; inputs ours.")
    time = NOW * 1000 + 345 if millis else NOW

    def signed(body, time):
        return JSON | headers(time, encode(digest("sha256", key(secret), f"{time}.{body}")))

    now = NOW if judged else None
    for title, body, known in bodies:
        provider.add(title, secret, signed(body, time), body, now and now + 60, **known)
    good = signed(body, time)
    provider.add("body changed", secret, good, body + " ", now, expect="invalid: signature mismatch")
    moved = good | {name: value.replace(str(time), str(time + 1)) for name, value in good.items()}
    assert moved != good
    provider.add("time changed", secret, moved, body, now, expect="invalid: signature mismatch")
    if judged:
        provider.add("302 s old", secret, good, body, NOW + 302, expect="invalid: stale")
    provider.write()


def extras():
    non_ascii = "non-ASCII text"
    timestamped(
        "chatwoot",
        [
            "https://developers.chatwoot.com/api-reference/webhooks/add-a-webhook",
            "https://github.com/chatwoot/chatwoot/pull/13573",
        ],
        "chatwoot-webhook-secret",
        False,
        lambda t, mac: {
            "X-Chatwoot-Timestamp": str(t),
            "X-Chatwoot-Signature": "sha256=" + mac,
            "X-Chatwoot-Delivery": "0b7a1c5e-3f5a-4d0c-8f6b-2a9d1c3e4f50",
        },
        [
            (
                "message created",
                '{"event":"message_created","id":1,"content":"Hi"}',
                dict(id="0b7a1c5e-3f5a-4d0c-8f6b-2a9d1c3e4f50", event="message_created"),
            ),
            (
                non_ascii,
                '{"event":"message_updated","id":1,"content":"Olá"}',
                dict(id="0b7a1c5e-3f5a-4d0c-8f6b-2a9d1c3e4f50", event="message_updated"),
            ),
        ],
    )
    timestamped(
        "knock",
        ["https://docs.knock.app/developer-tools/outbound-webhooks"],
        "knock-signing-key",
        True,
        lambda t, mac: {"x-knock-signature": f"t={t},s={mac}"},
        [
            ("message sent", '{"type":"message.sent","data":{"id":"1"}}', dict(event="message.sent")),
            (non_ascii, '{"type":"message.read","data":{"name":"Ålesund"}}', dict(event="message.read")),
        ],
        encode=b64,
    )
    timestamped(
        "podium",
        ["https://docs.podium.com/docs/verifying-webhook-signatures"],
        "podium-webhook-secret",
        True,
        lambda t, mac: {"podium-timestamp": str(t), "podium-signature": mac},
        [
            (
                "body of the documentation",
                '{"data":{"bar":"apples","foo":"1"},"metadata":{"event_type":"test.event","version":"2021.04.01"}}',
                dict(event="test.event"),
            ),
            (
                non_ascii,
                '{"data":{"body":"Où?"},"metadata":{"eventUid":"e-1","eventType":"message.received"}}',
                dict(id="e-1", event="message.received"),
            ),
        ],
    )
    timestamped(
        "talkjs",
        [
            "https://talkjs.com/docs/Reference/Webhooks/",
            "https://talkjs.com/docs/Features/Security_Settings/Security%20Recommendations.html",
            "https://github.com/talkjs/talkjs-examples",
        ],
        "sk_test_talkjs",
        True,
        lambda t, mac: {"X-TalkJS-Timestamp": str(t), "X-TalkJS-Signature": mac},
        [
            ("message sent", '{"type":"message.sent","id":"evt_1"}', dict(id="evt_1", event="message.sent")),
            (
                non_ascii,
                '{"type":"user.created","id":"evt_2","data":{"user":{"name":"Søren"}}}',
                dict(id="evt_2", event="user.created"),
            ),
        ],
        encode=lambda data: data.hex().upper(),
        judged=False,
    )
    timestamped(
        "whereby",
        ["https://docs.whereby.com/whereby-product-features/insights-suite-and-api/webhooks"],
        "whereby-webhook-secret",
        False,
        lambda t, mac: {"Whereby-Signature": f"t={t},v1={mac}"},
        [
            ("client joined", '{"id":"1","type":"room.client.joined"}', dict(id="1", event="room.client.joined")),
            (
                non_ascii,
                '{"id":"2","type":"room.client.left","data":{"displayName":"Bjørn"}}',
                dict(id="2", event="room.client.left"),
            ),
        ],
    )
    timestamped(
        "zoho-payments",
        ["https://www.zoho.com/in/payments/developerdocs/webhooks/verification"],
        "zoho-signing-key",
        True,
        lambda t, mac: {"X-Zoho-Webhook-Signature": f"t={t},v={mac}"},
        [
            (
                "payment succeeded",
                '{"event_id":"2","event_type":"payment.succeeded"}',
                dict(id="2", event="payment.succeeded"),
            ),
            (
                non_ascii,
                '{"event_id":"3","event_type":"payment.failed","event_object":{"name":"हिन्दी"}}',
                dict(id="3", event="payment.failed"),
            ),
        ],
    )
    plain(
        "agora",
        ["https://docs.agora.io/en/video-calling/advanced-features/receive-notifications"],
        "sha256",
        "secret",
        "Agora-Signature-V2",
        bytes.hex,
        [
            (
                non_ascii,
                '{"noticeId":"2000001428:4330:107","productId":1,"eventType":101,"notifyMs":1611566412672,"payload":{"channelName":"tëst"}}',
                dict(id="2000001428:4330:107", event="101"),
            )
        ],
    )
    plain(
        "helpscout",
        ["https://developer.helpscout.com/webhooks"],
        "sha1",
        "my-secret-key",
        "X-HelpScout-Signature",
        b64,
        [
            ("conversation deleted", '{"id":4}', dict(event="convo.deleted")),
            (non_ascii, '{"id":4,"subject":"Größe"}', dict(event="convo.deleted")),
        ],
        headers=JSON | {"X-HelpScout-Event": "convo.deleted"},
    )
    plain(
        "sendbird",
        ["https://sendbird.com/docs/chat/platform-api/v3/webhook/webhook-overview"],
        "sha256",
        "master-api-token",
        "x-sendbird-signature",
        bytes.hex,
        [
            (
                "message sent",
                '{"category":"group_channel:message_send","payload":{"message":"hi"}}',
                dict(event="group_channel:message_send"),
            ),
            (
                non_ascii,
                '{"category":"open_channel:message_send","payload":{"message":"안녕"}}',
                dict(event="open_channel:message_send"),
            ),
        ],
    )
    plain(
        "tawk-to",
        ["https://developer.tawk.to/webhooks/"],
        "sha1",
        "tawk-webhook-secret",
        "X-Tawk-Signature",
        bytes.hex,
        [
            ("chat started", '{"event":"chat:start","chatId":"1"}', dict(id="31f4d3a0", event="chat:start")),
            (
                non_ascii,
                '{"event":"ticket:create","ticket":{"subject":"Ñandú"}}',
                dict(id="31f4d3a0", event="ticket:create"),
            ),
        ],
        headers=JSON | {"X-Hook-Event-Id": "31f4d3a0"},
    )
    timestamped(
        "daily",
        ["https://docs.daily.co/reference/rest-api/webhooks"],
        "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=",
        True,
        lambda t, mac: {"X-Webhook-Timestamp": str(t), "X-Webhook-Signature": mac},
        [
            (
                "meeting started",
                '{"version":"1.0.0","type":"meeting.started","id":"mee-1"}',
                dict(id="mee-1", event="meeting.started"),
            ),
            (
                non_ascii,
                '{"version":"1.0.0","type":"participant.joined","id":"par-1","payload":{"user_name":"Łukasz"}}',
                dict(id="par-1", event="participant.joined"),
            ),
        ],
        encode=b64,
        key=base64.b64decode,
        judged=False,
    )
    plain(
        "bland",
        ["https://docs.bland.ai/tutorials/webhook-signing"],
        "sha256",
        "bland-webhook-secret",
        "X-Webhook-Signature",
        bytes.hex,
        [
            ("call", '{"call_id":"c-1","completed":true}', {}),
            (non_ascii, '{"call_id":"c-2","summary":"Très bien"}', {}),
        ],
    )
    tokens()
    dialpad()


def signalwire():
    from signalwire.core.security.webhook_validator import (
        validate_request,
        validate_webhook_signature,
        validate_webhook_signature_sha256,
    )

    documentation = [
        "https://developer.signalwire.com/guides/webhook-security",
        "https://github.com/signalwire/signalwire-python",
    ]
    key, url = "PSK_signing_key_of_the_project", "https://hooks.example.com/signalwire?tenant=1"
    for name, algorithm, header, verify in [
        ("signalwire", "sha256", "X-SignalWire-Sha256-Signature", validate_webhook_signature_sha256),
        ("signalwire-sha1", "sha1", "X-SignalWire-Signature", validate_webhook_signature),
    ]:
        provider = Provider(
            name,
            documentation,
            "official-code",
            f"Python's hmac by the documented formula; verdict of {verify.__name__} of signalwire-sdk 3.7.5 (PyPI).",
        )
        for title, body in [
            ("call", '{"call":{"call_id":"c-1","direction":"inbound"},"vars":{}}'),
            ("non-ASCII text", '{"call":{"call_id":"c-2"},"params":{"text":"Çok güzel"}}'),
        ]:
            good = JSON | {header: digest(algorithm, key, url + body).hex()}
            accepts(verify(key, good[header], url, body))
            provider.add(title, key, good, body, url=url)
        refuses(verify(key, good[header], url, body + " ") or verify(key, good[header], url + "2", body))
        provider.add("body changed", key, good, body + " ", url=url, expect="invalid: signature mismatch")
        provider.add("another URL", key, good, body, url=url + "2", expect="invalid: signature mismatch")
        provider.write()

    provider = Provider(
        "signalwire-compatibility",
        documentation,
        "official-code",
        "Python's hmac by the documented formula; verdict of validate_request of signalwire-sdk 3.7.5 (PyPI).",
    )
    body = "CallSid=c-1&From=%2B14158675309&To=%2B18005551212&Digits="
    parameters = {name: values[0] for name, values in parse_qs(body, keep_blank_values=True).items()}
    message = url + "".join(name + parameters[name] for name in sorted(parameters))
    good = FORM | {"X-SignalWire-Signature": b64(digest("sha1", key, message))}
    accepts(validate_request(key, good["X-SignalWire-Signature"], url, parameters))
    provider.add("form", key, good, body, url=url)
    text = '{"Body":"Grüße"}'
    hashed = f"{url}&bodySHA256={hashlib.sha256(text.encode()).hexdigest()}"
    good_json = JSON | {"X-SignalWire-Signature": b64(digest("sha1", key, hashed))}
    accepts(validate_request(key, good_json["X-SignalWire-Signature"], hashed, text))
    provider.add("JSON with its hash in the query", key, good_json, text, url=hashed)
    refuses(validate_request(key, good["X-SignalWire-Signature"], url, parameters | {"To": "+1"}))
    provider.add(
        "a value changed", key, good, body.replace("5551212", "5551213"), url=url, expect="invalid: signature mismatch"
    )
    provider.write()


def tokens():
    for name, documentation, secret, headers, body, known in [
        (
            "aircall",
            "https://developer.aircall.io/docs/setup-webhooks",
            "45XXYYZZa08",
            lambda token: {},
            {"resource": "number", "event": "number.created", "timestamp": 1585601319, "token": "45XXYYZZa08"},
            dict(event="number.created"),
        ),
        (
            "mattermost",
            "https://developers.mattermost.com/integrate/webhooks/outgoing/",
            "xr3j5x3p4pfk7kk6ck7b4e6ghh",
            lambda token: {},
            {
                "channel_id": "hawos4dqtby53pd64o4a4cmeoo",
                "post_id": "axdygg1957njfe5pu38saikdho",
                "text": "hi",
                "token": "xr3j5x3p4pfk7kk6ck7b4e6ghh",
                "trigger_word": "hi",
            },
            dict(id="axdygg1957njfe5pu38saikdho", event="hi"),
        ),
        (
            "vapi",
            "https://docs.vapi.ai/server-url/server-authentication",
            "vapi-server-secret",
            lambda token: {"X-Vapi-Secret": token},
            {"message": {"type": "status-update", "status": "ended"}},
            dict(event="status-update"),
        ),
    ]:
        provider = Provider(name, [documentation], source="Form of the documentation; nothing is computed.")
        good = JSON | headers(secret)
        provider.add("as documented", secret, good, json.dumps(body), **known)
        text = json.dumps(body | {"note": "Ünïcode"}, ensure_ascii=False)
        provider.add("non-ASCII text", secret, good, text, **known)
        if name == "mattermost":
            form = "token=xr3j5x3p4pfk7kk6ck7b4e6ghh&post_id=axdygg1957njfe5pu38saikdho&trigger_word=hi&text=hi"
            provider.add("form", secret, FORM, form)
            provider.add("form, other token", secret + "x", FORM, form, expect="invalid: signature mismatch")
        provider.add("other token", secret + "x", good, text, expect="invalid: signature mismatch")
        provider.add("no token", secret, JSON, "{}", expect="invalid: missing signature")
        provider.write()


def dialpad():
    provider = Provider(
        "dialpad",
        ["https://developers.dialpad.com/docs/event-subscriptions"],
        source="Signed by PyJWT, as documented; inputs ours.",
    )
    secret = "a secret shared with Dialpad, of 32 bytes"
    kind = {"Content-Type": "application/jwt"}
    for name, claims, event in [
        ("call hung up", {"call_id": 1, "state": "hangup", "event_timestamp": 1636746599498}, "hangup"),
        ("message, non-ASCII text in the claims", {"id": 2, "text": "¿Dónde?"}, None),
    ]:
        body = jwt.encode(claims, secret, "HS256")
        provider.add(name, secret, kind, body, event=event)
    provider.add(
        "other secret", secret, kind, jwt.encode(claims, secret + "x", "HS256"), expect="invalid: signature mismatch"
    )
    provider.add("another algorithm", secret, kind, jwt.encode(claims, secret, "HS512"), expect="invalid: algorithm")
    provider.add("not signed", secret, kind, jwt.encode(claims, None, "none"), expect="invalid: algorithm")
    provider.add("plain JSON", secret, JSON, '{"call_id":1,"state":"hangup"}', expect="invalid: no usable signature")
    provider.write()


if __name__ == "__main__":
    for make in [
        twilio,
        vonage,
        messagebird,
        bird,
        bandwidth,
        sinch,
        telnyx,
        discord,
        webex,
        teams,
        zulip,
        pusher,
        nylas,
        intercom,
        front,
        courier,
        websub,
        plivo,
        livekit,
        stream,
        signalwire,
        extras,
    ]:
        make()
