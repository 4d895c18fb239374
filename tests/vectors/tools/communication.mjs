// Makes the vectors of Crisp. Needs Node.js 20 and crisp-api 11.3.0 in the folder where it is run.
import { createHmac } from "node:crypto";
import { writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(`${process.cwd()}/`);
const { Crisp } = require("crisp-api");

const NOW = 1_750_000_000;
const SOURCE =
  "Node's crypto by the formula of the library; verdict of Crisp.verifyHook of crisp-api 11.3.0 (npm), which writes the parsed body as JSON again.";

const client = new Crisp();
client.setRtmMode("webhooks");
await client.on("message:send", () => {});

const secret = "crisp-plugin-signing-secret";
const vectors = [];

function headers(body, timestamp) {
  const signature = createHmac("sha256", secret).update(`[${timestamp};${body}]`).digest("hex");
  return {
    "Content-Type": "application/json",
    "X-Crisp-Request-Timestamp": String(timestamp),
    "X-Crisp-Signature": signature,
  };
}

function check(name, body, headers, isGood) {
  const [timestamp, signature] = [headers["X-Crisp-Request-Timestamp"], headers["X-Crisp-Signature"]];
  if (client.verifyHook(secret, JSON.parse(body), timestamp, signature) !== isGood) throw new Error(`${name}: not so`);
}

function add(name, body, headers, now, expect, event, more = {}) {
  const url = "https://hooks.example.com/crisp";
  const vector = { name, origin: "official-code", source: SOURCE, secret, method: "POST", url, headers, body, now, expect, id: null, event };
  vectors.push({ ...vector, ...more });
}

const sent = '{"website_id":"w1","event":"message:send","data":{"content":"Bonjour à tous ☕"},"timestamp":1750000000000}';
const updated = '{"website_id":"w1","event":"session:set_state","data":{"state":"resolved"},"timestamp":1750000000000}';
for (const [name, body, timestamp, event] of [
  ["non-ASCII text, milliseconds", sent, NOW * 1000 + 12, "message:send"],
  ["seconds", updated, NOW, "session:set_state"],
]) {
  const good = headers(body, timestamp);
  check(name, body, good, true);
  add(name, body, good, NOW + 60, "valid", event);
}
const good = headers(sent, NOW * 1000);
const changed = sent.replace("tous", "vous");
check("body changed", changed, good, false);
add("body changed", changed, good, NOW, "invalid: signature mismatch", null);
const later = { ...good, "X-Crisp-Request-Timestamp": String(NOW * 1000 + 1) };
check("time changed", sent, later, false);
add("time changed", sent, later, NOW, "invalid: signature mismatch", null);
add("301 s old", sent, good, NOW + 301, "invalid: stale", null, {
  origin: "computed",
  source: "Derived from the first; the library does not look at the time.",
});

const documentation = ["https://docs.crisp.chat/references/web-hooks/v1/", "https://github.com/crisp-im/node-crisp-api"];
const file = new URL("../crisp.json", import.meta.url);
writeFileSync(file, `${JSON.stringify({ provider: "crisp", documentation, vectors }, null, 2)}\n`);
process.exit(0);
