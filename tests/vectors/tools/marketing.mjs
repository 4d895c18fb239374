// Lets the official SDKs for Node.js judge the vectors of marketing.py: each verdict must be that of the file.
//
//   npm install --ignore-scripts @sendgrid/eventwebhook@8.0.0 resend@6.38.0 @line/bot-sdk@11.0.0 event-notification-nodejs-sdk@1.0.3 \
//       @easypost/api@8.9.0 viber-bot@1.0.18 twitter-autohook@1.7.2 mailersend@3.4.0 \
//       @wix/sdk@1.21.16 lettermint@2.7.0 mailtrap@4.10.0 @shopware-ag/app-server-sdk@2.0.3
//   node marketing.mjs      (in the folder of node_modules, or with a link to it beside this file)

import { readFileSync } from 'node:fs'
import { createRequire } from 'node:module'

const require = createRequire(process.cwd() + '/')
const { EventWebhook } = require('@sendgrid/eventwebhook')
const { Resend } = require('resend')
const line = require('@line/bot-sdk')
const ebayClient = require('event-notification-nodejs-sdk/lib/client.js')
const ebay = require('event-notification-nodejs-sdk/lib/validator.js')
const EasyPost = require('@easypost/api')
const ViberValidator = require('viber-bot/lib/message/message-validator.js')
const { validateSignature } = require('twitter-autohook')
const { Webhook: Lettermint } = require('lettermint')
const { verifyWebhookSignature } = require('mailtrap')
const { DualSignatureVerifier } = require('@shopware-ag/app-server-sdk')
const { WebCryptoHmacSigner } = require(require.resolve('@shopware-ag/app-server-sdk').replace(/mod\.js$/, 'signer.js'))
const { AppStrategy, createClient } = await import(require.resolve('@wix/sdk'))
const { MailerSendUtils } = require('mailersend/lib/services/mailersend.utils.js')

const easypost = new (EasyPost.default ?? EasyPost)('key')

const judges = {
  sendgrid: ({ secret, body, header }) => {
    const webhook = new EventWebhook()
    const name = 'x-twilio-email-event-webhook-'
    return webhook.verifySignature(webhook.convertPublicKeyToECDSA(secret), body, header(name + 'signature'), header(name + 'timestamp'))
  },
  resend: ({ secret, body, header }) => {
    const headers = { id: header('svix-id'), timestamp: header('svix-timestamp'), signature: header('svix-signature') }
    return !!new Resend('re_key').webhooks.verify({ payload: body, headers, webhookSecret: secret })
  },
  line: ({ secret, body, header }) => line.validateSignature(body, secret, header('x-line-signature') ?? ''),
  ebay: ({ keys, body, header }) => {
    // The SDK would ask eBay for the key, which comes on one line.
    ebayClient.getPublicKey = async kid => ({ key: keys.find(key => key.id === kid).key.trim().replaceAll('\n', '') })
    return ebay.validateSignature(JSON.parse(body), header('x-ebay-signature'), {})
  },
  easypost: ({ secret, body, header }) =>
    !!easypost.Utils.validateWebhook(Buffer.from(body), { 'X-Hmac-Signature': header('x-hmac-signature') }, secret),
  viber: ({ secret, body, header }) =>
    new ViberValidator({ debug() {} }, secret).validateMessage(header('x-viber-content-signature') ?? '', Buffer.from(body)),
  'x-twitter': ({ secret, body, headers }) => validateSignature(headers, { consumer_secret: secret }, body),
  wix: async ({ secret, body }) => {
    const client = createClient({ auth: AppStrategy({ appId: 'app', publicKey: secret }) })
    return !!(await client.webhooks.parseJWT(body))
  },
  lettermint: ({ secret, body, headers }) => !!new Lettermint(secret).verifyHeaders(headers, body),
  mailtrap: ({ secret, body, header }) => verifyWebhookSignature(body, header('mailtrap-signature'), secret),
  shopware: async ({ secret, body, headers }) => {
    const shop = { getShopSecret: () => secret, getPreviousShopSecret: () => null, getSecretsRotatedAt: () => null }
    const request = new Request('https://hooks.example.com/', { method: 'POST', headers, body })
    await new DualSignatureVerifier(new WebCryptoHmacSigner()).authenticatePostRequest(request, body, shop)
    return true
  },
  mailersend: ({ secret, body, header }) => MailerSendUtils.verifyWebHook(Buffer.from(body), header('signature'), secret),
}

// What the SDKs leave to the receiver.
const notOfTheSdk = vector => /stale|future/.test(vector.expect)

const RealDate = Date
const stopClock = at => {
  globalThis.Date = class extends RealDate {
    constructor(...parts) {
      super(...(parts.length ? parts : [at]))
    }
    static now = () => at
  }
}

let wrong = 0
for (const [provider, judge] of Object.entries(judges)) {
  const { vectors } = JSON.parse(readFileSync(new URL(`../${provider}.json`, import.meta.url)))
  for (const vector of vectors) {
    if (!['resend', 'wix', 'lettermint'].includes(provider) && notOfTheSdk(vector)) continue
    const lower = Object.fromEntries(Object.entries(vector.headers).map(([name, value]) => [name.toLowerCase(), value]))
    if (vector.now !== null) stopClock(vector.now * 1000)
    let verdict
    try {
      verdict = await judge({ ...vector, headers: lower, header: name => lower[name] })
    } catch {
      verdict = false
    }
    globalThis.Date = RealDate
    const agrees = verdict === (vector.expect === 'valid')
    wrong += !agrees
    console.log(agrees ? 'agrees   ' : 'DISAGREES', provider, '|', vector.name)
  }
}
process.exit(wrong)
