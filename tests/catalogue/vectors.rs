//! Vectors: requests whose verdict was given by somebody else; see `tests/vectors/README.md`.

use std::{collections::BTreeMap, env, fs, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use tower_webhook::{
    ConfigError, Delivery, Rejection,
    clock::UnixTime,
    key::{Key, KeyRing, PublicKey, Secret},
    provider,
    scheme::{
        Algorithm, Encoding, Grammar, Head, Outgoing, Part, Scheme, Source, TimestampFormat, Verifier, VerifierBuilder,
    },
};

use crate::keys;

#[derive(Clone)]
pub(crate) struct Vector {
    pub(crate) name: String,
    pub(crate) origin: String,
    pub(crate) source: String,
    keys: Vec<(Option<String>, String)>,
    parameters: BTreeMap<String, String>,
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    pub(crate) body: Bytes,
    pub(crate) now: Option<u64>,
    pub(crate) expect: String,
    pub(crate) id: Option<String>,
    pub(crate) event: Option<String>,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) method: Method,
    pub(crate) uri: Uri,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
    pub(crate) now: UnixTime,
}

/// Each provider with its vectors; a provider without a file has none to prove it, and fails.
pub(crate) fn catalogue() -> Vec<(&'static Scheme<'static>, Vec<Vector>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    let only = env::var("CATALOGUE_ONLY").ok();
    let is_wanted = |name: &str| only.as_ref().is_none_or(|only| only.split(',').any(|wanted| wanted == name));
    provider::ALL
        .iter()
        .filter(|scheme| is_wanted(scheme.name))
        .map(|scheme| {
            let path = folder.join(format!("{}.json", scheme.name));
            let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let file: serde_json::Value =
                serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            assert_eq!(file["provider"], scheme.name);
            let vectors = file["vectors"].as_array().unwrap().iter();
            (scheme, vectors.map(|vector| parse(scheme.name, vector)).collect())
        })
        .collect()
}

fn parse(provider: &str, value: &serde_json::Value) -> Vector {
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    let needed = |name: &str| text(name).unwrap_or_else(|| panic!("{provider}: `{name}` is missing in {value}"));
    let body = match value.get("body_base64").and_then(serde_json::Value::as_str) {
        Some(encoded) => STANDARD.decode(encoded).unwrap().into(),
        None => needed("body").into(),
    };
    let pairs = |name: &str| {
        let object = value.get(name).and_then(serde_json::Value::as_object);
        let pairs = object.into_iter().flatten();
        pairs.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect::<Vec<_>>()
    };
    let keys = match value.get("keys").and_then(serde_json::Value::as_array) {
        Some(keys) => keys
            .iter()
            .map(|key| (key["id"].as_str().map(str::to_owned), key["key"].as_str().unwrap().to_owned()))
            .collect(),
        None => vec![(None, needed("secret"))],
    };
    Vector {
        name: needed("name"),
        origin: needed("origin"),
        source: needed("source"),
        keys,
        parameters: pairs("parameters").into_iter().collect(),
        method: needed("method"),
        url: needed("url"),
        headers: pairs("headers"),
        body,
        now: value["now"].as_u64(),
        expect: needed("expect"),
        id: text("id"),
        event: text("event"),
    }
}

impl Vector {
    pub(crate) fn verifier(&self, scheme: &Scheme<'static>) -> Verifier {
        let label = format!("{}: {}", scheme.name, self.name);
        let built = match self.keys.as_slice() {
            [(None, key)] => self.builder(scheme).build(key.as_str()),
            keys => {
                let is_secret = keys.iter().any(|(_, key)| PublicKey::parse(key).is_err());
                let key = |(id, key): &(Option<String>, String)| {
                    let key = match is_secret {
                        true => Key::new(Secret::parse(key, scheme.secret_format)?),
                        false => Key::public(PublicKey::parse(key)?),
                    };
                    Ok::<_, ConfigError>(match id {
                        Some(id) => key.with_id(id.as_str()),
                        None => key,
                    })
                };
                let ring = keys.iter().map(key).collect::<Result<Vec<_>, _>>().and_then(KeyRing::new);
                self.builder(scheme).build(ring.unwrap_or_else(|error| panic!("{label}: {error}")))
            }
        };
        built.unwrap_or_else(|error| panic!("{label}: {error}"))
    }

