"""Writes the vectors of providers that no package signs or judges for, by the formulas of their documentation.

Python 3.11 or later with PyJWT==2.15.1 and pyairtable==3.5.1. `python content.py`.
Uploadcare's are judged by its own Ruby code, see content.rb.
"""

import base64
import hashlib
import hmac
import json
import pathlib

import jwt
from pyairtable.models.webhook import WebhookNotification

VECTORS = pathlib.Path(__file__).parent.parent
COMPUTED = "Computed by Python's hmac by the formula of the documentation; inputs ours."
DERIVED = "Derived from the vector of the same body."
JSON = {"Content-Type": "application/json"}
NOW = 1_700_000_000


def mac(secret, content, algorithm="sha256"):
    if isinstance(secret, str):
        secret = secret.encode()
    return hmac.new(secret, content.encode(), algorithm)


def vector(name, secret, headers, body, *, now=None, id=None, event=None, source=COMPUTED, origin="computed", url=None, expect="valid", parameters=None):
    return {
        "name": name,
        "origin": origin,
        "source": source,
        "secret": secret,
        **({"parameters": parameters} if parameters else {}),
        "method": "POST",
        "url": url,
        "headers": headers,
        "body": body,
        "now": now,
        "expect": expect,
        "id": id,
        "event": event,
    }


def changed(vector, name, expect="signature mismatch", **change):
    return vector | {"name": name, "source": DERIVED, "origin": "computed", "expect": f"invalid: {expect}", "id": None, "event": None} | change


def write(provider, documentation, *vectors):
    for each in vectors:
        each["url"] = each["url"] or f"https://hooks.example.com/{provider}"
    text = json.dumps({"provider": provider, "documentation": documentation, "vectors": vectors}, indent=2, ensure_ascii=False)
    (VECTORS / f"{provider}.json").write_text(text + "\n")
    print(provider, len(vectors))


def plain(provider, documentation, secret, header, sign, requests, *, headers=JSON, others=lambda id, event: {}, extra=()):
    """A provider that signs the body and nothing else."""
    valid = [
        vector(name, secret, headers | others(id, event) | {header: sign(secret, body)}, body, id=id, event=event)
        for name, body, id, event in requests
    ]
    first = valid[0]
    write(
        provider,
        documentation,
        *extra,
        *valid,
        changed(first, "body changed", body=first["body"] + " "),
        changed(first, "another secret", secret=secret + "x"),
    )


hex_ = lambda secret, body: mac(secret, body).hexdigest()
hex_sha1 = lambda secret, body: mac(secret, body, "sha1").hexdigest()
base64_ = lambda secret, body: base64.b64encode(mac(secret, body).digest()).decode()


def asana():
    plain(
        "asana",
        ["https://developers.asana.com/docs/webhooks-guide"],
        "b537207f20cbfa02357cf448134da559e8bd39d61597dcd5631b8012eae53e81",
        "X-Hook-Signature",
        hex_,
        [
            ("task changed", '{"events":[{"user":{"gid":"12345"},"created_at":"2024-02-21T21:10:28.313Z","action":"changed","resource":{"gid":"1337","resource_type":"task"}}]}', None, None),
            ("heartbeat", '{"events":[]}', None, None),
            ("non-ASCII text", '{"events":[{"action":"added","resource":{"gid":"1338","name":"Café Łódź ♥"}}]}', None, None),
        ],
    )


def calcom():
    plain(
        "calcom",
        ["https://cal.com/docs/developing/guides/automation/webhooks"],
        "a secret of a webhook",
        "X-Cal-Signature-256",
        hex_,
        [
            ("booking created", '{"triggerEvent":"BOOKING_CREATED","createdAt":"2023-05-24T09:30:00.538Z","payload":{"type":"60min","title":"60min between Pro Example and John Doe","uid":"bFJeNb2uX8ANpT3JL5EfXw"}}', None, "BOOKING_CREATED"),
            ("non-ASCII text", '{"triggerEvent":"BOOKING_CANCELLED","payload":{"title":"Café Łódź ♥"}}', None, "BOOKING_CANCELLED"),
        ],
    )


