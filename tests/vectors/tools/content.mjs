// Writes the vectors of providers whose own packages sign or judge webhooks: CMS, media, forms, scheduling and work tools.
//
// Node.js 20, in a directory with
//   @contentful/node-apps-toolkit@3.16.1 @doist/todoist-sdk@17.0.0 @hubspot/api-client@13.5.0 @hygraph/utils@1.2.1 @kontent-ai/webhook-helper@3.0.3
//   @mux/mux-node@15.3.0 @notionhq/client@5.26.0 @sanity/webhook@4.0.4 @transloadit/utils@4.8.1 acuityscheduling@0.1.9 box-node-sdk@10.12.0 cloudinary@2.11.0 webflow-api@3.3.4
// and ghost/webhook-trigger.js, which is ghost/core/core/server/services/webhooks/webhook-trigger.js of github.com/TryGhost/Ghost, commit 8b753522,
// run `node content.mjs THAT-DIRECTORY`. Every valid vector has been accepted by the package, every invalid one refused, or else its `source` says so.

import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import Module, { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';

const vectorsDirectory = path.join(path.dirname(fileURLToPath(import.meta.url)), '..');
const packages = path.resolve(process.argv[2] ?? '.');
const require = createRequire(path.join(packages, 'index.js'));

const at = async (millis, action) => {
  const real = Date.now;
  Date.now = () => millis;
  try {
    return await action();
  } finally {
    Date.now = real;
  }
};

const write = (provider, documentation, vectors) => {
  const complete = vectors.map((vector) => ({
    name: vector.name,
    origin: vector.origin ?? 'official-code',
    source: vector.source,
    secret: vector.secret,
    method: vector.method ?? 'POST',
    url: vector.url ?? `https://hooks.example.com/${provider}`,
    headers: vector.headers,
    body: vector.body,
    now: vector.now ?? null,
    expect: vector.expect ?? 'valid',
    id: vector.id ?? null,
    event: vector.event ?? null,
  }));
  const file = path.join(vectorsDirectory, `${provider}.json`);
  writeFileSync(file, `${JSON.stringify({ provider, documentation, vectors: complete }, null, 2)}\n`);
  console.log(provider, complete.length);
};

const json = { 'Content-Type': 'application/json' };
const changed = (vector, change) => ({ ...vector, id: null, event: null, ...change });

await box();
await contentful();
await hygraph();
await mux();
await sanity();
hubspot();
await webflow();
cloudinary();
await notion();
kontent();
await todoist();
acuity();
await ghost();
await transloadit();

async function box() {
  const { computeWebhookSignature } = require('box-node-sdk/lib/internal/utilsNode');
  const { WebhooksManager } = require('box-node-sdk/lib/managers/webhooks');
  const [primary, secondary] = ['SamplePrimaryKey', 'SampleSecondaryKey'];
  const stamp = '2020-01-01T00:00:00-07:00';
  const now = 1577862060;
  const published = 'Published in box-node-sdk 10.12.0 (npm), src/test/webhooks.test.ts; accepted by its WebhooksManager.validateMessage.';
  const common = {
    ...json,
    'BOX-DELIVERY-ID': 'f96bb54b-ee16-4fc5-aa65-8c2d9e5b546f',
    'BOX-DELIVERY-TIMESTAMP': stamp,
    'BOX-SIGNATURE-ALGORITHM': 'HmacSHA256',
    'BOX-SIGNATURE-VERSION': '1',
  };
  const lower = (headers) => Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const judge = (vector, keys) =>
    at(vector.now * 1000, () => WebhooksManager.validateMessage(vector.body, lower(vector.headers), keys[0], { secondaryKey: keys[1] }));
  const named = (name) =>
    `{"webhook":{"id":"1234567890"},"trigger":"FILE.UPLOADED","source":{"id":"1234567890","type":"file","name":"${name}"}}`;
  const plain =
    '{"type":"webhook_event","webhook":{"id":"1234567890"},"trigger":"FILE.UPLOADED","source":{"id":"1234567890","type":"file","name":"Test.txt"}}';
  const signatures = (first, second = 'v+1CD1Jdo3muIcbpv5lxxgPglOqMfsNHPV899xWYydo=') =>
    ({ ...common, 'BOX-SIGNATURE-PRIMARY': first, 'BOX-SIGNATURE-SECONDARY': second });
  const base = { now, id: common['BOX-DELIVERY-ID'], event: 'FILE.UPLOADED', source: published, origin: 'published', secret: primary };

  const valid = [
    { ...base, name: 'primary key', headers: signatures('6TfeAW3A1PASkgboxxA5yqHNKOwFyMWuEXny/FPD5hI='), body: plain },
    { ...base, name: 'secondary key', secret: secondary, headers: signatures('6TfeAW3A1PASkgboxxA5yqHNKOwFyMWuEXny/FPD5hI='), body: plain },
    { ...base, name: 'escaped carriage return', headers: signatures('SVkbKgy3dEEf2PbbzpNu2lDZS7zZ/aboU7HOZgBGrJk='), body: named('test \\r') },
    { ...base, name: 'escaped slash', headers: signatures('t41PWT5ZB6OcysnD6SDy9Ud+p9hdXxIdXqcdweyZv/Q='), body: named('\\/') },
    { ...base, name: 'escaped backslash', headers: signatures('ERpMZwUQsGDTfj82ehdX6VvDZfvOhK5ULNfVmwVAGe0='), body: named('\\\\') },
  ];
  const body = named('Übersicht – Łódź ♥.docx');
  valid.push({
    ...base,
    name: 'non-ASCII text, signed as it is',
    origin: 'official-code',
    source: 'Computed by computeWebhookSignature of box-node-sdk 10.12.0 (npm) without escaping; accepted by its WebhooksManager.validateMessage.',
    headers: signatures(
      await computeWebhookSignature(body, lower(common), primary, false),
      await computeWebhookSignature(body, lower(common), secondary, false),
    ),
    body,
  });
  for (const vector of valid) {
    const keys = vector.secret === primary ? [primary, undefined] : ['other', secondary];
    assert(await judge(vector, keys), vector.name);
  }

  const refused = 'Derived; refused by WebhooksManager.validateMessage of box-node-sdk 10.12.0 (npm).';
  const invalid = [
    changed(valid[0], { name: 'another key', secret: 'IncorrectKey', source: published, expect: 'invalid: signature mismatch' }),
    changed(valid[0], { name: '20 minutes old', origin: 'official-code', source: refused, now: now + 1200, expect: 'invalid: stale' }),
    changed(valid[0], { name: 'body changed', origin: 'official-code', source: refused, body: `${plain} `, expect: 'invalid: signature mismatch' }),
    changed(valid[0], {
      name: 'another time of delivery',
      origin: 'official-code',
      source: refused,
      headers: { ...valid[0].headers, 'BOX-DELIVERY-TIMESTAMP': '2020-01-01T00:00:30-07:00' },
      expect: 'invalid: signature mismatch',
    }),
  ];
  for (const vector of invalid) assert(!(await judge(vector, [vector.secret, undefined])), vector.name);
  const unescaped = {
    ...base,
    name: 'unescaped by the receiver',
    source:
      'Published in box-node-sdk 10.12.0 (npm), src/test/webhooks.test.ts. The SDK accepts it: when the body does not fit, it tries it with escapes as Box writes them, for receivers that parsed the body. Box signs what it sends, so this crate refuses it.',
    headers: signatures('xF/SDZosX4le+v4A0Qn59sZhuD1RqY5KRUKzVMSbh0E='),
    body: named('😀 2020-08-05.txt'),
  };
  assert(await judge(unescaped, [primary, undefined]));
  invalid.push(changed(unescaped, { expect: 'invalid: signature mismatch (the SDK accepts it; this crate does not)' }));
  write('box', ['https://developer.box.com/guides/webhooks/v2/signatures-v2/'], [...valid, ...invalid]);
}

async function contentful() {
  const { signRequest, verifyRequest } = require('@contentful/node-apps-toolkit');
  const secret = 'a'.repeat(64);
  const stamp = 1603379941037;
  const now = 1603379941;
  const source = 'Computed by signRequest of @contentful/node-apps-toolkit 3.16.1 (npm), accepted by its verifyRequest; secret and time of its src/requests/sign-request.spec.ts.';
  const judge = async ({ method = 'POST', url, headers, body, now, secret }) => {
    const target = url.replace('https://hooks.example.com', '');
    try {
      return await at(now * 1000, () => verifyRequest(secret, { method, path: target, headers, body }));
    } catch {
      return false;
    }
  };
  const sign = (name, { method = 'POST', target, signed = {}, unsigned = {}, body, ...more }) => ({
    name,
    source,
    secret,
    method,
    url: `https://hooks.example.com${target}`,
    headers: { ...signed, ...unsigned, ...signRequest(secret, { method, path: target, headers: signed, body }, stamp) },
    body,
    now,
    ...more,
  });
  const topic = 'ContentManagement.Entry.publish';
  const type = 'application/vnd.contentful.management.v1+json';
  const key = '94516f9a3fe42e3065ad9ef4f2a9f865c9bf0a962db8b7cfcb470b42052ea22c';
  const entry = '{"sys":{"type":"Entry","id":"e1"},"fields":{"title":{"en-US":"Café Łódź ♥"}}}';
  const valid = [
    sign('only the two headers that are always signed', { method: 'GET', target: '/contentful', body: '' }),
    sign('more signed headers, a query, non-ASCII text', {
      target: '/contentful?q=1&w=2',
      signed: { 'Content-Type': type, 'X-Contentful-Topic': topic, 'X-Contentful-Webhook-Request-Attempt': '1' },
      unsigned: { 'X-Contentful-Idempotency-Key': key },
      body: entry,
      id: key,
      event: topic,
    }),
    sign('an escape in the path, marks in the query', {
      target: "/contentful/caf%C3%A9?a=b%20c&d=~!*'();/:@",
      signed: { 'Content-Type': type },
      unsigned: { 'X-Contentful-Topic': topic, 'X-Contentful-Idempotency-Key': key },
      body: entry,
      id: key,
      event: topic,
    }),
    sign('blanks around a signed value', { target: '/contentful', signed: { 'X-Custom': '  a;b:c  ' }, body: '{}' }),
  ];
  for (const vector of valid) assert(await judge(vector), vector.name);
  const refused = { source: 'Derived; refused by verifyRequest of @contentful/node-apps-toolkit 3.16.1 (npm).', expect: 'invalid: signature mismatch' };
  const invalid = [
    changed(valid[1], { ...refused, name: 'a signed header changed', headers: { ...valid[1].headers, 'X-Contentful-Webhook-Request-Attempt': '2' } }),
    changed(valid[1], { ...refused, name: 'body changed', body: `${entry} ` }),
    changed(valid[1], { ...refused, name: 'query changed', url: 'https://hooks.example.com/contentful?q=1&w=3' }),
    changed(valid[1], { ...refused, name: '31 s old', now: now + 32, expect: 'invalid: stale' }),
  ];
  for (const vector of invalid) assert(!(await judge(vector)), vector.name);
  write('contentful', ['https://www.contentful.com/developers/docs/extensibility/app-framework/request-verification/'], [...valid, ...invalid]);
}

async function hygraph() {
  const { generateWebhookSignature, verifyWebhookSignature } = require('@hygraph/utils');
  const secret = 'rCNwyiloY3oJYYkxgpBXaleIiUv5MYlx';
  const stamp = 1701774657000;
  const source = 'Computed by generateWebhookSignature of @hygraph/utils 1.2.1 (npm), accepted by its verifyWebhookSignature; secret of its index.test.js.';
  const judge = ({ headers, body, secret }) => verifyWebhookSignature({ rawPayload: body, signature: headers['gcms-signature'], secret });
  const sign = async (name, body, environmentName, event) => {
    const signature = await at(stamp, () => generateWebhookSignature({ rawPayload: body, secret, environmentName }));
    return { name, source, secret, headers: { ...json, 'gcms-signature': signature }, body, event };
  };
  const valid = [
    await sign('small payload', '{"hello":"world"}', 'master', null),
    await sign('quotes, escapes and non-ASCII text', '{"operation":"publish","data":{"title":"a \\"quoted\\" Café Łódź ♥ / \\u2028 \u2028"}}', 'test', 'publish'),
    await sign('control characters', '{\n\t"operation": "update"\r\n}\n', 'develop-2', 'update'),
  ];
  for (const vector of valid) assert(judge(vector), vector.name);
  const refused = { source: 'Derived; refused by verifyWebhookSignature of @hygraph/utils 1.2.1 (npm).', expect: 'invalid: signature mismatch' };
  const header = (from, to) => ({ ...json, 'gcms-signature': valid[0].headers['gcms-signature'].replace(from, to) });
  const invalid = [
    changed(valid[0], { ...refused, name: 'another environment', headers: header('env=master', 'env=dev') }),
    changed(valid[0], { ...refused, name: 'another time', headers: header('t=1701774657000', 't=1701774657001') }),
    changed(valid[0], { ...refused, name: 'body changed', body: '{"hello":"world"} ' }),
  ];
  for (const vector of invalid) assert(!judge(vector), vector.name);
  write('hygraph', ['https://hygraph.com/docs/api-reference/basics/webhooks'], [...valid, ...invalid]);
}

async function mux() {
  const { Mux } = require('@mux/mux-node');
  const { webhooks } = new Mux({ tokenId: 'id', tokenSecret: 'secret' });
  const secret = 'SuperSecret123';
  const stamp = 1700000000;
  const source = "Computed by Node.js 20 as HMAC-SHA256 of `t.body`; accepted by webhooks.verifySignature of @mux/mux-node 15.3.0 (npm), which only verifies.";
  const judge = async ({ body, headers, secret, now }) => {
    try {
      await at(now * 1000, () => webhooks.verifySignature(body, { 'mux-signature': headers['Mux-Signature'] }, secret));
      return true;
    } catch {
      return false;
    }
  };
  const hmac = (secret, body) => createHmac('sha256', secret).update(`${stamp}.${body}`).digest('hex');
  const sign = (name, body, id, event) =>
    ({ name, source, secret, headers: { ...json, 'Mux-Signature': `t=${stamp},v1=${hmac(secret, body)}` }, body, now: stamp, id, event });
  const ready =
    '{"type":"video.asset.ready","id":"3a56ac3d-33da-4366-855b-f592d898409d","created_at":"2018-02-15T01:04:45.000Z","object":{"type":"asset","id":"0201p02fGKPE7MrbC269XRD7LpcHhrmbu0002"},"environment":{"name":"Production","id":"j0863n"},"attempts":[]}';
  const text = '{"type":"video.asset.created","id":"b1c2","data":{"passthrough":"Café Łódź ♥"},"attempts":[]}';
  const valid = [
    sign('asset is ready', ready, '3a56ac3d-33da-4366-855b-f592d898409d', 'video.asset.ready'),
    sign('non-ASCII text', text, 'b1c2', 'video.asset.created'),
  ];
  const two = sign('two signatures', text, 'b1c2', 'video.asset.created');
  two.headers['Mux-Signature'] = `t=${stamp},v1=${hmac('another secret', text)},v1=${hmac(secret, text)}`;
  valid.push(two, { ...valid[0], name: '300 s old', now: stamp + 300 });
  for (const vector of valid) assert(await judge(vector), vector.name);
  const refused = { source: 'Derived; refused by webhooks.verifySignature of @mux/mux-node 15.3.0 (npm).', expect: 'invalid: signature mismatch' };
  const invalid = [
    changed(valid[0], { ...refused, name: 'body changed', body: `${ready} ` }),
    changed(valid[0], { ...refused, name: '301 s old', now: stamp + 301, expect: 'invalid: stale' }),
    changed(valid[0], { ...refused, name: 'no v1', headers: { ...json, 'Mux-Signature': valid[0].headers['Mux-Signature'].replace('v1', 'v0') }, expect: 'invalid: no signature of a known version' }),
  ];
  for (const vector of invalid) assert(!(await judge(vector)), vector.name);
  write('mux', ['https://www.mux.com/docs/core/verify-webhook-signatures', 'https://www.mux.com/docs/core/listen-for-webhooks'], [...valid, ...invalid]);
}

async function sanity() {
  const { encodeSignatureHeader, isValidSignature } = require('@sanity/webhook');
  const known = 'Published in github.com/sanity-io/webhook-toolkit, test/signature.test.ts, commit 649f5adc; accepted by isValidSignature of @sanity/webhook 4.0.4 (npm).';
  const judge = ({ body, headers, secret }) => isValidSignature(body, headers['sanity-webhook-signature'], secret);
  const secret = 'a long secret of a webhook';
  const key = 'gc1-3e1e2b9e';
  const body = '{"_id":"post-1","_type":"post","title":"Café Łódź ♥"}';
  const valid = [
    {
      name: 'known answer',
      origin: 'published',
      source: known,
      secret: 'test',
      headers: { ...json, 'sanity-webhook-signature': 't=1633519811129,v1=tLa470fx7qkLLEcMOcEUFuBbRSkGujyskxrNXcoh0N0' },
      body: '{"_id":"resume"}',
    },
    {
      name: 'non-ASCII text',
      source: 'Computed by encodeSignatureHeader of @sanity/webhook 4.0.4 (npm), accepted by its isValidSignature.',
      secret,
      headers: { ...json, 'idempotency-key': key, 'sanity-operation': 'update', 'sanity-webhook-signature': await encodeSignatureHeader(body, 1700000000000, secret) },
      body,
      id: key,
      event: 'update',
    },
  ];
  for (const vector of valid) assert(await judge(vector), vector.name);
  const header = (from, to) => ({ ...json, 'sanity-webhook-signature': valid[0].headers['sanity-webhook-signature'].replace(from, to) });
  const invalid = [
    changed(valid[0], { name: 'another time', headers: header('129,', '128,'), expect: 'invalid: signature mismatch' }),
    changed(valid[0], { name: 'last character changed', headers: header(/0$/, '1'), expect: 'invalid: signature is not canonical base64url' }),
    changed(valid[0], { name: 'another body', body: '{"_id":"structure"}', expect: 'invalid: signature mismatch' }),
    changed(valid[0], { name: 'another version', headers: header('v1=', 'v5='), expect: 'invalid: no signature of a known version' }),
  ];
  for (const vector of invalid) {
    vector.source = 'Published in github.com/sanity-io/webhook-toolkit, test/signature.test.ts, commit 649f5adc; refused by isValidSignature of @sanity/webhook 4.0.4 (npm).';
    assert(!(await judge(vector)), vector.name);
  }
  write('sanity', ['https://www.sanity.io/docs/webhooks', 'https://github.com/sanity-io/webhook-toolkit'], [...valid, ...invalid]);
}

function hubspot() {
  const { Signature } = require('@hubspot/api-client');
  const clientSecret = 'yyyyyyyy-yyyy-yyyy-yyyy-yyyyyyyyyyyy';
  const documentation = ['https://developers.hubspot.com/docs/apps/legacy-apps/authentication/validating-requests'];
  const events = '[{"eventId":1,"subscriptionType":"contact.propertyChange","propertyName":"firstname","propertyValue":"Zoë Łódź ♥","attemptNumber":0}]';
  for (const version of ['v1', 'v2']) {
    const url = `https://www.example.com/webhook_uri`;
    const source = `Computed by Signature.getSignature of @hubspot/api-client 13.5.0 (npm), accepted by its Signature.isValid.`;
    const published = 'Published in github.com/HubSpot/hubspot-api-nodejs, test/unit/signature.spec.ts; accepted by Signature.isValid of @hubspot/api-client 13.5.0 (npm).';
    const options = ({ method = 'POST', url, body, secret, headers }) =>
      ({ method, signatureVersion: version, url, requestBody: body, clientSecret: secret, signature: headers['X-HubSpot-Signature'] });
    const judge = (vector) => Signature.isValid(options(vector));
    const sign = (name, vector) => {
      const complete = { name, source, secret: clientSecret, url, method: 'POST', ...vector };
      const signature = Signature.getSignature(complete.method, version, { ...options({ ...complete, headers: {} }) });
      const type = complete.body ? json : {};
      return { ...complete, headers: { ...type, 'X-HubSpot-Signature': signature, 'X-HubSpot-Signature-Version': version } };
    };
    const example = sign('example', { body: '{"example_field":"example_value"}' });
    const valid = [example, sign('non-ASCII text', { body: events })];
    if (version === 'v2') {
      assert.equal(example.headers['X-HubSpot-Signature'], '9569219f8ba981ffa6f6f16aa0f48637d35d728c7e4d93d0d52efaa512af7900');
      Object.assign(example, { origin: 'published', source: published });
      const get = sign('GET without a body', { method: 'GET', body: '' });
      assert.equal(get.headers['X-HubSpot-Signature'], 'eee2dddcc73c94d699f5e395f4b9d454a069a6855fbfa152e91e88823087200e');
      valid.push({ ...get, origin: 'published', source: published }, sign('a query with escapes', { url: `${url}?name=caf%C3%A9&url=https%3A%2F%2Fa.example`, body: events }));
    }
    for (const vector of valid) assert(judge(vector), vector.name);
    const refused = { origin: 'official-code', source: 'Derived; refused by Signature.isValid of @hubspot/api-client 13.5.0 (npm).', expect: 'invalid: signature mismatch' };
    const invalid = [
      changed(example, { ...refused, name: 'body changed', body: `${example.body} ` }),
      changed(example, { ...refused, name: 'another secret', secret: 'zzzzzzzz-zzzz-zzzz-zzzz-zzzzzzzzzzzz' }),
    ];
    if (version === 'v2') invalid.push(changed(example, { ...refused, name: 'another path', url: `${url}/other` }));
    for (const vector of invalid) assert(!judge(vector), vector.name);
    write(`hubspot-${version}`, documentation, [...valid, ...invalid]);
  }
}

async function webflow() {
  const { WebflowClient } = require('webflow-api');
  const { webhooks } = new WebflowClient({ accessToken: 'none' });
  const secret = 'webflow-client-secret';
  const stamp = 1700000000000;
  const source = 'Computed by Node.js 20 as HMAC-SHA256 of `timestamp:body`; accepted by webhooks.verifySignature of webflow-api 3.3.4 (npm), which only verifies.';
  const judge = ({ headers, body, secret }) =>
    webhooks.verifySignature({ headers: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])), body, secret });
  const sign = (name, body, event) => ({
    name,
    source,
    secret,
    headers: { ...json, 'x-webflow-timestamp': `${stamp}`, 'x-webflow-signature': createHmac('sha256', secret).update(`${stamp}:${body}`).digest('hex') },
    body,
    now: stamp / 1000,
    event,
  });
  const valid = [
    sign('form submission', '{"triggerType":"form_submission","payload":{"name":"Contact","siteId":"65427cf400e02b306eaa049c","formId":"65429eadebe8a9f3a30f62d0"}}', 'form_submission'),
    sign('non-ASCII text', '{"triggerType":"collection_item_created","payload":{"fieldData":{"name":"Café Łódź ♥"}}}', 'collection_item_created'),
  ];
  for (const vector of valid) assert(await judge(vector), vector.name);
  const refused = { source: 'Derived; refused by webhooks.verifySignature of webflow-api 3.3.4 (npm).', expect: 'invalid: signature mismatch' };
  const invalid = [
    changed(valid[0], { ...refused, name: 'body changed', body: `${valid[0].body} ` }),
    changed(valid[0], { ...refused, name: 'another time', headers: { ...valid[0].headers, 'x-webflow-timestamp': `${stamp + 1}` } }),
  ];
  for (const vector of invalid) assert(!(await judge(vector)), vector.name);
  invalid.push(
    changed(valid[0], {
      name: '301 s old',
      source: 'Derived; the documentation asks for five minutes, webflow-api 3.3.4 (npm) does not look at the time and accepts it.',
      now: stamp / 1000 + 301,
      expect: 'invalid: stale (the SDK accepts it; this crate does not)',
    }),
  );
  write('webflow', ['https://developers.webflow.com/data/docs/working-with-webhooks'], [...valid, ...invalid]);
}

