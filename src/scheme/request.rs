//! A request as far as signatures are concerned.

use std::{borrow::Cow, fmt};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, Method, Uri, request::Parts};

use super::{
    form,
    headers::{Family, only_text},
    json::{self, Pointer, find_any},
    message::decode,
    place::Place,
    plan::{OwnedGrammar, Plan, PublicUrl},
};
use crate::Rejection;

/// The head of a request, as far as signatures are concerned.
#[derive(Clone, Copy)]
pub struct Head<'r> {
    /// The method.
    pub method: &'r Method,
    /// The target as it came: path and query, undecoded.
    pub uri: &'r Uri,
    /// The headers.
    pub headers: &'r HeaderMap,
}

impl<'r> From<&'r Parts> for Head<'r> {
    fn from(parts: &'r Parts) -> Self {
        Self { method: &parts.method, uri: &parts.uri, headers: &parts.headers }
    }
}

impl fmt::Debug for Head<'_> {
    /// Names headers, but does not show them: one of them may be a token.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { method, uri, headers } = self;
        f.debug_struct("Head")
            .field("method", method)
            .field("path", &uri.path())
            .field("headers", &headers.keys().collect::<Vec<_>>())
            .finish()
    }
}

impl<'r> Head<'r> {
    /// Path and query.
    pub(super) fn target(&self) -> &'r str {
        self.uri.path_and_query().map_or("/", |target| target.as_str())
    }
}

/// A request whose signed content is being written: what [`Canonical`](super::Canonical) code is given.
#[derive(Clone)]
pub struct SignedRequest<'r> {
    pub(super) head: Head<'r>,
    pub(super) plan: &'r Plan,
    pub(super) family: Family,
    /// Empty as long as the body has not come.
    pub(super) body: &'r [u8],
    pub(super) url: Option<&'r PublicUrl>,
    pub(super) parameters: &'r Parameters,
    pub(super) secret: &'r [u8],
    /// What stands where the signature is.
    pub(super) signature: Option<Cow<'r, str>>,
    pub(super) timestamp: Option<Cow<'r, str>>,
    pub(super) id: Option<Cow<'r, str>>,
    #[cfg(feature = "jwt")]
    pub(super) claims: Option<&'r serde_json::Value>,
}

/// Names and values of a form.
pub type FormFields<'r> = Vec<(Cow<'r, str>, Cow<'r, str>)>;

/// What only the owner of an endpoint knows, by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Parameters(pub(super) Vec<(Box<str>, Box<str>)>);

impl Parameters {
    pub(super) fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| **known == *name).map(|(_, value)| &**value)
    }
}