def calendly():
    secret = "GqzLPyTCV9LhIJxSCJmpq7nZzVY0mPfCOkY0SkdfhKY"
    sign = lambda body: JSON | {"Calendly-Webhook-Signature": f"t={NOW},v1={hex_(secret, f'{NOW}.{body}')}"}
    body = '{"event":"invitee.created","created_at":"2023-11-14T22:13:20.000000Z","created_by":"https://api.calendly.com/users/AAAA","payload":{"uri":"https://api.calendly.com/scheduled_events/BBBB/invitees/CCCC"}}'
    text = '{"event":"invitee.canceled","payload":{"name":"Zoë Łódź ♥"}}'
    first = vector("invitee created", secret, sign(body), body, now=NOW, event="invitee.created")
    write(
        "calendly",
        ["https://developer.calendly.com/api-docs/overview/webhooks/webhook-signatures"],
        first,
        vector("non-ASCII text", secret, sign(text), text, now=NOW, event="invitee.canceled"),
        first | {"name": "three minutes old", "now": NOW + 180},
        changed(first, "more than three minutes old", "stale", now=NOW + 181),
        changed(first, "body changed", body=body + " "),
        changed(first, "another time", headers=JSON | {"Calendly-Webhook-Signature": sign(body)["Calendly-Webhook-Signature"].replace(f"t={NOW}", f"t={NOW + 1}")}),
    )


def formstack():
    form = {"Content-Type": "application/x-www-form-urlencoded; charset=utf-8", "User-Agent": "FormstackWebhook/1.0 (Form 6606394)"}
    captured = vector(
        "captured delivery",
        "test1",
        form | {"X-FS-Signature": "sha256=30dff7f180b6d69eab397a5d51719474df490b730514c253e8b5832d3b51b970"},
        "FormID=6606394&UniqueID=1500878955&HandshakeKey=test",
        id="1500878955",
        origin="published",
        source="A delivery of Formstack's that github.com/hookdeck/webhook-skills, skills/formstack-webhooks/references/verification.md, captured on 2026-09-25.",
    )
    body = '{"FormID":"6606394","UniqueID":"1500878956","Name":"Zoë Łódź ♥"}'
    secret = "a key of our own"
    escaped = "FormID=6606394&UniqueID=1500878957&Name=Zo%C3%AB+%C5%81%C3%B3d%C5%BA"
    write(
        "formstack",
        ["https://help.formstack.com/", "https://github.com/hookdeck/webhook-skills/blob/main/skills/formstack-webhooks/references/verification.md"],
        captured,
        vector("escapes in a form", secret, form | {"X-FS-Signature": "sha256=" + hex_(secret, escaped)}, escaped, id="1500878957"),
        vector("JSON with non-ASCII text", secret, JSON | {"X-FS-Signature": "sha256=" + hex_(secret, body)}, body, id=None),
        changed(captured, "fields in another order", body="UniqueID=1500878955&FormID=6606394&HandshakeKey=test"),
        changed(captured, "another key", secret="test2"),
    )


def frameio():
    secret = "frameio_secret"
    sign = lambda body: JSON | {"X-Frameio-Request-Timestamp": f"{NOW}", "X-Frameio-Signature": "v0=" + hex_(secret, f"v0:{NOW}:{body}")}
    body = '{"type":"asset.created","resource":{"type":"asset","id":"76beb1a3-c7d4-4d53-8fad-9d7b6cd9d1a4"},"user":{"id":"56556a3f-859f-4b38-b6c6-e8625b5da8a5"},"team":{"id":"b6c6e862-5b5d-a8a5-5655-6a3f859f4b38"}}'
    text = '{"type":"comment.created","note":"Café Łódź ♥"}'
    first = vector("asset created", secret, sign(body), body, now=NOW, event="asset.created")
    write(
        "frameio",
        ["https://developer.frame.io/docs/automations-webhooks/webhooks-overview", "https://next.developer.frame.io/platform/docs/guides/webhooks"],
        first,
        vector("non-ASCII text", secret, sign(text), text, now=NOW, event="comment.created"),
        changed(first, "another version", "no signature of a known version", headers=first["headers"] | {"X-Frameio-Signature": first["headers"]["X-Frameio-Signature"].replace("v0", "v1")}),
        changed(first, "301 s old", "stale", now=NOW + 301),
        changed(first, "another time", headers=first["headers"] | {"X-Frameio-Request-Timestamp": f"{NOW + 1}"}),
    )