function cloudinary() {
  const { config, utils } = require('cloudinary').v2;
  const secret = 'X7qLTrsES31MzxxkxPPA-pAGGfU';
  const stamp = 1700000000;
  for (const [provider, algorithm] of [['cloudinary', 'sha1'], ['cloudinary-sha256', 'sha256']]) {
    const source = 'Computed by utils.webhook_signature of cloudinary 2.11.0 (npm), accepted by its utils.verifyNotificationSignature.';
    const judge = ({ body, headers, secret, now }) => {
      config({ api_secret: secret, signature_algorithm: algorithm });
      const real = Date.now;
      Date.now = () => now * 1000;
      try {
        return utils.verifyNotificationSignature(body, Number(headers['X-Cld-Timestamp']), headers['X-Cld-Signature'], 7200);
      } finally {
        Date.now = real;
      }
    };
    const sign = (name, body, event) => ({
      name,
      source,
      secret,
      headers: {
        ...json,
        'X-Cld-Timestamp': `${stamp}`,
        'X-Cld-Signature': require('cloudinary/lib/utils').webhook_signature(body, stamp, { api_secret: secret, signature_algorithm: algorithm }),
      },
      body,
      now: stamp,
      event,
    });
    const valid = [
      sign('upload', '{"notification_type":"upload","timestamp":"2023-11-14T22:13:20+00:00","request_id":"9b5d6e9d","public_id":"sample","version":1700000000}', 'upload'),
      sign('non-ASCII text', '{"notification_type":"rename","from_public_id":"Café","to_public_id":"Łódź ♥"}', 'rename'),
    ];
    valid.push({ ...valid[0], name: 'two hours old', now: stamp + 7200 });
    for (const vector of valid) assert(judge(vector), vector.name);
    const refused = { source: 'Derived; refused by utils.verifyNotificationSignature of cloudinary 2.11.0 (npm).', expect: 'invalid: signature mismatch' };
    const invalid = [
      changed(valid[0], { ...refused, name: 'body changed', body: `${valid[0].body} ` }),
      changed(valid[0], { ...refused, name: 'more than two hours old', now: stamp + 7201, expect: 'invalid: stale' }),
      changed(valid[0], { ...refused, name: 'another time', headers: { ...valid[0].headers, 'X-Cld-Timestamp': `${stamp + 1}` } }),
    ];
    for (const vector of invalid) assert(!judge(vector), vector.name);
    write(provider, ['https://cloudinary.com/documentation/notification_signatures'], [...valid, ...invalid]);
  }
}

