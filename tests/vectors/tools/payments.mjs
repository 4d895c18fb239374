// Lets official packages of npm judge the vectors of payment providers that payments.py wrote or that were published.
//
// Node.js 20, in a directory with
//   @adyen/api-library@32.1.0 @polar-sh/sdk@0.49.0 cashfree-pg@6.0.6 coinbase-commerce-node@1.0.4 creem@1.13.0 gocardless-nodejs@10.1.2
//   fintoc@1.15.0 mercadopago@3.6.1 onlinepayments-sdk-nodejs@6.2.0 paymongo-node@10.17.0 razorpay@2.9.8
// run `node payments.mjs DIRECTORY-OF-node_modules`. It prints how many verdicts agree, and fails on the first that does not.

import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { fileURLToPath } from 'node:url';
import path from 'node:path';

const here = path.dirname(fileURLToPath(import.meta.url));
const require = createRequire(path.resolve(process.argv[2] ?? '.', 'index.js'));

const Adyen = require('@adyen/api-library').hmacValidator ?? require('@adyen/api-library/lib/src/utils/hmacValidator').default;
const { Webhook: Coinbase } = require('coinbase-commerce-node');
const { Cashfree, CFEnvironment } = require('cashfree-pg');
const { WebhookSignatureValidator: MercadoPago } = require('mercadopago');
const Razorpay = require('razorpay');
const { WebhookSignature: Fintoc } = require('fintoc');
const PayMongo = require('paymongo-node');
const GoCardless = require('gocardless-nodejs/webhooks');
const { verifyWebhookSignature: creem } = require('creem/webhooks');
const { validateEvent: polar, WebhookVerificationError: PolarError } = require('@polar-sh/sdk/webhooks');
const { newSignatureValidator: worldline } = require(
  path.join(path.dirname(require.resolve('onlinepayments-sdk-nodejs')), 'webhooks/validation'));

const judges = {
  'adyen-platform': ({ secret, body, header }) => new Adyen().validateHMACSignature(secret, header('hmacsignature'), body),
  'coinbase-commerce': ({ secret, body, header }) => Coinbase.verifyEventBody(body, header('x-cc-webhook-signature'), secret),
  cashfree: ({ secret, body, header }) =>
    new Cashfree(CFEnvironment.SANDBOX, 'client id', secret)
      .PGVerifyWebhookSignature(header('x-webhook-signature'), body, header('x-webhook-timestamp')),
  'mercado-pago': ({ secret, url, header }) => {
    const dataId = new URL(url).searchParams.get('data.id');
    MercadoPago.validate({ xSignature: header('x-signature'), xRequestId: header('x-request-id'), dataId, secret });
    return true;
  },
  fintoc: ({ secret, body, header, now }) => {
    const clock = Date.now;
    Date.now = () => now * 1000;
    try {
      Fintoc.verifyHeader(body, header('fintoc-signature'), secret);
    } finally {
      Date.now = clock;
    }
    return true;
  },
  paymongo: ({ secret, body, header }) =>
    PayMongo('sk_test_').webhooks
      .constructEvent({ payload: body, signatureHeader: header('paymongo-signature'), webhookSecretKey: secret }),
  razorpay: ({ secret, body, header }) => Razorpay.validateWebhookSignature(body, header('x-razorpay-signature'), secret),
  gocardless: ({ secret, body, header }) => GoCardless.parse(body, secret, header('webhook-signature')),
  creem: async ({ secret, body, headers }) => (await creem(body, headers, secret), true),
  polar: ({ secret, body, headers, now }) => {
    const RealDate = Date;
    globalThis.Date = class extends RealDate {
      constructor(...args) { args.length ? super(...args) : super(now * 1000); }
      static now() { return now * 1000; }
    };
    try {
      polar(body, Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value])), secret);
    } catch (error) {
      // Our bodies are shorter than its schemas ask; it looks at them only after the signature.
      if (error instanceof PolarError) throw error;
    } finally {
      globalThis.Date = RealDate;
    }
    return true;
  },
  worldline: async ({ keys, body, headers }) => {
    const getSecretKey = async (id) => {
      const found = keys.find((key) => key.id === id);
      if (!found) throw new Error('unknown key');
      return found.key;
    };
    await worldline({ getSecretKey }).validate(body, headers);
    return true;
  },
};

let agreed = 0;
for (const [provider, judge] of Object.entries(judges)) {
  const { vectors } = JSON.parse(readFileSync(path.join(here, '..', `${provider}.json`), 'utf8'));
  for (const vector of vectors) {
    const header = (name) => Object.entries(vector.headers).find(([key]) => key.toLowerCase() === name)?.[1];
    let accepted = false;
    try {
      accepted = Boolean(await judge({ ...vector, header }));
    } catch {}
    const isTheirs = vector.expect === 'valid' || vector.expect.includes('(the SDK ');
    if (accepted !== isTheirs) throw new Error(`${provider}: ${vector.name}: accepted is ${accepted}`);
    agreed += 1;
  }
}
console.log(`${agreed} verdicts agree`);
