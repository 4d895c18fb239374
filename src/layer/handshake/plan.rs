//! A handshake, checked and ready to answer.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderName, Method, StatusCode};
use sha2::{Digest, Sha256};

use crate::{
    ConfigError, Rejection,
    handshake::{Alphabet, Handshake, LINKEDIN, Mark, Member, Needs, Reply, X_CRC},
    key::{Secret, Tag, first_match},
    layer::Refusal,
    scheme::{Head, Pointer, Source, find_in_json, header_text},
};

/// A challenge beyond this is none: answers must be cheap to give, and not worth asking for.
const LONGEST: usize = 4096;

#[derive(Clone)]
pub(super) struct Plan {
    handshake: Handshake,
    method: Method,
    marks: Vec<Test>,
    challenge: Option<Place>,
    known: Known,
}

#[derive(Clone)]
enum Test {
    Is(Place, &'static str),
    Absent(Place),
}

#[derive(Clone)]
enum Place {
    Header(HeaderName),
    Query(&'static str),
    Json(Pointer),
}

#[derive(Clone)]
enum Known {
    Nothing,
    // Boxed, as few handshakes have one.
    Key(Box<Hmac<Sha256>>),
    /// One of these values must be there. Digests are kept, so that not even a token's length shows in the time taken.
    OneOf(Place, Vec<Tag>),
}

/// What a request is to a handshake.
pub(super) enum Asked {
    /// Something else.
    Nothing,
    /// This is the answer.
    Answer(Refusal),
    /// It is one, and is not answered as it wishes.
    Refused(Refusal),
    /// The body tells.
    InBody,
}

impl Plan {
    /// # Errors
    ///
    /// If the handshake makes no sense, or is not given what it needs.
    pub(super) fn wants_no_bodies(&self) -> bool {
        self.handshake.wants_no_bodies
    }

    pub(super) fn new(handshake: Handshake, given: &[&str]) -> Result<Self, ConfigError> {
        let invalid = |why| ConfigError::invalid("handshake", handshake.name, why);
        let challenge = handshake.challenge.map(|source| Place::new(&handshake, source)).transpose()?;
        let marks = handshake.marks.iter().map(|mark| {
            Ok(match mark {
                Mark::Is(source, value) => Test::Is(Place::new(&handshake, *source)?, value),
                Mark::Absent(source) => Test::Absent(Place::new(&handshake, *source)?),
            })
        });
        let marks = marks.collect::<Result<Vec<_>, ConfigError>>()?;
        check(&handshake)?;
        let known = Known::new(&handshake, given)?;
        let method =
            Method::from_bytes(handshake.method.as_bytes()).map_err(|_| invalid("not the name of a method"))?;
        Ok(Self { handshake, method, marks, challenge, known })
    }

    pub(super) fn name(&self) -> &'static str {
        self.handshake.name
    }

    /// Whether anyone can have this very body signed by the handshake, with the key that signs deliveries.
    pub(super) fn signs_for_anyone(&self, body: &[u8]) -> bool {
        matches!(self.known, Known::Key(_))
            && !self.handshake.is_signed
            && self.handshake.alphabet.spells(body, self.handshake.longest)
    }

    /// Judges an unsigned request by its head.
    pub(super) fn ask(&self, head: Head<'_>) -> Asked {
        if *head.method != self.method || self.handshake.is_signed {
            return Asked::Nothing;
        }
        if matches!(self.challenge, Some(Place::Json(_))) {
            return match self.is_marked(head, &[]) {
                Ok(true) => Asked::InBody,
                _ => Asked::Nothing,
            };
        }
        self.judge(head, &[])
    }

    /// Judges a request that was verified.
    pub(super) fn ask_verified(&self, head: Head<'_>, body: &[u8]) -> Asked {
        if *head.method != self.method || !self.handshake.is_signed {
            return Asked::Nothing;
        }
        self.judge(head, body)
    }

    /// Judges the body of an unsigned request, which must be the challenge and nothing else: a delivery that has a member of that name
    /// is no handshake.
    pub(super) fn ask_body(&self, head: Head<'_>, body: &[u8]) -> Refusal {
        let (Some(place), Some(Source::Json(pointer))) = (&self.challenge, self.handshake.challenge) else {
            return Rejection::MissingSignature.into();
        };
        let Ok(Some(challenge)) = place.find(head, body) else { return Rejection::MissingSignature.into() };
        let bare: Vec<u8> = body.iter().copied().filter(|byte| !byte.is_ascii_whitespace()).collect();
        if bare != format!(r#"{{"{}":"{challenge}"}}"#, &pointer[1..]).as_bytes() {
            return Rejection::MissingSignature.into();
        }
        match self.handshake.alphabet.spells(challenge.as_bytes(), self.handshake.longest) {
            true => self.answer(&challenge),
            false => Rejection::MalformedChallenge.into(),
        }
    }