async function notion() {
  const { signWebhookPayload, verifyWebhookSignature } = require('@notionhq/client');
  const secret = 'secret_tMrlL1qK5vuQAh1b6cZGhFChZTSYJlce98V0pYn7yBl';
  const judge = ({ headers, body, secret }) => verifyWebhookSignature({ body, signature: headers['X-Notion-Signature'], verificationToken: secret });
  const sign = async (name, body, id, event) => ({
    name,
    source: 'Computed by signWebhookPayload of @notionhq/client 5.26.0 (npm), accepted by its verifyWebhookSignature.',
    secret,
    headers: { ...json, 'X-Notion-Signature': await signWebhookPayload({ body, verificationToken: secret }) },
    body,
    id,
    event,
  });
  const valid = [
    await sign(
      'page created',
      '{"id":"367cba44-b6f3-4c92-81e7-6a2e9659efd4","timestamp":"2024-12-05T23:55:34.285Z","workspace_id":"13950b26-c203-4f3b-b97d-93ec06319565","type":"page.created","attempt_number":1,"entity":{"id":"153104cd-477e-809d-8dc4-ff2d96ae3090","type":"page"}}',
      '367cba44-b6f3-4c92-81e7-6a2e9659efd4',
      'page.created',
    ),
    await sign('non-ASCII text', '{"id":"4a2d","type":"comment.created","data":{"note":"Café Łódź ♥"}}', '4a2d', 'comment.created'),
  ];
  for (const vector of valid) assert(await judge(vector), vector.name);
  const refused = { source: 'Derived; refused by verifyWebhookSignature of @notionhq/client 5.26.0 (npm).', expect: 'invalid: signature mismatch' };
  const invalid = [
    changed(valid[0], { ...refused, name: 'body changed', body: `${valid[0].body} ` }),
    changed(valid[0], { ...refused, name: 'no prefix', headers: { ...json, 'X-Notion-Signature': valid[0].headers['X-Notion-Signature'].slice(7) }, expect: 'invalid: no signature of a known form' }),
  ];
  for (const vector of invalid) assert(!(await judge(vector)), vector.name);
  write('notion', ['https://developers.notion.com/reference/webhooks'], [...valid, ...invalid]);
}

