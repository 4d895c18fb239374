# Lets Uploadcare's own code judge the vectors that content.py wrote for it.
#
# Ruby 3.1; `ruby content.rb PATH` with a copy of github.com/uploadcare/uploadcare-ruby, commit 3e29092, at PATH.

require "json"

module Uploadcare; end
require File.join(File.expand_path(ARGV.fetch(0)), "lib/uploadcare/webhook_signature_verifier")

vectors = JSON.parse(File.read(File.join(__dir__, "../uploadcare.json"))).fetch("vectors")
vectors.each do |vector|
  verdict = Uploadcare::WebhookSignatureVerifier.valid?(
    webhook_body: vector["body"],
    signing_secret: vector["secret"],
    x_uc_signature_header: vector["headers"]["X-Uc-Signature"]
  )
  abort "#{vector["name"]}: #{verdict}" unless verdict == (vector["expect"] == "valid")
end
puts "uploadcare #{vectors.size}"