    /// A verifier with a key of the same kind that is not the one that signed.
    pub(crate) fn with_other_key(&self, scheme: &Scheme<'static>) -> Verifier {
        keys::others()
            .iter()
            .find_map(|key| self.builder(scheme).build(key.as_str()).ok())
            .unwrap_or_else(|| panic!("{} takes no other key", scheme.name))
    }

    fn builder(&self, scheme: &Scheme<'static>) -> VerifierBuilder {
        let url: Uri = self.url.parse().unwrap();
        let origin = format!("{}://{}", url.scheme_str().unwrap(), url.authority().unwrap());
        let builder = Verifier::builder(scheme).public_origin(origin);
        self.parameters.iter().fold(builder, |builder, (name, value)| builder.parameter(name, value.as_str()))
    }

    pub(crate) fn headers(&self) -> HeaderMap {
        let pairs = self.headers.iter();
        pairs
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    pub(crate) fn request(&self) -> Request {
        let url: Uri = self.url.parse().unwrap();
        Request {
            method: self.method.parse().unwrap(),
            uri: url.path_and_query().unwrap().as_str().parse().unwrap(),
            headers: self.headers(),
            body: self.body.clone(),
            now: UnixTime::from_secs(self.now.unwrap_or(1_800_000_000)),
        }
    }

    pub(crate) fn verify(&self, scheme: &Scheme<'static>) -> Result<Delivery, Rejection> {
        self.request().verify(&self.verifier(scheme))
    }

    /// What our own signer makes of it; nothing if it cannot sign by this scheme.
    pub(crate) fn sign(&self, scheme: &Scheme<'static>, now: UnixTime) -> Option<HeaderMap> {
        let headers = self.headers();
        let method = self.method.parse().unwrap();
        let request = Outgoing {
            method: &method,
            headers: Some(&headers),
            id: self.id.as_deref(),
            now,
            ..Outgoing::post(&self.url, &self.body)
        };
        let [(None, secret)] = self.keys.as_slice() else { return None };
        let signer = match scheme.signer(secret.as_str()) {
            Err(ConfigError::WrongKind { .. }) => return None,
            signer => signer.unwrap(),
        };
        Some(signer.sign(&request).unwrap_or_else(|error| panic!("{}: {}: {error}", scheme.name, self.name)))
    }

    /// The signature that is good, as it stands in the request.
    pub(crate) fn signature_text(&self, scheme: &Scheme<'static>) -> Option<String> {
        let request = self.request();
        let place = request.signature_place(scheme)?;
        let text = request.text_at(&place)?;
        let candidates: Vec<String> = match scheme.signature.grammar {
            Grammar::Bare => return Some(text),
            Grammar::Prefixed(prefix) => return text.strip_prefix(prefix).map(str::to_owned),
            Grammar::MaybePrefixed(prefix) => return Some(text.strip_prefix(prefix).unwrap_or(&text).to_owned()),
            Grammar::Fields { separator, name } => items(&text, separator, &format!("{name}=")),
            Grammar::AnyField { separator, names } => {
                names.iter().flat_map(|name| items(&text, separator, &format!("{name}="))).collect()
            }
            Grammar::Versions { prefix } => items(&text, ' ', prefix),
            Grammar::TimeFirst { separator } => {
                text.split(separator).skip(1).map(|item| item.trim().to_owned()).collect()
            }
            _ => return None,
        };
        let is_good = |candidate: &String| {
            let others = candidates.iter().filter(|other| other != &candidate);
            let alone = others.fold(text.clone(), |text, other| text.replace(other.as_str(), ""));
            request.with_text(&place, &text, &alone).verify(&self.verifier(scheme)).is_ok()
        };
        candidates.iter().find(|candidate| is_good(candidate)).cloned()
    }
}

fn items(text: &str, separator: char, prefix: &str) -> Vec<String> {
    text.split(separator).filter_map(|item| item.trim().strip_prefix(prefix)).map(str::to_owned).collect()
}

/// Where a text stands that tests change.
#[derive(Clone, Debug)]
pub(crate) enum Spot {
    Header(HeaderName),
    Query(&'static str),
    Body,
}

impl Request {
    pub(crate) fn verify(&self, verifier: &Verifier) -> Result<Delivery, Rejection> {
        let head = Head { method: &self.method, uri: &self.uri, headers: &self.headers };
        verifier.verify(head, &self.body, self.now)
    }