def greenhouse():
    body = '{"action":"ping","payload":{"web_hook_id":4001693002,"endpoint_url":"https://67e09e60.ngrok.io/webhooks","created_at":"2018-12-20T15:43:12Z","updated_at":"2018-12-27T09:40:14Z","name":"Job Post Create","event":"Job Post Created","active":true,"content-type":"application/json"}}'
    published = vector(
        "a ping that Greenhouse sent",
        "1uSUju2H6AohOE7OQVaxeLT3O8Uxxuas",
        JSON | {"Signature": "sha256 395b1309fd37f0732d1ed11c15e03edd61b818918df6bf93be7c71bafb09c877"},
        body,
        event="ping",
        origin="published",
        source="Body, secret and signature of a ping by Greenhouse, in issue 276 of github.com/grnhse/greenhouse-api-docs.",
    )
    plain(
        "greenhouse",
        ["https://developers.greenhouse.io/webhooks.html"],
        "a secret key of at least 32 characters",
        "Signature",
        lambda secret, body: "sha256 " + hex_(secret, body),
        [("non-ASCII text", '{"action":"new_candidate_application","payload":{"application":{"id":1,"candidate":{"first_name":"Zoë","city":"Łódź ♥"}}}}', "2c2a7b5e-f1b9-4a3c-9c55-0d6b1b5a7f10", "new_candidate_application")],
        others=lambda id, event: {"Greenhouse-Event-ID": id},
        extra=[published, changed(published, "a ping with another secret", secret="0uSUju2H6AohOE7OQVaxeLT3O8Uxxuas")],
    )


def monday():
    secret = "monday signing secret of 32 bytes or more"
    url = "https://hooks.example.com/monday"
    claims = {"accountId": 1825528, "userId": 4012689, "aud": url, "exp": NOW + 300, "iat": NOW, "shortLivedToken": "SHORT_LIVED_TOKEN"}
    source = "Token made by PyJWT 2.15.1, one of the libraries that the documentation points to, with the claims that it shows; inputs ours."
    token = lambda claims, secret=secret, algorithm="HS256": {"Authorization": jwt.encode(claims, secret, algorithm=algorithm)} | JSON
    body = '{"event":{"type":"create_pulse","triggerUuid":"b5ed2e17c530f43668de130142445cba","boardId":1,"pulseId":2,"pulseName":"Café Łódź ♥"}}'
    first = vector("item created", secret, token(claims), body, now=NOW, id="b5ed2e17c530f43668de130142445cba", event="create_pulse", source=source, parameters={"audience": url})
    status = '{"event":{"type":"update_column_value","triggerUuid":"c4","boardId":1}}'
    write(
        "monday",
        ["https://developer.monday.com/apps/docs/authorization-header", "https://developer.monday.com/api-reference/docs/webhooks"],
        first,
        vector("column changed, 100 s old", secret, token(claims | {"userId": 7}), status, now=NOW + 100, id="c4", event="update_column_value", source=source, parameters={"audience": url}),
        changed(first, "another secret", headers=token(claims, "the client secret is for lifecycle webhooks")),
        changed(first, "expired", "expired", now=NOW + 361),
        changed(first, "of another endpoint", "another audience", headers=token(claims | {"aud": "https://hooks.example.com/other"})),
        changed(first, "no audience in the token", "no audience", headers=token({name: value for name, value in claims.items() if name != "aud"})),
        changed(first, "no expiry", "no expiry", headers=token({name: value for name, value in claims.items() if name != "exp"})),
        changed(first, "not signed", "algorithm none", headers=token(claims, None, "none")),
    )


