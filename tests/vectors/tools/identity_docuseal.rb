# Makes the vectors of DocuSeal with its own code; Rails is stubbed.
#
#     ruby identity_docuseal.rb DOCUSEAL > ../docuseal.json
#
# DOCUSEAL is a checkout of github.com/docusealco/docuseal at commit a2d8b8554917. Everything is fixed: a second run changes nothing.

require 'base64'
require 'json'
require 'openssl'

# The clock of Rails, and its comparison.
class Time
  class << self
    attr_accessor :current
  end
end

module ActiveSupport
  module SecurityUtils
    def self.secure_compare(one, other) = one == other
  end
end

require File.join(File.expand_path(ARGV.fetch(0)), 'lib/webhook_urls/signatures')

SIGNATURES = WebhookUrls::Signatures
CODE = 'WebhookUrls::Signatures of github.com/docusealco/docuseal, lib/webhook_urls/signatures.rb (commit a2d8b855)'
SECRET = 'whsec_4vK2mT8nQx1bR7sW0yZ3aC6dE9fG5hJ2'
TIME = 1_727_000_000

def vector(name, body, event, now: TIME + 100)
  {
    name: name,
    origin: 'official-code',
    source: "Computed by #{CODE}, with Rails stubbed, whose verify accepts it; contents of the documented shape, ours.",
    secret: SECRET,
    method: 'POST',
    url: 'https://hooks.example.com/docuseal',
    headers: {
      'Content-Type' => 'application/json',
      'User-Agent' => 'DocuSeal.com Webhook',
      'X-Docuseal-Signature' => SIGNATURES.sign(SECRET, body: body, timestamp: TIME)
    },
    body: body,
    now: now,
    expect: 'valid',
    id: nil,
    event: event
  }
end

def derived(base, name, why, **changes)
  base.merge(name: name, source: "Derived; refused by #{CODE}.", expect: "invalid: #{why}", event: nil, **changes)
end

def accepts?(vector)
  Time.current = vector[:now]
  SIGNATURES.verify(vector[:secret], body: vector[:body], header: vector[:headers]['X-Docuseal-Signature'])
rescue SIGNATURES::InvalidSignatureError, SIGNATURES::TimestampError
  false
end

base = vector('form completed', '{"event_type":"form.completed","timestamp":"2024-09-22T10:13:20Z","data":{"id":1,"email":"zoe@example.com","status":"completed"}}', 'form.completed')
bare = base[:headers].merge('X-Docuseal-Signature' => base[:headers]['X-Docuseal-Signature'].split('.').last)
vectors = [
  base,
  vector('body with non-ASCII text', '{"event_type":"submission.created","timestamp":"2024-09-22T10:13:20Z","data":{"id":2,"name":"Vertrag für Zoë ♥"}}', 'submission.created', now: TIME + 300),
  derived(base, '301 s old', 'stale', now: TIME + 301),
  derived(base, '301 s in the future', 'from the future', now: TIME - 301),
  derived(base, 'body changed by one blank', 'signature mismatch', body: "#{base[:body]} "),
  derived(base, 'another secret', 'signature mismatch', secret: 'whsec_another'),
  derived(base, 'no time', 'no usable signature', headers: bare)
]
vectors.each { |v| raise v[:name] unless accepts?(v) == (v[:expect] == 'valid') }

documentation = ['https://www.docuseal.com/resources/use-webhooks', 'https://github.com/docusealco/docuseal']
puts JSON.pretty_generate({ provider: 'docuseal', documentation: documentation, vectors: vectors })
