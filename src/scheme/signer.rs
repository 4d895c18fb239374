use std::fmt;

use http::{HeaderMap, HeaderValue, Method, Uri};

use super::{
    Head, IntoScheme,
    headers::Family,
    mac::Keyed,
    message::Facts,
    plan::{CheckedScheme, OwnedGrammar, Place, Plan, PublicUrl, Signed},
};
use crate::{
    ConfigError,
    clock::UnixTime,
    key::{IntoKeys, Secret},
};

/// A scheme with a key: makes the headers that a [`Verifier`](super::Verifier) of the same scheme accepts.
///
/// Where the header can hold several signatures and the ring has several keys, each of them signs, so that receivers may change
/// over from one to the next; elsewhere the first one does.
///
/// ```
/// use tower_webhook::{clock::UnixTime, provider, scheme::Outgoing};
///
/// let signer = provider::STANDARD_WEBHOOKS.signer("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")?;
/// let headers = signer.sign(&Outgoing {
///     id: Some("msg_p5jXN8AQM9LWM0D4loKWxJek"),
///     now: UnixTime::from_secs(1_614_265_330),
///     ..Outgoing::post("https://example.com/hook", br#"{"test": 2432232314}"#)
/// })?;
/// assert_eq!(headers["webhook-signature"], "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
#[derive(Clone)]
pub struct Signer {
    scheme: CheckedScheme,
    keys: Vec<(Keyed, Secret)>,
}

/// A request to be signed.
#[derive(Clone, Copy)]
pub struct Outgoing<'r> {
    /// The method.
    pub method: &'r Method,
    /// The whole URL, in the characters in which it is configured at the receiver.
    pub url: &'r str,
    /// Headers that are there already; some schemes sign them.
    pub headers: Option<&'r HeaderMap>,
    /// The delivery id, for schemes that have one.
    pub id: Option<&'r str>,
    /// The time of signing.
    pub now: UnixTime,
    /// The body, exactly as it will be sent.
    pub body: &'r [u8],
}

impl<'r> Outgoing<'r> {
    /// A `POST` of `body` to `url`, without an id, signed in 1970.
    pub const fn post(url: &'r str, body: &'r [u8]) -> Self {
        Self { method: &Method::POST, url, headers: None, id: None, now: UnixTime::from_secs(0), body }
    }
}

impl fmt::Debug for Outgoing<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing")
            .field("method", self.method)
            .field("id", &self.id)
            .field("now", &self.now)
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}

impl Signer {
    pub(super) fn new(scheme: impl IntoScheme, keys: impl IntoKeys) -> Result<Self, ConfigError> {
        let scheme = scheme.into_checked()?;
        let ring = keys.into_keys(scheme.0.secret_format)?;
        let keys =
            ring.iter().map(|key| (Keyed::new(scheme.0.algorithm, key.secret()), key.secret().clone())).collect();
        Ok(Self { scheme, keys })
    }

    /// The headers that sign the request: signature, timestamp and id, as the scheme has them.
    ///
    /// # Errors
    ///
    /// When something that the scheme signs is missing (the id, a header, a value in the body), could be taken for
    /// something else (an id with the separator in it), or is not a valid header value.
    pub fn sign(&self, request: &Outgoing<'_>) -> Result<HeaderMap, ConfigError> {
        let plan = &*self.scheme.0;
        let refuse = |why: &str| ConfigError::scheme(&plan.name, why);
        let uri: Uri = request.url.parse().map_err(|_| ConfigError::invalid("URL", request.url, "not a URL"))?;
        let url = PublicUrl::Exact(request.url.into());

        let mut made = HeaderMap::new();
        let mut fields = Vec::new();
        let timestamp = match &plan.timestamp {
            None | Some((Place::Json(_), _)) => None,
            Some((place, format)) => Some((place, format.write(request.now))),
        };
        if let Some((place, text)) = &timestamp {
            place.put(text, &mut made, &mut fields)?;
        }
        let id = match (&plan.id, request.id) {
            (Some(Signed { is_signed: true, .. }), Some(id)) if !plan.is_id(id) => {
                return Err(ConfigError::invalid(
                    "delivery id",
                    id,
                    "too long, or of characters that ids must not hold",
                ));
            }
            (Some(Signed { what, .. }), Some(id)) => {
                what.put(id, &mut made, &mut fields)?;
                Some(id)
            }
            _ => None,
        };

        let mut headers = request.headers.cloned().unwrap_or_default();
        headers.extend(made.clone());
        let facts = Facts {
            head: Head { method: request.method, uri: &uri, headers: &headers },
            family: Family::First,
            timestamp: timestamp.as_ref().map(|(_, text)| &**text),
            id,
            url: Some(&url),
        };
        let mut signatures = Vec::new();
        for (keyed, secret) in &self.keys {
            let mut mac = keyed.clone();
            plan.message
                .write(facts, request.body, |part| mac.update(part))
                .map_err(|rejection| refuse(&format!("cannot sign: {rejection}")))?;
            signatures.push(match mac.finish_encoded(plan.encoding) {
                Some(signature) => signature,
                None => String::from_utf8(secret.expose().to_vec()).map_err(|_| refuse("the token is not text"))?,
            });
        }
        let mut signature = header_value("signature", &plan.signature_header(&fields, &signatures))?;
        signature.set_sensitive(true);
        made.insert(plan.signature.name(Family::First).clone(), signature);
        Ok(made)
    }
}

impl fmt::Debug for Signer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Signer").field("provider", &self.scheme.name()).finish_non_exhaustive()
    }
}

impl Place {
    /// Writes a value where verifiers look for it.
    fn put(
        &self,
        text: &str,
        headers: &mut HeaderMap,
        fields: &mut Vec<(Box<str>, String)>,
    ) -> Result<(), ConfigError> {
        match self {
            Self::Header(header) => {
                headers.insert(header.name(Family::First).clone(), header_value("header", text)?);
            }
            Self::Field(name) => fields.push((name.clone(), text.to_owned())),
            // The body is the caller's.
            Self::Json(_) => {}
        }
        Ok(())
    }
}

impl Plan {
    fn signature_header(&self, fields: &[(Box<str>, String)], signatures: &[String]) -> String {
        let first = signatures.first().map_or("", String::as_str);
        match &self.grammar {
            OwnedGrammar::Bare => first.to_owned(),
            OwnedGrammar::Prefixed(prefix) => format!("{prefix}{first}"),
            OwnedGrammar::Fields { separator, name } => {
                let fields = fields.iter().map(|(name, value)| format!("{name}={value}"));
                let items = fields.chain(signatures.iter().map(|signature| format!("{name}={signature}")));
                items.collect::<Vec<_>>().join(&separator.to_string())
            }
            OwnedGrammar::Versions { prefix } => {
                signatures.iter().map(|signature| format!("{prefix}{signature}")).collect::<Vec<_>>().join(" ")
            }
        }
    }
}

fn header_value(what: &'static str, text: &str) -> Result<HeaderValue, ConfigError> {
    HeaderValue::from_str(text).map_err(|_| ConfigError::invalid(what, "…", "holds characters that headers must not"))
}