def tokens():
    """Providers that send the secret itself."""
    shown = "Put together by hand: the secret is compared as it is; inputs ours, shape of the documentation."
    text = lambda secret: f'{{"type":"api-update","secret":{secret},"domain":"repository","apiUrl":"https://repository.prismic.io/api","documents":["XyZ"]}}'
    first = vector("documents published", "prismic-secret", JSON, text('"prismic-secret"'), event="api-update", source=shown)
    other = '{"secret":"pässword ♥","type":"test-trigger","domain":"repository"}'
    write(
        "prismic",
        ["https://prismic.io/docs/webhooks"],
        first,
        vector("secret beyond ASCII", "pässword ♥", JSON, other, event="test-trigger", source=shown),
        changed(first, "another secret", body=text('"prismic-secreT"')),
        changed(first, "no secret configured at Prismic", "no token", body=text("null")),
        changed(first, "secret there twice", "missing signature, as it is there twice", body=text('"x","secret":"prismic-secret"')),
    )
    passcode = lambda secret, name="Café Łódź ♥": f'{{"event_type":"FILE_UPDATE","file_key":"zH2Vyg4BPFSKnlqw3PZvMl","file_name":"{name}","passcode":"{secret}","timestamp":"2023-11-14T22:13:20Z","webhook_id":"22"}}'
    first = vector("file updated", "figma-passcode", JSON, passcode("figma-passcode", "Sample"), event="FILE_UPDATE", source=shown)
    write(
        "figma",
        ["https://developers.figma.com/docs/rest-api/webhooks-security"],
        first,
        vector("non-ASCII text", "figma-passcode", JSON, passcode("figma-passcode"), event="FILE_UPDATE", source=shown),
        changed(first, "another passcode", body=passcode("figma-passcodE")),
        changed(first, "no passcode", "no token", body='{"event_type":"FILE_UPDATE","webhook_id":"22"}'),
    )
    secret = "Bearer my-very-secured-token"
    body = '{"event":"entry.create","createdAt":"2020-01-10T08:58:26.563Z","model":"address","entry":{"id":1,"city":"Paris"}}'
    first = vector("entry created", secret, JSON | {"Authorization": secret, "X-Strapi-Event": "entry.create"}, body, event="entry.create", source=shown)
    write(
        "strapi",
        ["https://docs.strapi.io/cms/backend-customization/webhooks"],
        first,
        vector("non-ASCII text", "another-token", JSON | {"Authorization": "another-token"}, '{"event":"media.update","media":{"name":"Café Łódź ♥"}}', event="media.update", source=shown),
        changed(first, "another token", headers=JSON | {"Authorization": "Bearer my-very-secured-tokem"}),
        changed(first, "no token", "no token", headers=JSON),
    )


def storyblok():
    plain(
        "storyblok",
        ["https://www.storyblok.com/docs/concepts/webhooks", "https://www.storyblok.com/tp/webhook-secret-with-different-technologies"],
        "hello",
        "webhook-signature",
        hex_sha1,
        [
            ("story published", '{"text":"The user test@domain.com published the Story XYZ (xyz)","action":"published","space_id":285,"story_id":123,"full_slug":"xyz"}', None, "published"),
            ("non-ASCII text", '{"text":"Café Łódź ♥","action":"unpublished","space_id":285,"story_id":124}', None, "unpublished"),
        ],
    )


def tally():
    plain(
        "tally",
        ["https://tally.so/help/webhooks"],
        "whsec-test-secret",
        "Tally-Signature",
        base64_,
        [
            ("response", '{"eventId":"a4cb511e-d513-4fa5-baee-b815d718dfd1","eventType":"FORM_RESPONSE","createdAt":"2023-06-28T15:00:21.889Z","data":{"responseId":"2wgx4n","formId":"VwbNEw"}}', "a4cb511e-d513-4fa5-baee-b815d718dfd1", "FORM_RESPONSE"),
            ("non-ASCII text", '{"eventId":"b5","eventType":"FORM_RESPONSE","data":{"formName":"Café Łódź ♥"}}', "b5", "FORM_RESPONSE"),
        ],
    )


def thinkific():
    plain(
        "thinkific",
        ["https://support.thinkific.dev/hc/en-us/articles/4422685850775"],
        "84b0e5c2d5e1b0e5c2d5e1f",
        "X-Thinkific-Hmac-Sha256",
        hex_,
        [
            ("user signed up", '{"id":"2018110116390100a09ad3","resource":"user","action":"signup","tenant_id":3,"created_at":"2018-11-01T16:39:01.000Z","payload":{"email":"bob@example.com"}}', "2018110116390100a09ad3", "signup"),
            ("non-ASCII text", '{"id":"2","resource":"order","action":"created","payload":{"user_name":"Zoë Łódź ♥"}}', "2", "created"),
        ],
    )