    fn judge(&self, head: Head<'_>, body: &[u8]) -> Asked {
        match self.try_judge(head, body) {
            Ok(asked) => asked,
            // A delivery whose signature is good is for the handler to read, even if it looks like a strange handshake.
            Err(_) if self.handshake.is_signed => Asked::Nothing,
            Err(rejection) => Asked::Refused(rejection.into()),
        }
    }

    /// # Errors
    ///
    /// If the request is a handshake, but not one that is answered.
    fn try_judge(&self, head: Head<'_>, body: &[u8]) -> Result<Asked, Rejection> {
        if !self.is_marked(head, body)? {
            return Ok(Asked::Nothing);
        }
        let challenge = match &self.challenge {
            None => None,
            Some(place) => match place.find(head, body)? {
                Some(challenge) => Some(challenge),
                None => return Ok(Asked::Nothing),
            },
        };
        // Before anything else is said of the challenge: whoever has no token learns nothing.
        if let Known::OneOf(place, expected) = &self.known {
            let found = place.find(head, body)?.unwrap_or_default();
            if first_match(expected, tag(found.as_bytes()).as_slice(), |_| true).is_none() {
                return match self.handshake.needs {
                    Needs::Topic(_) => Ok(Asked::Refused(Refusal::answer(StatusCode::NOT_FOUND, ""))),
                    _ => Err(Rejection::UnexpectedHandshake),
                };
            }
        }
        let challenge = challenge.unwrap_or_default();
        if self.challenge.is_some() && !self.handshake.alphabet.spells(challenge.as_bytes(), self.handshake.longest) {
            return Err(Rejection::MalformedChallenge);
        }
        Ok(Asked::Answer(self.answer(&challenge)))
    }

