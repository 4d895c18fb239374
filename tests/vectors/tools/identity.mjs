// Makes the vectors of sign-in providers that Node.js code can make.
//
//     npm install @clerk/backend@3.25.0 @kinde/webhooks@1.0.0 @turnkey/crypto@2.13.2 standardwebhooks@1.1.1 jose@6.2.18 express@5.3.0 body-parser@2.4.0
//     node identity.mjs MODULES [FUSIONAUTH]
//
// MODULES is the folder that holds `node_modules`. FUSIONAUTH is a checkout of github.com/FusionAuth/fusionauth-example-javascript-webhooks at
// commit 26bc6831cbc6; without it, its vectors stay as they are. Vectors that are not made here stay in their files; a second run changes nothing.

import { createHash, createPrivateKey, createPublicKey, sign } from "node:crypto";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { fileURLToPath } from "node:url";

const here = path.dirname(fileURLToPath(import.meta.url));
const files = path.dirname(here);
const [modules, fusionauthCheckout] = process.argv.slice(2).map((folder) => path.resolve(folder));
const require = createRequire(path.join(modules, "package.json"));

// Keys that sign here. They protect nothing: RSA and Ed25519 test keys of RFC 9421 (appendices B.1.1 and B.1.4).
const rsa = createPrivateKey(readFileSync(path.join(here, "rfc9421-test-key-rsa.pem")));
const ed25519 = createPrivateKey({
  key: { kty: "OKP", crv: "Ed25519", d: "n4Ni-HpISpVObnQMW0wOhCKROaIKqKtW_2ZYb2p9KcU", x: "JrQLj5P_89iXES9-vFgrIy29clF9CC_oPPsw3c5D0bs" },
  format: "jwk",
});
const pem = (key) => createPublicKey(key).export({ type: "spki", format: "pem" });
const jwk = (key, kid) => ({ ...createPublicKey(key).export({ format: "jwk" }), kid, use: "sig" });

function put(provider, documentation, vectors) {
  const file = path.join(files, `${provider}.json`);
  const old = existsSync(file) ? JSON.parse(readFileSync(file)) : { documentation, vectors: [] };
  const made = new Map(vectors.map((vector) => [vector.name, vector]));
  const merged = old.vectors.map((vector) => made.get(vector.name) ?? vector);
  const known = new Set(old.vectors.map((vector) => vector.name));
  merged.push(...vectors.filter((vector) => !known.has(vector.name)));
  writeFileSync(file, JSON.stringify({ provider, documentation, vectors: merged }, null, 2) + "\n");
}

const vector = (provider, name, source, key, headers, body, now, id, event) => ({
  name,
  origin: "official-code",
  source,
  ...key,
  method: "POST",
  url: `https://hooks.example.com/${provider}`,
  headers,
  body,
  now,
  expect: "valid",
  id,
  event,
});
const derived = (base, name, expect, source, changes) => ({ ...base, name, source, ...changes, expect: `invalid: ${expect}`, id: null, event: null });
const without = (headers, name) => Object.fromEntries(Object.entries(headers).filter(([key]) => key !== name));

async function at(seconds, run) {
  const now = Date.now;
  Date.now = () => seconds * 1000;
  try {
    return await run();
  } finally {
    Date.now = now;
  }
}

async function check(vectors, accepts) {
  for (const vector of vectors) {
    if ((await accepts(vector)) !== (vector.expect === "valid")) throw new Error(`${vector.url} ${vector.name}`);
  }
}

function token(key, header, claims) {
  const part = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
  const content = `${part(header)}.${part(claims)}`;
  return `${content}.${sign(key.asymmetricKeyType === "rsa" ? "sha256" : null, content, key).toString("base64url")}`;
}

