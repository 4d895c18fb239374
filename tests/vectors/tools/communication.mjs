// Makes the vectors of Crisp and Surge. Needs Node.js 20, crisp-api 11.3.0 and @surgeapi/node 0.30.0 in the folder where it is run.
import { createHmac } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.cwd()}/`);
const { Crisp } = require("crisp-api");
const { Surge } = require("@surgeapi/node");

const NOW = 1_750_000_000;

function provider(name, documentation, source, secret) {
  const vectors = [];
  return {
    add(title, body, headers, now, expect, known = {}) {
      const made = { name: title, origin: "official-code", source };
      const request = { method: "POST", url: `https://hooks.example.com/${name}`, headers, body };
      vectors.push({ ...made, secret, ...request, now, expect, id: known.id ?? null, event: known.event ?? null });
    },
    write() {
      const file = new URL(`../${name}.json`, import.meta.url);
      writeFileSync(file, `${JSON.stringify({ provider: name, documentation, vectors }, null, 2)}\n`);
    },
  };
}

function mustBe(isGood, verdict, name) {
  if (verdict !== isGood) throw new Error(`${name}: not so`);
}

async function crisp() {
  const secret = "crisp-plugin-signing-secret";
  const made = provider(
    "crisp",
    ["https://docs.crisp.chat/references/web-hooks/v1/", "https://github.com/crisp-im/node-crisp-api"],
    "Node's crypto by the formula of the library; verdict of Crisp.verifyHook of crisp-api 11.3.0 (npm), which writes the parsed body as JSON again.",
    secret,
  );
  const client = new Crisp();
  client.setRtmMode("webhooks");
  await client.on("message:send", () => {});

  function signed(body, timestamp) {
    const signature = createHmac("sha256", secret).update(`[${timestamp};${body}]`).digest("hex");
    return {
      "Content-Type": "application/json",
      "X-Crisp-Request-Timestamp": String(timestamp),
      "X-Crisp-Signature": signature,
    };
  }

  function verdict(body, headers) {
    const [timestamp, signature] = [headers["X-Crisp-Request-Timestamp"], headers["X-Crisp-Signature"]];
    return client.verifyHook(secret, JSON.parse(body), timestamp, signature);
  }

  const sent = '{"website_id":"w1","event":"message:send","data":{"content":"Bonjour à tous ☕"},"timestamp":1750000000000}';
  const updated = '{"website_id":"w1","event":"session:set_state","data":{"state":"resolved"},"timestamp":1750000000000}';
  for (const [name, body, timestamp, event] of [
    ["non-ASCII text, milliseconds", sent, NOW * 1000 + 12, "message:send"],
    ["seconds", updated, NOW, "session:set_state"],
  ]) {
    const good = signed(body, timestamp);
    mustBe(true, verdict(body, good), name);
    made.add(name, body, good, null, "valid", { event });
  }
  const good = signed(sent, NOW * 1000);
  const changed = sent.replace("tous", "vous");
  mustBe(false, verdict(changed, good), "body changed");
  made.add("body changed", changed, good, null, "invalid: signature mismatch");
  const later = { ...good, "X-Crisp-Request-Timestamp": String(NOW * 1000 + 1) };
  mustBe(false, verdict(sent, later), "time changed");
  made.add("time changed", sent, later, null, "invalid: signature mismatch");
  made.write();
}

function surge() {
  const secret = `whsec_${Buffer.from("surge-signing-secret-of-32-bytes").toString("base64")}`;
  const made = provider(
    "surge",
    ["https://docs.surge.app/api-reference/webhooks/signature-validation", "https://github.com/surgeapi/typescript-sdk"],
    "Node's crypto by the documented formula; verdict of webhooks.unwrap of @surgeapi/node 0.30.0 (npm).",
    secret,
  );
  const client = new Surge({ apiKey: "sk_unused", webhookSigningSecret: secret });

  function signed(body, id, key = Buffer.from(secret.slice("whsec_".length), "base64")) {
    const signature = createHmac("sha256", key).update(`${id}.${NOW}.${body}`).digest("base64");
    return {
      "Content-Type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": String(NOW),
      "webhook-signature": `v1,${signature}`,
    };
  }

  function verdict(body, headers, now = NOW) {
    const clock = Date.now;
    Date.now = () => now * 1000;
    try {
      client.webhooks.unwrap(body, { headers });
      return true;
    } catch {
      return false;
    } finally {
      Date.now = clock;
    }
  }

  const received = '{"type":"message.received","id":"evt_01jjfeev3hf9n9c7k5231hd3hr","data":{"body":"Grüezi"}}';
  const sent = '{"type":"message.sent","id":"evt_01jjfeev3hf9n9c7k5231hd3hs","data":{"body":"Hi"}}';
  for (const [name, body, id, event] of [
    ["non-ASCII text", received, "msg_1", "message.received"],
    ["message sent", sent, "msg_2", "message.sent"],
  ]) {
    const good = signed(body, id);
    mustBe(true, verdict(body, good), name);
    made.add(name, body, good, NOW + 60, "valid", { id, event });
  }
  const good = signed(received, "msg_1");
  const other = signed(received, "msg_1", "another key, for which it was not meant");
  const both = { ...good, "webhook-signature": `${other["webhook-signature"]} ${good["webhook-signature"]}` };
  mustBe(true, verdict(received, both), "two signatures");
  made.add("two signatures", received, both, NOW, "valid", { id: "msg_1", event: "message.received" });
  for (const [name, body, headers] of [
    ["body changed", received.replace("Grüezi", "Grüezi!"), good],
    ["another id", received, { ...good, "webhook-id": "msg_2" }],
    ["another key", received, other],
  ]) {
    mustBe(false, verdict(body, headers), name);
    made.add(name, body, headers, NOW, "invalid: signature mismatch");
  }
  mustBe(false, verdict(received, good, NOW + 301), "301 s old");
  made.add("301 s old", received, good, NOW + 301, "invalid: stale");
  made.write();
}

await crisp();
surge();
process.exit(0);
