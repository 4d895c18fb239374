use std::{borrow::Cow, fmt};

use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};

use super::{
    Algorithm, Head, IntoScheme, SignedRequest,
    headers::Family,
    mac::Keyed,
    place::{Place, Signed},
    plan::{CheckedScheme, OwnedGrammar, Plan, PublicUrl},
    request::Parameters,
};
use crate::{
    ConfigError,
    clock::UnixTime,
    key::{IntoKeys, Material, Secret},
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
        let plan = &scheme.0;
        let refuse = |needed| ConfigError::WrongKind { scheme: plan.name.to_string(), needed };
        let mut keys = Vec::new();
        for key in ring.iter() {
            let Material::Secret(secret) = key.material() else { return Err(refuse("a secret to sign with")) };
            let keyed = Keyed::new(plan.algorithm, secret);
            keys.push((
                keyed.ok_or_else(|| refuse("a private key, with which this crate does not sign yet"))?,
                secret.clone(),
            ));
        }
        let is_foreign = matches!(plan.grammar, OwnedGrammar::Pairs { .. } | OwnedGrammar::Base64Json { .. });
        if !matches!(plan.signature, Place::Header(_))
            || is_foreign
            || plan.signs_fields
            || plan.needed_parameters().next().is_some()
        {
            return Err(refuse("more than a header that can be made from a secret"));
        }
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
            Some((place @ (Place::Header(_) | Place::Field(_)), format)) => Some((place, format.write(request.now))),
            // Elsewhere it is the caller's, as the rest of the URL and the body.
            _ => None,
        };
        if let Some((place, text)) = &timestamp {
            place.put(text, &mut made, &mut fields)?;
        }
        let id = match (&plan.id, request.id) {
            (Some(_), Some(id)) if plan.id_is_part && !plan.is_id(id) => {
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
        let parameters = Parameters::default();
        let mut signed = SignedRequest {
            head: Head { method: request.method, uri: &uri, headers: &headers },
            plan,
            family: Family::First,
            body: request.body,
            url: Some(&url),
            parameters: &parameters,
            secret: &[],
            signature: None,
            timestamp: timestamp.as_ref().map(|(_, text)| Cow::Borrowed(&**text)),
            id: id.map(Cow::Borrowed),
            #[cfg(feature = "jwt")]
            claims: None,
        };
        let put_by_caller = |place: Option<&Place>| match place {
            Some(place @ (Place::Json(_) | Place::Query(_) | Place::Form(_))) => signed.only_value(place),
            _ => Ok(None),
        };
        let unreadable = |rejection| refuse(&format!("cannot sign: {rejection}"));
        let late_timestamp = put_by_caller(plan.timestamp.as_ref().map(|(place, _)| place)).map_err(unreadable)?;
        let late_id = put_by_caller(plan.id.as_ref().map(|id| &id.what)).map_err(unreadable)?;
        signed.timestamp = signed.timestamp.or(late_timestamp);
        signed.id = signed.id.or(late_id);
        let mut signatures = Vec::new();
        for (keyed, secret) in &self.keys {
            let mut mac = keyed.clone();
            plan.message.write(&signed, |part| mac.update(part)).map_err(unreadable)?;
            signatures.push(match mac.finish_encoded(plan.encoding) {
                Some(signature) => signature,
                None if plan.algorithm == Algorithm::Basic => plan.encoding.encode(secret.expose()),
                None => String::from_utf8(secret.expose().to_vec()).map_err(|_| refuse("the token is not text"))?,
            });
        }
        let mut signature = header_value("signature", &plan.signature_header(&fields, &signatures))?;
        signature.set_sensitive(true);
        if let Place::Header(header) = &plan.signature {
            made.insert(header.name(Family::First).clone(), signature);
        }
        Ok(made)
    }

    /// The headers that signing sets, in each of their families: nobody else may.
    pub(crate) fn headers(&self) -> impl Iterator<Item = HeaderName> {
        let plan = &*self.scheme.0;
        let places = [Some(&plan.signature), plan.timestamp.as_ref().map(|(place, _)| place)];
        let places = places.into_iter().chain([plan.id.as_ref().map(|id| &id.what)]).flatten();
        let headers = places.chain(&plan.other_signatures).filter_map(|place| match place {
            Place::Header(header) => Some(header),
            _ => None,
        });
        headers.flat_map(|header| [Family::First, Family::Other].map(|family| header.name(family).clone()))
    }

    /// Whether the signature covers more of the URL than path and query.
    pub(crate) fn signs_url(&self) -> bool {
        self.scheme.0.signs_url()
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
            // URL and body are the caller's.
            _ => {}
        }
        Ok(())
    }
}

impl Plan {
    fn signature_header(&self, fields: &[(Box<str>, String)], signatures: &[String]) -> String {
        let first = signatures.first().map_or("", String::as_str);
        match &self.grammar {
            OwnedGrammar::Bare | OwnedGrammar::MaybePrefixed(_) => first.to_owned(),
            OwnedGrammar::Prefixed(prefix) | OwnedGrammar::AuthScheme(prefix) => format!("{prefix}{first}"),
            OwnedGrammar::Fields { separator, names } => {
                let fields = fields.iter().map(|(name, value)| format!("{name}={value}"));
                let name = names.first().map_or("", |name| &**name);
                let items = fields.chain(signatures.iter().map(|signature| format!("{name}={signature}")));
                items.collect::<Vec<_>>().join(&separator.to_string())
            }
            OwnedGrammar::List { separator } => signatures.join(&separator.to_string()),
            OwnedGrammar::TimeFirst { separator } => {
                let time = fields.iter().map(|(_, value)| value.clone());
                time.chain(signatures.iter().cloned()).collect::<Vec<_>>().join(&separator.to_string())
            }
            // Signers of such schemes are not built.
            OwnedGrammar::Pairs { .. } | OwnedGrammar::Base64Json { .. } => String::new(),
            OwnedGrammar::Versions { prefix } => {
                signatures.iter().map(|signature| format!("{prefix}{signature}")).collect::<Vec<_>>().join(" ")
            }
        }
    }
}

fn header_value(what: &'static str, text: &str) -> Result<HeaderValue, ConfigError> {
    HeaderValue::from_str(text).map_err(|_| ConfigError::invalid(what, "…", "holds characters that headers must not"))
}
