# Lets Recurly's Ruby client judge the vectors of recurly.json.
#
# Ruby 3.1, and a checkout of github.com/recurly/recurly-client-ruby (commit 05fa008d): `ruby payments.rb CHECKOUT`.

require "json"
require "openssl"
require "time"

module Recurly
  module Errors
    class SignatureVerificationError < StandardError; end
  end
end

require File.join(File.expand_path(ARGV.fetch(0)), "lib/recurly/webhooks")

vectors = JSON.parse(File.read(File.join(__dir__, "../recurly.json")))["vectors"]
vectors.each do |vector|
  now = Time.at(vector["now"])
  Time.define_singleton_method(:now) { now }
  accepted = begin
    Recurly::Webhooks.verify_signature(vector["headers"]["recurly-signature"], vector["secret"], vector["body"])
    true
  rescue Recurly::Errors::SignatureVerificationError
    false
  end
  raise "#{vector["name"]}: accepted is #{accepted}" unless accepted == (vector["expect"] == "valid")
end
puts "#{vectors.size} verdicts agree"