function kontent() {
  const { signatureHelper } = require('@kontent-ai/webhook-helper');
  const secret = 'BHPyfqwSy1iJjcscOB+GSkDf9THrBlfcKkwtADJdbP4=';
  const judge = ({ headers, body, secret }) => signatureHelper.isValidSignatureFromString(body, secret, headers['X-Kontent-ai-Signature']);
  const notification = {
    notifications: [
      {
        data: {
          system: {
            id: 'aa7f127f-1920-4454-a89a-0609aba8ea6f',
            name: 'This changes everything!',
            codename: 'this_changes_everything_',
            collection: 'marketing',
            workflow: 'default',
            workflow_step: 'published',
            language: 'default',
            type: 'product_update',
            last_modified: '2024-03-25T07:55:57.0563735Z',
          },
        },
        message: {
          environment_id: '0f5b6cb2-ea82-014e-ac74-f71e7e8b6aee',
          object_type: 'content_item',
          action: 'published',
          delivery_slot: 'published',
        },
      },
    ],
  };
  const text = '{"notifications":[{"data":{"system":{"id":"1","name":"Café Łódź ♥"}},"message":{"object_type":"content_item","action":"created"}}]}';
  const valid = [
    {
      name: 'published content item, lines ended by CRLF',
      origin: 'published',
      source: 'Published in @kontent-ai/webhook-helper 3.0.3 (npm), lib/test/signatures/signature.spec.ts; accepted by its signatureHelper.isValidSignatureFromString.',
      secret,
      headers: { ...json, 'X-Kontent-ai-Signature': 'CF9/hYLw2CDcVp2wW39OFUglh++fGdHFeOhiWxM3jZg=' },
      body: JSON.stringify(notification, null, 2).replace(/\n/g, '\r\n'),
    },
    {
      name: 'non-ASCII text',
      source: 'Computed by signatureHelper.getHashFromString of @kontent-ai/webhook-helper 3.0.3 (npm), accepted by its isValidSignatureFromString.',
      secret,
      headers: { ...json, 'X-Kontent-ai-Signature': signatureHelper.getHashFromString(text, secret) },
      body: text,
    },
  ];
  for (const vector of valid) assert(judge(vector), vector.name);
  const refused = { origin: 'official-code', source: 'Derived; refused by signatureHelper.isValidSignatureFromString of @kontent-ai/webhook-helper 3.0.3 (npm).', expect: 'invalid: signature mismatch' };
  const invalid = [
    changed(valid[0], { ...refused, name: 'lines ended by LF', body: JSON.stringify(notification, null, 2) }),
    changed(valid[1], { ...refused, name: 'another secret', secret: 'another secret' }),
  ];
  for (const vector of invalid) assert(!judge(vector), vector.name);
  write('kontent', ['https://kontent.ai/learn/docs/webhooks/webhooks/javascript', 'https://github.com/kontent-ai/webhook-helper-js'], [...valid, ...invalid]);
}

