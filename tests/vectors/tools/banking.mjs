// Vectors of banks and bills, judged by the providers' own SDKs for Node.js. Prints them as JSON, by provider.
//
// Needs Node.js 20 and
//     npm install @unit-finance/unit-node-sdk@0.41.0 chargebee@3.33.0

import { createHmac } from "node:crypto";
import { Unit } from "@unit-finance/unit-node-sdk";
import { basicAuthValidator } from "chargebee";

const JSON_TYPE = { "Content-Type": "application/json" };

function vector(provider, facts) {
  return {
    origin: "official-code",
    method: "POST",
    url: `https://hooks.example.com/${provider}`,
    now: null,
    expect: "valid",
    id: null,
    event: null,
    ...facts,
    headers: { ...JSON_TYPE, ...facts.headers },
  };
}

function check(verdict, { name, expect }) {
  if (verdict !== (expect === "valid")) throw new Error(`${name}: ${verdict}`);
}

function unit() {
  const { webhooks } = new Unit("none", "https://api.s.unit.sh");
  const secret = "a token of our own";
  const sign = (body, key = secret) => createHmac("sha1", key).update(body).digest("base64");
  const event = (data) => JSON.stringify({ data });
  const created = event([
    {
      id: "376",
      type: "customer.created",
      attributes: { createdAt: "2024-05-01T13:59:02.000Z", tags: { city: "Łódź", café: "Größe" } },
      relationships: { customer: { data: { id: "10001", type: "individualCustomer" } } },
    },
  ]);
  const two = event([
    { id: "377", type: "transaction.created", attributes: { createdAt: "2024-05-01T14:00:00.000Z", amount: 100 } },
    { id: "378", type: "account.closed", attributes: { createdAt: "2024-05-01T14:00:01.000Z" } },
  ]);
  const accepted = "Computed with Node's crypto; accepted by Webhooks.verify of @unit-finance/unit-node-sdk 0.41.0 (npm); inputs ours.";
  const refused = "Derived from a vector above; refused by Webhooks.verify of @unit-finance/unit-node-sdk 0.41.0 (npm).";
  const vectors = [
    { name: "event with non-ASCII text", source: accepted, body: created, signature: sign(created) },
    { name: "two events in one delivery", source: accepted, body: two, signature: sign(two) },
    {
      name: "another event in the body",
      source: refused,
      body: created.replace("376", "379"),
      signature: sign(created),
      expect: "invalid: signature mismatch",
    },
    { name: "signed with another token", source: refused, body: created, signature: sign(created, "x"), expect: "invalid: signature mismatch" },
  ];
  return vectors.map(({ signature, ...facts }) => {
    const made = vector("unit", { secret, headers: { "X-Unit-Signature": signature }, ...facts });
    check(webhooks.verify(signature, secret, JSON.parse(made.body)), made);
    return made;
  });
}

async function chargebee() {
  const [user, password] = ["webhooks", "pa:ss wörd"];
  const secret = `${user}:${password}`;
  const basic = (text) => `Basic ${Buffer.from(text).toString("base64")}`;
  const body = JSON.stringify({
    id: "ev_16BPgETyVrQbiGhA",
    occurred_at: 1714564800,
    source: "admin_console",
    object: "event",
    api_version: "v2",
    content: { customer: { id: "cbdemo", first_name: "Zoë", company: "Größe GmbH" } },
    event_type: "customer_changed",
    webhook_status: "scheduled",
  });
  const accepted = "Judged by basicAuthValidator of chargebee 3.33.0 (npm), which accepts it; inputs ours.";
  const refused = "Judged by basicAuthValidator of chargebee 3.33.0 (npm), which refuses it; inputs ours.";
  const id = "ev_16BPgETyVrQbiGhA";
  const other = body.replace(id, "ev_16BPgETyVrQbiGhB").replace("customer_changed", "customer_deleted");
  const vectors = [
    { name: "event with non-ASCII text", source: accepted, authorization: basic(secret), id, event: "customer_changed" },
    {
      name: "the same password around another body, which is not signed",
      source: accepted,
      authorization: basic(secret),
      body: other,
      id: "ev_16BPgETyVrQbiGhB",
      event: "customer_deleted",
    },
    { name: "another password", source: refused, authorization: basic(`${secret}x`), expect: "invalid: wrong password" },
    { name: "another user", source: refused, authorization: basic(`x${secret}`), expect: "invalid: wrong user" },
    { name: "bearer token", source: refused, authorization: basic(secret).replace("Basic", "Bearer"), expect: "invalid: no user and password" },
  ];
  const validate = basicAuthValidator((u, p) => u === user && p === password);
  return Promise.all(
    vectors.map(async ({ authorization, ...facts }) => {
      const made = vector("chargebee", { secret, body, headers: { Authorization: authorization }, ...facts });
      check(await validate({ authorization }).then(() => true, () => false), made);
      return made;
    }),
  );
}

console.log(JSON.stringify({ chargebee: await chargebee(), unit: unit() }, null, 2));
