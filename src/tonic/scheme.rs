use crate::{
    key::SecretFormat,
    scheme::{Algorithm, Part, Profile, Scheme, Signature, Source, Timestamp},
};

/// Unary gRPC calls, signed in the way of [Standard Webhooks](https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md): a scheme of this
/// crate's, for senders in any language.
///
/// Metadata (in clear, never with `-bin`):
///
/// | key | value |
/// |---|---|
/// | `webhook-id` | the delivery's id, of at most 256 letters, digits, `-` and `_`, the same for each try |
/// | `webhook-timestamp` | when this try was signed, in seconds since 1970 |
/// | `webhook-signature` | `v1,` and the signature in base64; of several, with a blank between them, one must be good |
///
/// The signature is HMAC-SHA256, under the bytes of a `whsec_…` secret, of
///
/// ```text
/// <webhook-id> "." <webhook-timestamp> "." <path> "\n" <body>
/// ```
///
/// where the path is that of the call (`/package.Service/Method`), and the body is what is sent in its DATA frames: a byte that tells whether the message is compressed, four
/// bytes of its length, and the message. So the flag is signed, and no other message can stand beside it. Other metadata is not: who changes
/// `grpc-encoding` on the way makes a compressed message unreadable, and nothing more.
///
/// ```
/// use tower_webhook::tonic::GRPC;
///
/// let verifier = GRPC.verifier("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
/// assert_eq!(verifier.provider(), "grpc");
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
pub const GRPC: Scheme<'static> = Scheme {
    name: "grpc",
    algorithm: Algorithm::HmacSha256,
    secret_format: SecretFormat::Whsec,
    signature: Signature::versions("webhook-signature", "v1,"),
    timestamp: Some(Timestamp::unix_seconds(Source::Header("webhook-timestamp"))),
    id: Some(Source::Header("webhook-id")),
    message: &[Part::Id, Part::Text("."), Part::Timestamp, Part::Text("."), Part::Path, Part::Text("\n"), Part::Body],
    profile: Profile::new("gRPC", "https://docs.rs/tower-webhook/latest/tower_webhook/tonic/constant.GRPC.html")
        .resigned(true),
    ..Scheme::HMAC_SHA256_BASE64
};