async function todoist() {
  const { verifyWebhookSignature } = require('@doist/todoist-sdk');
  const secret = '0123456789abcdef0123456789abcdef';
  const judge = ({ headers, body, secret }) => verifyWebhookSignature({ rawBody: body, signature: headers['X-Todoist-Hmac-SHA256'], clientSecret: secret });
  const sign = (name, body, id, event) => ({
    name,
    source: 'Computed by Node.js 20 as HMAC-SHA256 of the body; accepted by verifyWebhookSignature of @doist/todoist-sdk 17.0.0 (npm), which only verifies.',
    secret,
    headers: { ...json, 'User-Agent': 'Todoist-Webhooks', 'X-Todoist-Delivery-ID': id, 'X-Todoist-Hmac-SHA256': createHmac('sha256', secret).update(body).digest('base64') },
    body,
    id,
    event,
  });
  const valid = [
    sign('item added', '{"event_name":"item:added","user_id":"2671355","event_data":{"id":"6XR4GqQQCW6Gv9h4","content":"Buy Milk"},"triggered_at":"2025-02-10T10:39:38.000000Z","version":"10"}', 'a2d4a7c6-4d1e-4f0b-9f5d-0b6a0b0f8f3a', 'item:added'),
    sign('non-ASCII text', '{"event_name":"item:updated","event_data":{"content":"Café Łódź ♥"},"version":"10"}', 'b3', 'item:updated'),
  ];
  for (const vector of valid) assert(await judge(vector), vector.name);
  const refused = { source: 'Derived; refused by verifyWebhookSignature of @doist/todoist-sdk 17.0.0 (npm).', expect: 'invalid: signature mismatch' };
  const invalid = [
    changed(valid[0], { ...refused, name: 'body changed', body: `${valid[0].body} ` }),
    changed(valid[0], { ...refused, name: 'another secret', secret: 'another secret' }),
  ];
  for (const vector of invalid) assert(!(await judge(vector)), vector.name);
  write('todoist', ['https://developer.todoist.com/api/v1/#tag/Webhooks', 'https://doist.github.io/todoist-sdk-typescript/'], [...valid, ...invalid]);
}