def trello():
    secret = "d2f3a4b5c6d7e8f9a0b1c2d3e4f5a6b7c8d9e0f1a2b3c4d5e6f7a8b9c0d1e2f3"
    url = "https://hooks.example.com/trello?board=1"
    sign = lambda body, url: JSON | {"X-Trello-Webhook": base64.b64encode(mac(secret, body + url, "sha1").digest()).decode()}
    body = '{"action":{"id":"51f9424bcd6e040f3c002412","idMemberCreator":"4fc78a59a885233f4b349bd9","type":"updateBoard","date":"2013-07-31T16:58:51.949Z"},"model":{"id":"4d5ea62fd76aa1136000000c"}}'
    text = '{"action":{"id":"51f9277b2822b8654f0023af","type":"createCard","data":{"card":{"name":"Café Łódź ♥"}}}}'
    first = vector("board updated", secret, sign(body, url), body, url=url, event="updateBoard")
    write(
        "trello",
        ["https://developer.atlassian.com/cloud/trello/guides/rest-api/webhooks/"],
        first,
        vector("non-ASCII text", secret, sign(text, "https://hooks.example.com/trello"), text, event="createCard"),
        changed(first, "body changed", body=body.replace("updateBoard", "deleteBoard")),
        changed(first, "another URL", url="https://hooks.example.com/trello?board=2"),
    )


def wistia():
    plain(
        "wistia",
        ["https://docs.wistia.com/docs/webhooks"],
        "a secret key of wistia",
        "X-Wistia-Signature",
        hex_,
        [
            ("play", '{"hook":{"uuid":"0c1f4d4e-7b8a-4a37-a16c-3e5d6c1d9b11"},"events":[{"uuid":"e1","type":"viewing_session.play","payload":{},"generated_at":"2023-01-01T00:00:00Z"}]}', None, None),
            ("non-ASCII text", '{"hook":{"uuid":"h1"},"events":[{"uuid":"e2","type":"media.updated","payload":{"media":{"name":"Café Łódź ♥"}}}]}', None, None),
        ],
    )


def airtable():
    key = bytes(range(48))
    secret = base64.b64encode(key).decode()
    sign = lambda body: JSON | {"X-Airtable-Content-MAC": "hmac-sha256=" + hex_(key, body)}
    body = '{"base":{"id":"app00000000000000"},"webhook":{"id":"ach00000000000000"},"timestamp":"2022-02-01T21:25:05.663Z"}'
    source = "Computed by Python's hmac by the formula of the documentation; accepted by WebhookNotification.from_request of pyairtable 3.5.1 (PyPI), which is not Airtable's own."
    WebhookNotification.from_request(body, sign(body)["X-Airtable-Content-MAC"], secret)
    text = '{"base":{"id":"app1"},"webhook":{"id":"ach1"},"timestamp":"2022-02-01T21:25:05.663Z","note":"Café Łódź ♥"}'
    utf8 = "Computed by Python's hmac over the bytes of the body; inputs ours (Airtable itself sends ASCII only)."
    first = vector("notification", secret, sign(body), body, source=source)
    write(
        "airtable",
        ["https://airtable.com/developers/web/api/webhooks-overview"],
        first,
        vector("non-ASCII text", secret, sign(text), text, source=utf8),
        changed(first, "body changed", body=body.replace("app0", "app1")),
        changed(first, "another secret", secret=base64.b64encode(key[::-1]).decode()),
        changed(first, "secret not decoded", headers=JSON | {"X-Airtable-Content-MAC": "hmac-sha256=" + hex_(secret, body)}),
    )


def clickup():
    plain(
        "clickup",
        ["https://developer.clickup.com/docs/webhooksignature"],
        "O94IM25S7PXBPYTMNXLLET230SRP0S89COR7B1YOJ2ZIE8WQNK5UUKEF26W0Z5GA",
        "X-Signature",
        hex_,
        [
            ("task created", '{"webhook_id":"7689a169-a000-4985-8676-6902b96d6627","event":"taskCreated","task_id":"c0j"}', None, "taskCreated"),
            ("non-ASCII text", '{"event":"taskCommentPosted","task_id":"c0k","history_items":[{"id":"1","comment":"Café Łódź ♥"}]}', None, "taskCommentPosted"),
        ],
    )