    fn is_marked(&self, head: Head<'_>, body: &[u8]) -> Result<bool, Rejection> {
        for test in &self.marks {
            let holds = match test {
                Test::Is(place, value) => place.find(head, body)?.is_some_and(|found| found == *value),
                Test::Absent(place) => place.find(head, body)?.is_none(),
            };
            if !holds {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The answer to a challenge, in which there is nothing to escape.
    fn answer(&self, challenge: &str) -> Refusal {
        match self.handshake.reply {
            Reply::Text => Refusal::answer(StatusCode::OK, challenge.to_owned()),
            Reply::Literal(text) => Refusal::json(StatusCode::OK, Bytes::from_static(text.as_bytes())),
            Reply::Status(status) => {
                Refusal::json(StatusCode::from_u16(status).unwrap_or(StatusCode::OK), Bytes::new())
            }
            Reply::Json(members) => {
                let mut text = String::from("{");
                for (index, (name, member)) in members.iter().enumerate() {
                    let comma = if index == 0 { "" } else { "," };
                    let value = match member {
                        Member::Challenge => Cow::Borrowed(challenge),
                        Member::HmacSha256Hex => base16ct::lower::encode_string(&self.sign(challenge)).into(),
                        Member::HmacSha256Base64 => format!("sha256={}", STANDARD.encode(self.sign(challenge))).into(),
                    };
                    text.push_str(&format!(r#"{comma}"{name}":"{value}""#));
                }
                text.push('}');
                Refusal::json(StatusCode::OK, text)
            }
        }
    }

    fn sign(&self, challenge: &str) -> Vec<u8> {
        match &self.known {
            Known::Key(key) => (**key).clone().chain_update(challenge).finalize().into_bytes().to_vec(),
            _ => Vec::new(),
        }
    }
}

/// Whether what it signs for anyone has been held against what its providers sign.
fn is_examined(handshake: &Handshake) -> bool {
    [X_CRC, LINKEDIN].iter().any(|known| {
        let is_same = known.name == handshake.name && known.providers == handshake.providers;
        is_same && known.alphabet == handshake.alphabet && known.longest >= handshake.longest
    })
}

/// # Errors
///
/// If deliveries could be taken for the handshake, or its answers for more than answers.
fn check(handshake: &Handshake) -> Result<(), ConfigError> {
    let Handshake { is_signed, marks, challenge, alphabet, longest, needs, reply, .. } = *handshake;
    let is_in_body = |mark: &Mark| matches!(mark, Mark::Is(Source::Json(_), _) | Mark::Absent(Source::Json(_)));
    let is_lacking = |mark: &Mark| matches!(mark, Mark::Absent(Source::Header(_)));
    let is_nested = |pointer: &str| pointer.strip_prefix('/').is_none_or(|name| name.contains(['/', '~']));
    let members = match reply {
        Reply::Json(members) => members,
        _ => &[],
    };
    let is_keyed = members.iter().any(|(_, member)| *member != Member::Challenge);
    let why = match challenge {
        None if is_signed && marks.is_empty() => "every delivery would be one",
        None if !is_signed && handshake.method != "HEAD" => {
            "without a challenge or a signature, every request would be one"
        }
        None if reply == Reply::Text || !members.is_empty() => "there is no challenge to answer with",
        _ if !is_signed && marks.iter().any(is_in_body) => "what marks it must be in the head, as nobody signs it",
        Some(Source::Json(_)) if !is_signed && !marks.iter().any(is_lacking) => {
            "its body can be read only if a header is absent that deliveries have"
        }
        Some(Source::Json(pointer)) if !is_signed && is_nested(pointer) => {
            "the challenge must be a member of the body itself, as nobody signs it"
        }
        _ if longest > LONGEST => "a challenge of more than 4096 bytes",
        _ if is_keyed != (needs == Needs::SigningSecret) => {
            "the signing secret is needed for a HMAC, and for nothing else"
        }
        _ if is_keyed && alphabet == Alphabet::Text => {
            "text that may be signed for anyone must not be what a delivery could be"
        }
        _ if is_keyed && !is_signed && !is_examined(handshake) => {
            "what anyone can have signed could be a part of a delivery's signed content, unless the catalogue has it"
        }
        _ if matches!(reply, Reply::Status(status) if StatusCode::from_u16(status).is_err()) => {
            "its answer has no valid status"
        }
        _ => return Ok(()),
    };
    Err(ConfigError::invalid("handshake", handshake.name, why))
}

impl Known {
    fn new(handshake: &Handshake, given: &[&str]) -> Result<Self, ConfigError> {
        let (source, name) = match (handshake.needs, given) {
            (Needs::Nothing, []) => return Ok(Self::Nothing),
            (Needs::Nothing, _) => {
                return Err(ConfigError::invalid("handshake", handshake.name, "it needs nothing to be answered"));
            }
            (Needs::SigningSecret, [secret]) => {
                let secret = Secret::text(secret)?;
                #[expect(clippy::expect_used, reason = "HMAC takes keys of every length (RFC 2104 section 2)")]
                let key = Hmac::new_from_slice(secret.expose()).expect("HMAC takes keys of every length");
                return Ok(Self::Key(Box::new(key)));
            }
            (Needs::SigningSecret, [_, ..]) => {
                return Err(ConfigError::invalid("handshake", handshake.name, "only one secret can sign an answer"));
            }
            (Needs::SigningSecret, []) => (None, "signing secret"),
            (Needs::VerifyToken(source), _) => (Some(source), "verify token"),
            (Needs::Topic(source), _) => (Some(source), "topic"),
        };
        let Some(source) = source.filter(|_| !given.is_empty()) else {
            return Err(ConfigError::MissingParameter { scheme: handshake.name.to_owned(), name: name.to_owned() });
        };
        let place = Place::new(handshake, source)?;
        // What would be no secret would be no token either.
        let tags = given.iter().map(|text| Secret::text(text).map(|secret| tag(secret.expose())));
        let tags: Vec<Option<Tag>> = tags.collect::<Result<_, _>>()?;
        Ok(Self::OneOf(place, tags.into_iter().flatten().collect()))
    }
}

fn tag(text: &[u8]) -> Option<Tag> {
    Tag::new(&Sha256::digest(text))
}

impl Place {
    fn new(handshake: &Handshake, source: Source<'static>) -> Result<Self, ConfigError> {
        let invalid = |why| ConfigError::invalid("handshake", handshake.name, why);
        Ok(match source {
            Source::Header(name) => {
                Self::Header(HeaderName::from_bytes(name.as_bytes()).map_err(|_| invalid("not a valid header name"))?)
            }
            Source::Query(name) => Self::Query(name),
            Source::Json(pointer) => Self::Json(Pointer::new(pointer)?),
            _ => return Err(invalid("values are in headers, in the query or in a JSON body")),
        })
    }

    /// # Errors
    ///
    /// If it is there twice: which of two counts differs from one reader to the next.
    fn find<'r>(&self, head: Head<'r>, body: &'r [u8]) -> Result<Option<Cow<'r, str>>, Rejection> {
        match self {
            Self::Json(pointer) => Ok(find_in_json(body, std::slice::from_ref(pointer))),
            Self::Query(name) => {
                let query = head.uri.query().unwrap_or_default();
                let mut values = form_urlencoded::parse(query.as_bytes()).filter(|(key, _)| key == name);
                match (values.next(), values.next()) {
                    (_, Some(_)) => Err(Rejection::DuplicateField),
                    (found, None) => Ok(found.map(|(_, value)| value)),
                }
            }
            Self::Header(name) => {
                let mut values = head.headers.get_all(name).iter();
                match (values.next(), values.next()) {
                    (_, Some(_)) => Err(Rejection::DuplicateHeader { header: name.clone() }),
                    (None, None) => Ok(None),
                    (Some(value), None) => match header_text(value) {
                        Some(text) => Ok(Some(Cow::Borrowed(text))),
                        None => Err(Rejection::MalformedHeader { header: name.clone() }),
                    },
                }
            }
        }
    }
}