function acuity() {
  const Acuity = require('acuityscheduling');
  const secret = '77c5e7d27bc1bdf1';
  const judge = ({ headers, body, secret }) => {
    const request = { header: (name) => (name.toLowerCase() === 'x-acuity-signature' ? headers['X-Acuity-Signature'] : undefined), get: (name) => request.header(name), headers: { 'x-acuity-signature': headers['X-Acuity-Signature'] } };
    try {
      Acuity.bodyParserVerify(secret)(request, {}, Buffer.from(body), 'utf8');
      return true;
    } catch {
      return false;
    }
  };
  const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
  const sign = (name, body, event) => ({
    name,
    source: 'Computed by Node.js 20 as HMAC-SHA256 of the body; accepted by bodyParserVerify of acuityscheduling 0.1.9 (npm), which only verifies.',
    secret,
    headers: { ...form, 'X-Acuity-Signature': createHmac('sha256', secret).update(body).digest('base64') },
    body,
    event,
  });
  const valid = [
    sign('scheduled', 'action=scheduled&id=54321&calendarID=1&appointmentTypeID=2', 'scheduled'),
    sign('changed', 'action=changed&id=54322&calendarID=1&appointmentTypeID=2', 'changed'),
    sign('non-ASCII text', 'action=canceled&id=54323&calendarID=1&appointmentTypeID=2&note=Caf\u00e9 \u2665', 'canceled'),
  ];
  for (const vector of valid) assert(judge(vector), vector.name);
  const refused = { source: 'Derived; refused by bodyParserVerify of acuityscheduling 0.1.9 (npm).', expect: 'invalid: signature mismatch' };
  const invalid = [
    changed(valid[0], { ...refused, name: 'another appointment', body: valid[0].body.replace('54321', '54322') }),
    changed(valid[0], { ...refused, name: 'another key', secret: 'another key' }),
  ];
  for (const vector of invalid) assert(!judge(vector), vector.name);
  write('acuity', ['https://developers.acuityscheduling.com/docs/webhooks'], [...valid, ...invalid]);
}