def ashby():
    plain(
        "ashby",
        ["https://developers.ashbyhq.com/docs/authenticating-webhooks"],
        "8b943c474f5d1e1712f13e1a870b485c9b6b2b57",
        "Ashby-Signature",
        lambda secret, body: "sha256=" + hex_(secret, body),
        [
            ("application submitted", '{"webhookActionId":"75395d87-4044-4dc4-bc29-0cec185e5f06","action":"applicationSubmit","data":{"application":{"id":"e9ed20fd-d45f-4aad-8a00-a19bfba0083e"}}}', "75395d87-4044-4dc4-bc29-0cec185e5f06", "applicationSubmit"),
            ("a body without an id", '{"action":"ping","data":{"webhookActionType":"ping"}}', None, "ping"),
            ("non-ASCII text", '{"webhookActionId":"b1c2","action":"candidateHire","data":{"candidate":{"name":"Zoë Łódź ♥"}}}', "b1c2", "candidateHire"),
        ],
    )


def attio():
    plain(
        "attio",
        ["https://docs.attio.com/rest-api/guides/webhooks"],
        "1ee09e22e0c86c4cba5a5f5c0cd3cb5a",
        "Attio-Signature",
        hex_,
        [
            ("record created", '{"webhook_id":"23e42eaf-323a-41da-b5bb-fd67eebda553","events":[{"event_type":"record.created","id":{"workspace_id":"14beef7a","object_id":"97052eb9","record_id":"bf071e1f"}}]}', "0d3f8f7e-7f52-4f0f-9b7d-0c4d8e9a1b2c", None),
            ("non-ASCII text", '{"webhook_id":"23e4","events":[{"event_type":"note.created","title":"Café Łódź ♥"}]}', "key-2", None),
        ],
        others=lambda id, event: {"Idempotency-Key": id},
    )


def bunny_stream():
    plain(
        "bunny-stream",
        ["https://bunny.net/docs/stream/webhooks"],
        "0f1e2d3c-4b5a-6978-8796-a5b4c3d2e1f0",
        "X-BunnyStream-Signature",
        hex_,
        [
            ("video is ready", '{"VideoLibraryId":133,"VideoGuid":"657bb740-a71b-4529-a012-528021c31a92","Status":3}', None, "3"),
            ("non-ASCII text", '{"VideoLibraryId":133,"VideoGuid":"657bb740","Status":10,"Title":"Café Łódź ♥"}', None, "10"),
        ],
        headers=JSON | {"X-BunnyStream-Signature-Version": "v1", "X-BunnyStream-Signature-Algorithm": "hmac-sha256"},
    )


def deel():
    plain(
        "deel",
        ["https://developer.deel.com/api/webhooks/quickstart"],
        "a signing key of deel",
        "x-deel-signature",
        lambda secret, body: hex_(secret, "POST" + body),
        [
            ("contract updated", '{"data":{"meta":{"event_type":"contract.updated","organization_id":"1b2c"},"resource":[{"id":"m3jk5j2"}]},"timestamp":"2025-02-05T15:39:38.070Z"}', None, "contract.updated"),
            ("non-ASCII text", '{"data":{"meta":{"event_type":"contract.created"},"resource":[{"name":"Zoë Łódź ♥"}]}}', None, "contract.created"),
        ],
    )


def outreach():
    plain(
        "outreach",
        ["https://developers.outreach.io/client-extensions/app-lifecycle-webhooks/"],
        "a secret of outreach",
        "Outreach-Webhook-Signature",
        hex_,
        [
            ("installed", '{"data":{"type":"install","id":"1","relationships":{"app":{"data":{"type":"app","id":"2"}}}},"meta":{"deliveredAt":"2019-01-01T00:00:00","eventName":"install.created"}}', None, "install.created"),
            ("non-ASCII text", '{"data":{"type":"prospect","attributes":{"name":"Zoë Łódź ♥"}},"meta":{"eventName":"prospect.updated"}}', None, "prospect.updated"),
        ],
        headers={"Content-Type": "application/vnd.api+json"},
    )