impl<'r> SignedRequest<'r> {
    /// The method.
    pub fn method(&self) -> &'r Method {
        self.head.method
    }

    /// Path and query, as they came.
    pub fn target(&self) -> &'r str {
        self.head.target()
    }

    /// The path, as it came.
    pub fn path(&self) -> &'r str {
        self.head.uri.path()
    }

    /// The query, as it came; empty if there is none.
    pub fn query(&self) -> &'r str {
        self.head.uri.query().unwrap_or_default()
    }

    /// All headers.
    pub fn headers(&self) -> &'r HeaderMap {
        self.head.headers
    }

    /// The only value of a header.
    ///
    /// # Errors
    ///
    /// If there are several, or it is too long or not visible ASCII.
    pub fn header(&self, name: &str) -> Result<Option<&'r str>, Rejection> {
        match HeaderName::from_bytes(name.as_bytes()) {
            Ok(name) => only_text(self.head.headers, &name),
            Err(_) => Ok(None),
        }
    }

    /// The public URL that the sender called.
    ///
    /// # Errors
    ///
    /// [`Rejection::Misconfigured`] if none was configured.
    pub fn url(&self) -> Result<Cow<'r, str>, Rejection> {
        match self.url {
            Some(PublicUrl::Exact(url)) => Ok(Cow::Borrowed(url)),
            Some(PublicUrl::Origin(origin)) => Ok(Cow::Owned([origin, self.target()].concat())),
            None => Err(Rejection::Misconfigured { why: "the scheme signs the URL, and no public one was configured" }),
        }
    }

    /// The body.
    pub fn body(&self) -> &'r [u8] {
        self.body
    }

    /// A string, number or boolean in the JSON body; nothing if an object on the way has the key twice.
    pub fn json(&self, pointer: &str) -> Option<Cow<'r, str>> {
        json::find_only(self.body, &Pointer::new(pointer).ok()?)
    }

    /// A parameter of the query, decoded.
    ///
    /// # Errors
    ///
    /// If it is there twice, or not UTF-8.
    pub fn query_value(&self, name: &str) -> Result<Option<Cow<'r, str>>, Rejection> {
        form::only(form_urlencoded::parse(self.query().as_bytes()), name)
    }

    /// A field of the form body, decoded.
    ///
    /// # Errors
    ///
    /// If it is there twice, or not UTF-8.
    pub fn form_value(&self, name: &str) -> Result<Option<Cow<'r, str>>, Rejection> {
        form::value(self.head.headers, self.body, name)
    }

    /// A string, number or boolean in a field of the form body that is JSON; nothing if an object on the way has the key twice.
    ///
    /// # Errors
    ///
    /// As [`form_value`](Self::form_value).
    pub fn form_json(&self, field: &str, pointer: &str) -> Result<Option<Cow<'r, str>>, Rejection> {
        let Ok(pointer) = Pointer::new(pointer) else { return Ok(None) };
        self.only_value(&Place::FormJson(field.into(), [pointer].into()))
    }

    /// All fields of a form body (`application/x-www-form-urlencoded`), decoded, as they came.
    ///
    /// # Errors
    ///
    /// If there are too many, or some are not UTF-8.
    pub fn form(&self) -> Result<FormFields<'r>, Rejection> {
        form::all(self.head.headers, self.body)
    }

    /// What was configured under this name.
    pub fn parameter(&self, name: &str) -> Option<&'r str> {
        self.parameters.get(name)
    }

    /// The secret, for algorithms that are no MAC; empty for others.
    pub fn secret(&self) -> &'r [u8] {
        self.secret
    }

    /// The signed time, as it was sent.
    pub fn timestamp(&self) -> Option<&str> {
        self.timestamp.as_deref()
    }

    /// An item beside the signature.
    ///
    /// # Errors
    ///
    /// If it is there twice.
    pub fn field(&self, name: &str) -> Result<Option<Cow<'r, str>>, Rejection> {
        match &self.signature {
            None => Ok(None),
            Some(Cow::Borrowed(text)) => self.plan.grammar.field(text, name),
            Some(Cow::Owned(text)) => {
                Ok(self.plan.grammar.field(text, name)?.map(|value| Cow::Owned(value.into_owned())))
            }
        }
    }

    /// What is at `place`.
    pub(super) fn value(&self, place: &Place) -> Result<Option<Cow<'r, str>>, Rejection> {
        match place {
            Place::Header(header) => Ok(header.text(self.head.headers, self.family)?.map(Cow::Borrowed)),
            Place::Field(name) => self.field(name),
            Place::Json(pointers) => Ok(find_any(self.body, pointers)),
            Place::JsonEach(list, item) => json::find_common(self.body, list, item),
            Place::Query(name) => self.query_value(name),
            Place::Form(name) => self.form_value(name),
            Place::FormJson(name, pointers) => Ok(match self.form_value(name)? {
                None => None,
                Some(Cow::Borrowed(json)) => find_any(json.as_bytes(), pointers),
                Some(Cow::Owned(json)) => {
                    find_any(json.as_bytes(), pointers).map(|value| Cow::Owned(value.into_owned()))
                }
            }),
            Place::Body => Ok(str::from_utf8(self.body).ok().map(Cow::Borrowed)),
            #[cfg(feature = "jwt")]
            Place::Claim(pointer) => Ok(self.claims.and_then(|claims| super::token::claim(claims, pointer))),
            #[cfg(not(feature = "jwt"))]
            Place::Claim(_) => Ok(None),
        }
    }

    /// As [`value`](Self::value), but nothing if the body holds it twice: two readers would see two values, of which one was not signed.
    pub(super) fn only_value(&self, place: &Place) -> Result<Option<Cow<'r, str>>, Rejection> {
        match place {
            Place::Json(pointers) => Ok(pointers.iter().find_map(|pointer| json::find_only(self.body, pointer))),
            Place::FormJson(name, pointers) => {
                let only = |json: &'r [u8]| pointers.iter().find_map(|pointer| json::find_only(json, pointer));
                Ok(match self.form_value(name)? {
                    None => None,
                    Some(Cow::Borrowed(json)) => only(json.as_bytes()),
                    Some(Cow::Owned(json)) => {
                        let found = pointers.iter().find_map(|pointer| json::find_only(json.as_bytes(), pointer));
                        found.map(|value| Cow::Owned(value.into_owned()))
                    }
                })
            }
            place => self.value(place),
        }
    }

    /// What stands at a place where a signature may be, ready for its grammar.
    pub(super) fn signature_at(&self, place: &Place) -> Result<Option<Cow<'r, str>>, Rejection> {
        let text = self.only_value(place)?;
        if !matches!(self.plan.grammar, OwnedGrammar::Base64Json { .. }) {
            return Ok(text);
        }
        let json = text.and_then(|text| String::from_utf8(STANDARD.decode(&*text).ok()?).ok());
        Ok(json.map(Cow::Owned))
    }

    /// Writes the public URL, with some escapes undone.
    pub(super) fn write_url(
        &self,
        decoding: &str,
        is_forbidden: impl Fn(&str) -> bool,
        sink: &mut dyn FnMut(&[u8]),
    ) -> Result<(), Rejection> {
        match self.url {
            Some(PublicUrl::Origin(origin)) => {
                // What must not be in the URL is about the part that the request chooses.
                let target = decode(self.target(), decoding);
                if is_forbidden(&target) {
                    return Err(Rejection::AmbiguousMessage);
                }
                sink(origin.as_bytes());
                sink(target.as_bytes());
            }
            _ => sink(decode(&self.url()?, decoding).as_bytes()),
        }
        Ok(())
    }
}

impl fmt::Debug for SignedRequest<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignedRequest")
            .field("head", &self.head)
            .field("body_len", &self.body.len())
            .finish_non_exhaustive()
    }
}