async function ghost() {
  const load = Module._load;
  const silent = { info() {}, warn() {}, error(error) { throw error; } };
  const stubs = { '@tryghost/debug': () => () => {}, '@tryghost/logging': silent, '@tryghost/version': { safe: '6.0' } };
  Module._load = function (name, ...rest) {
    return stubs[name] ?? load.call(this, name, ...rest);
  };
  const Trigger = require('./ghost/webhook-trigger.js');
  Module._load = load;
  const secret = 'ghost webhook secret';
  const stamp = 1700000000000;
  const sign = async (name, payload) => {
    let sent;
    const hook = { id: '1', get: (field) => ({ event: 'post.published', target_url: 'https://hooks.example.com/ghost', secret })[field] };
    const models = { Webhook: { findAllByEvent: async () => ({ models: [hook] }), edit: async () => {} } };
    const request = async (url, options) => ((sent = options), { statusCode: 200 });
    const trigger = new Trigger({ models, payload: async () => payload, request, limitService: { isLimited: () => false } });
    await at(stamp, () => trigger.trigger('post.published', {}));
    const { 'Content-Length': _, ...headers } = sent.headers;
    return {
      name,
      source:
        'Sent by WebhookTrigger of github.com/TryGhost/Ghost, ghost/core/core/server/services/webhooks/webhook-trigger.js, commit 8b753522, Node.js 20, surroundings stubbed.',
      secret,
      headers,
      body: sent.body,
      now: stamp / 1000,
    };
  };
  const valid = [
    await sign('post published', { post: { current: { id: '61a0', title: 'Coming soon', status: 'published' }, previous: { status: 'draft' } } }),
    await sign('non-ASCII text', { member: { current: { id: '62', name: 'Zoë Łódź ♥' }, previous: {} } }),
  ];
  const derived = { source: 'Derived.', expect: 'invalid: signature mismatch' };
  const header = (value) => ({ ...valid[0].headers, 'X-Ghost-Signature': value });
  const bodyOnly = createHmac('sha256', secret).update(valid[0].body).digest('hex');
  const invalid = [
    changed(valid[0], { ...derived, name: 'body changed', body: `${valid[0].body} ` }),
    changed(valid[0], { ...derived, name: 'another time', headers: header(valid[0].headers['X-Ghost-Signature'].replace(/0$/, '1')) }),
    changed(valid[0], {
      ...derived,
      name: 'body alone, as old versions signed it',
      source: 'Derived: what old versions of Ghost sent.',
      headers: header(`sha256=${bodyOnly}, t=${stamp}`),
    }),
  ];
  write('ghost', ['https://docs.ghost.org/webhooks', 'https://github.com/TryGhost/Ghost'], [...valid, ...invalid]);
}