def uploadcare():
    """Uploaded files; content.rb has them judged by the official verifier."""
    source = "Computed by Python's hmac by the formula of the documentation; accepted by Uploadcare::WebhookSignatureVerifier of github.com/uploadcare/uploadcare-ruby 5.0.0, commit 3e29092, which only verifies."
    body = json.dumps(
        {
            "payload_hash": "1844671900",
            "data": {
                "uuid": "f08d7c8a-2971-42e0-ab01-780d9039b40b",
                "image_info": {"color_mode": "RGB", "format": "JPEG", "height": 168, "width": 300, "orientation": None, "dpi": None, "geo_location": None, "datetime_original": None, "sequence": False},
                "video_info": None,
                "content_info": {
                    "mime": {"mime": "image/jpeg", "type": "image", "subtype": "jpeg"},
                    "video": None,
                    "image": {"color_mode": "RGB", "format": "JPEG", "height": 168, "width": 300, "orientation": None, "dpi": None, "geo_location": None, "datetime_original": None, "sequence": False},
                },
                "mime_type": "image/jpeg",
                "original_filename": "download.jpeg",
                "size": 10603,
                "is_image": True,
                "is_ready": True,
                "datetime_removed": None,
                "datetime_stored": None,
                "datetime_uploaded": None,
                "original_file_url": "https://ucarecdn.com/f08d7c8a-2971-42e0-ab01-780d9039b40b/download.jpeg",
                "url": "",
                "source": None,
                "variations": None,
                "rekognition_info": None,
            },
            "hook": {
                "id": 889783,
                "project_id": 123681,
                "target": "https://6f48-188-232-175-230.ngrok.io/posts",
                "event": "file.uploaded",
                "is_active": True,
                "created_at": "2021-11-18T06:17:42.730459Z",
                "updated_at": "2021-11-18T06:17:42.730459Z",
            },
            "file": "https://ucarecdn.com/f08d7c8a-2971-42e0-ab01-780d9039b40b/download.jpeg",
        },
        separators=(",", ":"),
    )
    secret = "12345X"
    first = vector(
        "file uploaded",
        secret,
        JSON | {"X-Uc-Signature": "v1=9b31c7dd83fdbf4a2e12b19d7f2b9d87d547672a325b9492457292db4f513c70"},
        body,
        event="file.uploaded",
        origin="published",
        source="Published in github.com/uploadcare/uploadcare-ruby, spec/uploadcare/webhook_signature_verifier_spec.rb, commit 3e29092; accepted by its Uploadcare::WebhookSignatureVerifier.",
    )
    text = '{"hook":{"event":"file.infected"},"data":{"original_filename":"Café Łódź ♥.jpg"}}'
    write(
        "uploadcare",
        ["https://uploadcare.com/docs/security/secure-webhooks/"],
        first,
        vector("non-ASCII text", secret, JSON | {"X-Uc-Signature": "v1=" + hex_(secret, text)}, text, event="file.infected", source=source, origin="official-code"),
        changed(first, "body changed", body=body + " "),
        changed(first, "another secret", secret="12345Y"),
        changed(first, "another version", "no signature of a known version", headers=JSON | {"X-Uc-Signature": first["headers"]["X-Uc-Signature"].replace("v1", "v2")}),
    )


def livepeer():
    secret = "a shared secret of livepeer"
    source = "Computed by Python's hmac as `sign` and `signatureHeaders` of github.com/livepeer/studio, packages/api/src, commit 670a0a6, do; inputs ours."
    stamp = NOW * 1000
    sign = lambda body: JSON | {"User-Agent": "livepeer.studio", "Livepeer-Signature": f"t={stamp},v1={hex_(secret, body)}"}
    body = f'{{"id":"8f5a3e0c-b1d2","webhookId":"2c","createdAt":{stamp - 900},"timestamp":{stamp},"event":"stream.started","stream":{{"id":"3d"}}}}'
    text = f'{{"id":"9e","timestamp":{stamp},"event":"asset.ready","payload":{{"name":"Café Łódź ♥"}}}}'
    first = vector("stream started", secret, sign(body), body, now=NOW, id="8f5a3e0c-b1d2", event="stream.started", source=source)
    write(
        "livepeer",
        ["https://docs.livepeer.org/developers/guides/setup-and-listen-to-webhooks", "https://github.com/livepeer/studio"],
        first,
        vector("non-ASCII text", secret, sign(text), text, now=NOW, id="9e", event="asset.ready", source=source),
        changed(first, "body changed", body=body.replace("started", "stopped")),
        changed(first, "an hour old", "stale", now=NOW + 3600),
    )