async function clerk() {
  const { verifyWebhook } = require("@clerk/backend/webhooks");
  const { Webhook } = require("standardwebhooks");
  const secret = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD";
  const [id, time] = ["msg_2mPzvqkr4Yt7ssqPBoZaKKP8rBE", 1727000000];
  const code = "verifyWebhook of @clerk/backend 3.25.0 (npm)";
  const make = (name, body, event) => {
    const headers = { "Content-Type": "application/json", "svix-id": id, "svix-timestamp": `${time}`, "svix-signature": new Webhook(secret).sign(id, new Date(time * 1000), body) };
    return vector("clerk", name, `Signed with standardwebhooks 1.1.1 (npm), verdict of ${code}; contents ours.`, { secret }, headers, body, time + 60, id, event);
  };
  const base = make("user created", '{"data":{"id":"user_29w83sxmDNGwOuEthce5gg56FcC","object":"user"},"object":"event","type":"user.created","timestamp":1654012591514}', "user.created");
  const vectors = [
    base,
    make("body with non-ASCII text", '{"data":{"id":"user_29w83sxmDNGwOuEthce5gg56FcC","first_name":"Zoë","last_name":"Łoś ♥"},"object":"event","type":"user.updated"}', "user.updated"),
    derived(base, "body changed by one blank", "signature mismatch", `Derived; refused by ${code}.`, { body: `${base.body} ` }),
    derived(base, "301 s old", "stale", `Derived; refused by ${code}.`, { now: time + 301 }),
    derived(base, "301 s in the future", "from the future", `Derived; refused by ${code}.`, { now: time - 301 }),
    derived(base, "no id", "missing id", `Derived; refused by ${code}.`, { headers: without(base.headers, "svix-id") }),
  ];
  await check(vectors, ({ secret, url, headers, body, now }) =>
    at(now, () => verifyWebhook(new Request(url, { method: "POST", headers, body }), { signingSecret: secret }).then(() => true, () => false)),
  );
  put("clerk", ["https://clerk.com/docs/webhooks/overview", "https://docs.svix.com/receiving/verifying-payloads/how-manual"], vectors);
}

async function kinde() {
  const { decodeWebhook } = await import(path.join(modules, "node_modules/@kinde/webhooks/dist/webhooks.js"));
  const keys = [{ id: "kinde_test_kid", key: pem(rsa) }];
  const code = "decodeWebhook of @kinde/webhooks 1.0.0 (npm), with its key set stubbed";
  const make = (name, claims, header = {}) => {
    const body = token(rsa, { alg: "RS256", kid: "kinde_test_kid", typ: "JWT", ...header }, claims);
    const source = `Signed with RSASSA-PKCS1-v1_5 of Node.js 20, RSA test key of RFC 9421, appendix B.1.1; verdict of ${code}; contents ours.`;
    return vector("kinde", name, source, { keys }, { "Content-Type": "application/jwt", "webhook-id": "wh_018f3a" }, body, null, claims.event_id ?? null, claims.type ?? null);
  };
  const claims = {
    data: { user: { id: "kp_test", email: "a@example.com", first_name: "Zoë", last_name: "Łoś ♥" } },
    event_id: "event_018f3a1c2b4d5e6f708192a3b4c5d6e7",
    event_timestamp: "2024-01-02T03:04:05.000Z",
    source: "admin",
    timestamp: "2024-01-02T03:04:06.000Z",
    type: "user.created",
  };
  const base = make("user with non-ASCII name", claims);
  const [head, , signature] = base.body.split(".");
  const other = make("x", { ...claims, type: "user.deleted" }).body.split(".")[1];
  const vectors = [
    base,
    make("another event", { ...claims, event_id: "event_018f3a1c2b4d5e6f708192a3b4c5d6e8", type: "organization.created", data: {} }),
    derived(base, "claims of another token", "signature mismatch", `Derived; refused by ${code}.`, { body: `${head}.${other}.${signature}` }),
    derived(base, "key id that is not known", "unknown key", `Derived; refused by ${code}.`, { body: make("x", claims, { kid: "another" }).body }),
    derived(base, "JSON instead of a token", "no token", `Derived; refused by ${code}.`, { body: '{"type":"user.created"}' }),
  ];
  const fetch = globalThis.fetch;
  globalThis.fetch = async () => Response.json({ keys: [jwk(rsa, "kinde_test_kid")] });
  await check(vectors, async ({ body }) => (await decodeWebhook(body, "https://example.kinde.com").catch(() => null)) !== null);
  globalThis.fetch = fetch;
  const access = make("an access token by the same keys", { iss: "https://example.kinde.com", sub: "kp_test", scp: ["openid"] });
  vectors.push(derived(access, access.name, "no event", "Derived: the SDK accepts it, as it looks at the signature only; this crate does not.", {}));
  put("kinde", ["https://docs.kinde.com/integrate/webhooks/about-webhooks/"], vectors);
}

