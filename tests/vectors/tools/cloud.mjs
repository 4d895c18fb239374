// Asks libraries of the cloud and development providers for their verdict on the vectors that cloud.py computed for them.
//
// Needs Node.js 20 and these packages, in node_modules of the folder that it is run from:
//     @hookdeck/sdk@0.4.0 @octokit/webhooks-methods@2.0.0 atlassian-jwt@2.0.3 npm-hook-receiver@1.0.0 sns-validator@0.3.5

import { EventEmitter } from "node:events";
import { readFileSync } from "node:fs";
import https from "node:https";
import { createRequire } from "node:module";
import { Readable } from "node:stream";

const require = createRequire(`${process.cwd()}/`);
const read = (provider) => JSON.parse(readFileSync(new URL(`../${provider}.json`, import.meta.url))).vectors;
const lowerCased = (headers) => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));

async function snsAccepts(vector) {
  const MessageValidator = require("sns-validator");
  https.get = (url, answer) => {
    const response = Object.assign(Readable.from([vector.secret]), { statusCode: 200 });
    answer(response);
    return new EventEmitter();
  };
  return new Promise((resolve) => new MessageValidator().validate(JSON.parse(vector.body), (error) => resolve(!error)));
}

async function atlassianAccepts(vector) {
  const jwt = require("atlassian-jwt");
  const token = lowerCased(vector.headers).authorization.replace(/^JWT /, "");
  const { pathname, search } = new URL(vector.url);
  let claims;
  try {
    claims = vector.keys
      ? jwt.decodeAsymmetric(token, vector.keys.find(({ id }) => id === jwt.getKeyId(token)).key, "RS256")
      : jwt.decodeSymmetric(token, vector.secret, "HS256");
  } catch {
    return false;
  }
  const request = jwt.fromMethodAndUrl(vector.method, pathname + search);
  const hash = jwt.createQueryStringHash(request, false, `https://app.example.com${vector.parameters["base-path"]}`);
  const { "base-url": audience, "client-key": client } = vector.parameters;
  // These are left to the app by the documentation.
  const isInTime = vector.now < claims.exp;
  const isForUs = !audience || claims.aud.includes(audience);
  return claims.qsh === hash && isInTime && isForUs && (!client || claims.iss === client);
}

async function hookdeckAccepts(vector) {
  const { verifyWebhookSignature } = require("@hookdeck/sdk/webhooks/helpers");
  const verdict = await verifyWebhookSignature({ headers: lowerCased(vector.headers), rawBody: vector.body, signingSecret: vector.secret });
  return verdict.isValidSignature;
}

async function octokitAccepts(vector) {
  const { verify } = require("@octokit/webhooks-methods");
  return verify(vector.secret, vector.body, lowerCased(vector.headers)["x-hub-signature"]);
}

async function npmAccepts(vector) {
  const server = require("npm-hook-receiver")({ secret: vector.secret, mount: "/in" });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  const url = `http://127.0.0.1:${server.address().port}/in`;
  const { status } = await fetch(url, { method: "POST", headers: vector.headers, body: vector.body });
  server.close();
  return status === 200;
}

const judges = {
  "aws-sns": snsAccepts,
  "aws-sns-v1": snsAccepts,
  "atlassian-connect": atlassianAccepts,
  "atlassian-connect-install": atlassianAccepts,
  hookdeck: hookdeckAccepts,
  "github-sha1": octokitAccepts,
  npm: npmAccepts,
};
let failed = 0;
for (const [provider, accepts] of Object.entries(judges)) {
  for (const vector of read(provider).filter(({ origin }) => origin === "official-code")) {
    const accepted = await accepts(vector);
    const agrees = accepted === (vector.expect === "valid");
    failed += agrees ? 0 : 1;
    console.log(`${agrees ? "agrees" : "DIFFERS"}  ${provider}: ${vector.name}`);
  }
}
process.exit(failed ? 1 : 0);