    pub(crate) fn signature_place(&self, scheme: &Scheme<'static>) -> Option<Spot> {
        let places = [scheme.signature.place].into_iter().chain(scheme.signature.others.iter().copied());
        let mut spots = places.filter_map(|place| match place {
            Source::Header(name) => {
                let name: HeaderName = name.parse().unwrap();
                let name = if self.headers.contains_key(&name) { name } else { other_family(scheme, &name) };
                self.headers.contains_key(&name).then_some(Spot::Header(name))
            }
            Source::Query(name) => Some(Spot::Query(name)),
            Source::Body => Some(Spot::Body),
            _ => None,
        });
        let spot = spots.next();
        // With a good signature in another header, one that is changed is not missed.
        if spots.next().is_some() { None } else { spot }
    }

    pub(crate) fn text_at(&self, spot: &Spot) -> Option<String> {
        match spot {
            Spot::Header(name) => self.headers.get(name)?.to_str().ok().map(|text| text.trim().to_owned()),
            Spot::Query(name) => {
                let query = self.uri.query()?;
                query.split('&').find_map(|pair| pair.strip_prefix(&format!("{name}="))).map(str::to_owned)
            }
            Spot::Body => String::from_utf8(self.body.to_vec()).ok(),
        }
    }

    pub(crate) fn with_text(&self, spot: &Spot, old: &str, new: &str) -> Self {
        let mut request = self.clone();
        match spot {
            Spot::Header(name) => {
                request.headers.insert(name.clone(), HeaderValue::from_str(new).unwrap());
            }
            Spot::Query(name) => {
                let target = self.uri.to_string().replacen(&format!("{name}={old}"), &format!("{name}={new}"), 1);
                if let Ok(uri) = target.parse() {
                    request.uri = uri;
                }
            }
            Spot::Body => request.body = new.to_owned().into(),
        }
        request
    }

    /// The headers that the signature needs.
    pub(crate) fn headers_of(&self, scheme: &Scheme<'static>) -> Vec<HeaderName> {
        let mut names = Vec::new();
        let mut add = |source| {
            if let Source::Header(name) = source {
                names.push(name);
            }
        };
        if scheme.signature.others.is_empty() {
            add(scheme.signature.place);
        }
        if let Some(timestamp) = scheme.timestamp {
            add(timestamp.source);
        }
        if let (Some(id), true) = (scheme.id, scheme.message.contains(&Part::Id)) {
            add(id);
        }
        for part in scheme.message {
            if let Part::Header(name) = part {
                add(Source::Header(name));
            }
        }
        let names = names.into_iter().map(|name| name.parse::<HeaderName>().unwrap());
        let mut names: Vec<_> = names
            .map(|name| if self.headers.contains_key(&name) { name } else { other_family(scheme, &name) })
            .filter(|name| self.headers.contains_key(name))
            .collect();
        names.dedup();
        names
    }
}

pub(crate) fn other_family(scheme: &Scheme<'static>, name: &HeaderName) -> HeaderName {
    let Some(alternate) = scheme.alternate else { return name.clone() };
    name.as_str().replacen(alternate.prefix, alternate.instead, 1).parse().unwrap()
}

/// Times that can be written in several ways, of which the signer knows one.
pub(crate) fn has_free_time(scheme: &Scheme<'static>) -> bool {
    scheme.timestamp.is_some_and(|timestamp| {
        matches!(
            timestamp.format,
            TimestampFormat::Rfc3339 | TimestampFormat::Rfc3339NoZone | TimestampFormat::UnixSecondsOrMillis
        )
    })
}

/// Signatures that can be written in several ways, of which the signer knows one.
pub(crate) fn has_free_spelling(scheme: &Scheme<'static>) -> bool {
    scheme.encoding == Encoding::HexAny
        || matches!(scheme.signature.grammar, Grammar::MaybePrefixed(_))
        || scheme.algorithm == Algorithm::Basic
}