async function turnkey() {
  const { verifyTurnkeyWebhookSignature } = require("@turnkey/crypto");
  const keyId = "0b1c2d3e-4f5a-4b6c-8d7e-9f0a1b2c3d4e";
  const [id, time] = ["7c9e6679-7425-40de-944b-e07fc1f90ae7", 1727000000123];
  const code = "verifyTurnkeyWebhookSignature of @turnkey/crypto 2.13.2 (npm)";
  const make = (name, body) => {
    const signature = sign(null, Buffer.from(`v1.ed25519.${keyId}.${time}.${id}.${body}`), ed25519).toString("hex");
    const headers = {
      "Content-Type": "application/json",
      "X-Turnkey-Event-Id": id,
      "X-Turnkey-Event-Type": "ACTIVITY_UPDATES",
      "X-Turnkey-Timestamp": `${time}`,
      "X-Turnkey-Signature-Key-Id": keyId,
      "X-Turnkey-Signature-Algorithm": "ed25519",
      "X-Turnkey-Signature-Version": "v1",
      "X-Turnkey-Signature": signature,
    };
    const source = `Signed with Ed25519 of Node.js 20 by the documented formula, test key of RFC 9421, appendix B.1.4; verdict of ${code} with a window of five minutes; contents ours.`;
    return vector("turnkey", name, source, { keys: [{ id: keyId, key: pem(ed25519) }] }, headers, body, 1727000100, id, "ACTIVITY_UPDATES");
  };
  const base = make("activity", '{"type":"ACTIVITY_UPDATES","activity":{"id":"a1","status":"ACTIVITY_STATUS_COMPLETED"}}');
  const bad = `Derived; refused by ${code}.`;
  const header = (name, value) => ({ headers: { ...base.headers, [name]: value } });
  const vectors = [
    base,
    make("body with non-ASCII text", '{"activity":{"id":"a2","organizationName":"Café Łódź ♥"}}'),
    derived(base, "body changed by one blank", "signature mismatch", bad, { body: `${base.body} ` }),
    derived(base, "another event id", "signature mismatch", bad, header("X-Turnkey-Event-Id", "7c9e6679-7425-40de-944b-e07fc1f90ae8")),
    derived(base, "key id that is not known", "unknown key", bad, header("X-Turnkey-Signature-Key-Id", "another")),
    derived(base, "301 s old", "stale", bad, { now: 1727000302 }),
    derived(base, "no event id", "missing id", bad, { headers: without(base.headers, "X-Turnkey-Event-Id") }),
  ];
  const publicKey = Buffer.from(jwk(ed25519).x, "base64url").toString("hex");
  await check(vectors, ({ headers, body, now }) =>
    verifyTurnkeyWebhookSignature({ headers, body, verificationKeys: [{ keyId, publicKey }], maxTimestampAgeMs: 300_000, nowMs: now * 1000 }).ok,
  );
  put("turnkey", ["https://docs.turnkey.com/features/webhooks/verify-signatures"], vectors);
}

async function fusionauth() {
  const kid = "_H07wVG1fV3l5ih74rNxIC3nevE";
  const code = "signature-verify/app.js of github.com/FusionAuth/fusionauth-example-javascript-webhooks commit 26bc6831cbc6, with jose 6.2.18 and its key set stubbed";
  const fetch = globalThis.fetch;
  globalThis.fetch = async (url, options) =>
    `${url}`.startsWith("http://localhost:") ? fetch(url, options) : Response.json({ keys: [jwk(rsa, kid), jwk(ed25519, `${kid}-2`)] });
  const load = new Function("require", "console", readFileSync(path.join(fusionauthCheckout, "signature-verify/app.js"), "utf8"));
  load(require, { log() {} });
  const body = '{"event":{"createInstant":1505762615056,"id":"e502168a-b469-45d9-a079-fd45f83e0406","type":"user.create","user":{"firstName":"Zoë ♥"}}}';
  const make = (name, key, alg, kid, signed = body) => {
    const claims = { request_body_sha256: createHash("sha256").update(signed).digest("base64") };
    const headers = { "Content-Type": "application/json", "X-FusionAuth-Signature-JWT": token(key, { alg, typ: "JWT", kid }, claims) };
    const source = `Signed with Node.js 20, test keys of RFC 9421 (appendices B.1.1 and B.1.4); accepted by ${code}; event of the documented shape.`;
    return vector("fusionauth", name, source, { secret: pem(key) }, headers, body, null, "e502168a-b469-45d9-a079-fd45f83e0406", "user.create");
  };
  const base = make("RS256", rsa, "RS256", kid);
  const vectors = [
    base,
    make("Ed25519", ed25519, "EdDSA", `${kid}-2`),
    derived(base, "RS256, body changed by one blank", "the claim is about another body", `Derived; refused by ${code}.`, { body: `${body} ` }),
    derived(make("x", rsa, "RS256", kid, `${body} `), "RS256, token of another body", "the claim is about another body", `Derived; refused by ${code}.`, {}),
  ];
  await check(vectors, async ({ headers, body }) => (await fetch("http://localhost:3030/webhook", { method: "POST", headers, body })).ok);
  globalThis.fetch = fetch;
  put("fusionauth", ["https://fusionauth.io/docs/extend/events-and-webhooks/signing", "https://github.com/FusionAuth/fusionauth-example-javascript-webhooks"], vectors);
}

await clerk();
await kinde();
await turnkey();
if (fusionauthCheckout) {
  await fusionauth();
  process.exit(); // The sample goes on listening.
}