def close():
    secret = "058bfb6a3d8cfdc4da7c3be5901b16ae11da982b46a25fb2cd7016e97a140a1c"
    sign = lambda body: JSON | {"close-sig-hash": hex_(bytes.fromhex(secret), f"{NOW}{body}"), "close-sig-timestamp": f"{NOW}"}
    body = '{"event":{"id":"ev_2sYKRjcrA79yKxi3S4Crd7","action":"updated","object_type":"opportunity","date_created":"2019-01-15T12:48:23.395000"},"subscription_id":"whsub_1"}'
    text = '{"event":{"id":"ev_2","action":"created","data":{"contact_name":"Zoë Łódź ♥"}}}'
    first = vector("opportunity updated", secret, sign(body), body, now=NOW, id="ev_2sYKRjcrA79yKxi3S4Crd7", event="updated")
    write(
        "close",
        ["https://developer.close.com/api/resources/webhooks"],
        first,
        vector("non-ASCII text", secret, sign(text), text, now=NOW, id="ev_2", event="created"),
        changed(first, "body changed", body=body + " "),
        changed(first, "another time", headers=first["headers"] | {"close-sig-timestamp": f"{NOW + 1}"}),
        changed(first, "301 s old", "stale", now=NOW + 301),
        changed(first, "key not decoded", headers=first["headers"] | {"close-sig-hash": hex_(secret, f"{NOW}{body}")}),
    )


def hibob():
    plain(
        "hibob",
        ["https://apidocs.hibob.com/docs/working-with-webhooks"],
        "a secret of bob",
        "Bob-Signature",
        lambda secret, body: base64.b64encode(mac(secret, body, "sha512").digest()).decode(),
        [
            ("employee joined", '{"companyId":603415,"type":"employee.joined","triggeredBy":"3332883884017713238","triggeredAt":"2023-11-14T22:13:20.123","version":"v2","data":{"employeeId":"3332883884017713234"}}', None, "employee.joined"),
            ("non-ASCII text", '{"companyId":603415,"type":"employee.updated","triggeredAt":"2023-11-14T22:13:21.456","employee":{"displayName":"Zoë Łódź ♥"}}', None, "employee.updated"),
        ],
    )


def basic():
    """Providers that send user and password, as RFC 7617 has it."""
    source = "Put together by Python's base64 as RFC 7617 has it; inputs ours, shape of the documentation."
    header = lambda secret: JSON | {"Authorization": "Basic " + base64.b64encode(secret.encode()).decode()}
    for provider, documentation, body, text, event, other in (
        (
            "pipedrive",
            "https://pipedrive.readme.io/docs/guide-for-webhooks-v2",
            '{"meta":{"action":"create","company_id":"1","entity":"deal","entity_id":"2","timestamp":"2023-11-14T22:13:20.123Z","version":"2.0","webhook_id":"3"},"data":{"id":2,"title":"A deal"},"previous":null}',
            '{"meta":{"action":"change","entity":"person"},"data":{"name":"Zoë Łódź ♥"}}',
            "create",
            "change",
        ),
        (
            "datocms",
            "https://www.datocms.com/docs/general-concepts/webhooks",
            '{"site_id":"1","webhook_id":"312","environment":"main","is_environment_primary":true,"webhook_call_id":"7","event_triggered_at":"2023-11-14T22:13:20Z","entity_type":"item","event_type":"publish","entity":{"id":"12"}}',
            '{"entity_type":"upload","event_type":"update","entity":{"attributes":{"filename":"Café Łódź ♥"}}}',
            "publish",
            "update",
        ),
    ):
        first = vector("event", "user:a password", header("user:a password"), body, event=event, source=source)
        write(
            provider,
            [documentation],
            first,
            vector("non-ASCII text", "other:pass:word", header("other:pass:word"), text, event=other, source=source),
            changed(first, "another password", headers=header("user:a passwore")),
            changed(first, "another user", headers=header("users:a password")),
            changed(first, "no credentials", "no credentials", headers=JSON),
        )


for provider in (
    asana, calcom, calendly, formstack, frameio, greenhouse, monday, tokens, storyblok, tally, thinkific, trello, wistia,
    airtable, ashby, attio, basic, bunny_stream, clickup, close, deel, hibob, livepeer, outreach, uploadcare,
):
    provider()