async function transloadit() {
  const { signParams, verifyWebhookSignature } = await import(require.resolve('@transloadit/utils'));
  const source = 'Computed by signParams of @transloadit/utils 4.8.1 (npm), accepted by its verifyWebhookSignature.';
  const fields = ({ headers, body }) => {
    if (headers['Content-Type'].startsWith('application/x-www-form-urlencoded')) return Object.fromEntries(new URLSearchParams(body));
    const parts = body.split('--frontier').slice(1, -1).map((part) => /name="(.*?)"\r\n\r\n(.*)\r\n$/s.exec(part));
    return Object.fromEntries(parts.map(([, name, value]) => [name, value]));
  };
  const judge = (vector) => {
    const { transloadit, signature } = fields(vector);
    return verifyWebhookSignature({ rawBody: transloadit, signatureHeader: signature, authSecret: vector.secret });
  };
  const form = { 'Content-Type': 'application/x-www-form-urlencoded' };
  const sign = async (name, secret, status) => {
    const text = JSON.stringify(status);
    const signature = await signParams(text, secret);
    return { name, source, secret, headers: form, body: `${new URLSearchParams({ transloadit: text, signature })}`, event: status.ok };
  };
  const secret = 'd805593620e689465d7da6b8caf2ac7384fdb7e9';
  const completed = await sign('completed', secret, { ok: 'ASSEMBLY_COMPLETED', assembly_id: '76fe5df1c93a0a530f3e583805cf98b4', message: 'The Assembly was successfully completed.' });
  const text = '{"ok":"ASSEMBLY_CANCELED","assembly_id":"b1","fields":{"name":"Café Łódź ♥"}}';
  const part = (name, value) => `--frontier\r\nContent-Disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
  const valid = [
    {
      ...(await sign('known answer', 'foo_secret', { ok: 'ASSEMBLY_COMPLETED' })),
      origin: 'published',
      source: 'Signature published in github.com/transloadit/node-sdk, packages/notify-url-relay/test/index.test.ts, commit e9a722a; accepted by verifyWebhookSignature of @transloadit/utils 4.8.1 (npm).',
    },
    completed,
    {
      name: 'multipart form with non-ASCII text',
      source,
      secret,
      headers: { 'Content-Type': 'multipart/form-data; boundary=frontier' },
      body: `${part('transloadit', text)}${part('signature', await signParams(text, secret))}--frontier--\r\n`,
      event: 'ASSEMBLY_CANCELED',
    },
  ];
  assert(valid[0].body.endsWith('bf26800c5256b38bbf9375c76894d5b649751903973f99d0f036c8e52f6cda287bed711b73c21dbde4d4df6c8fc540a1'));
  for (const vector of valid) assert(await judge(vector), vector.name);
  const refused = { source: 'Derived; refused by verifyWebhookSignature of @transloadit/utils 4.8.1 (npm).', expect: 'invalid: signature mismatch' };
  const invalid = [
    changed(completed, { ...refused, name: 'another status', body: completed.body.replace('COMPLETED', 'CANCELED') }),
    changed(completed, { ...refused, name: 'another secret', secret: 'another secret' }),
  ];
  for (const vector of invalid) assert(!(await judge(vector)), vector.name);
  write('transloadit', ['https://transloadit.com/docs/api/webhooks/'], [...valid, ...invalid]);
}
