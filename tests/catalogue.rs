//! Every provider of the catalogue against vectors from outside, and against everything an attacker changes.

use std::{collections::BTreeSet, fs, path::Path};

use base64::{Engine, engine::general_purpose::STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri};
use tower_webhook::{
    Delivery, Rejection,
    clock::UnixTime,
    provider,
    scheme::{Grammar, Head, Outgoing, Scheme, Source, Verifier},
};

/// A request whose verdict was given by somebody else; see `vectors/README.md`.
#[derive(Clone)]
struct Vector {
    name: String,
    origin: String,
    source: String,
    secret: String,
    method: String,
    url: String,
    headers: Vec<(String, String)>,
    body: Bytes,
    now: Option<u64>,
    expect: String,
    id: Option<String>,
    event: Option<String>,
}

#[test]
fn every_vector_gets_the_verdict_of_its_source() {
    for (scheme, vectors) in catalogue() {
        for vector in vectors {
            let label = format!("{}: {}", scheme.name, vector.name);
            match (vector.verify(scheme), vector.expect.as_str()) {
                (Ok(delivery), "valid") => {
                    assert_eq!(delivery.id(), vector.id.as_deref(), "{label}");
                    if vector.event.is_some() {
                        assert_eq!(delivery.event(), vector.event.as_deref(), "{label}");
                    }
                    assert_eq!(delivery.provider(), scheme.name);
                }
                (Err(rejection), expected) => {
                    assert_ne!(expected, "valid", "{label}: {rejection}");
                    assert!(rejection.status().is_client_error(), "{label}: {rejection}");
                }
                (Ok(_), expected) => panic!("{label}: accepted, but {expected}"),
            }
        }
    }
}

#[test]
fn every_provider_is_proven_by_somebody_else() {
    for (scheme, vectors) in catalogue() {
        let valid = vectors.iter().filter(|vector| vector.expect == "valid").count();
        assert!(valid >= 2, "{} has {valid} valid vectors", scheme.name);
        assert!(vectors.iter().any(|vector| vector.expect != "valid"), "{} has no invalid vector", scheme.name);
        assert!(vectors.iter().any(|vector| !vector.body.is_ascii()), "{} has no body beyond ASCII", scheme.name);
        for vector in &vectors {
            assert!(["published", "official-code", "computed"].contains(&&*vector.origin), "{}", vector.name);
            assert!(!vector.source.is_empty(), "{}: {} names no source", scheme.name, vector.name);
        }
    }
}

#[test]
fn our_signer_makes_what_the_source_made() {
    for (scheme, vectors) in catalogue() {
        for vector in vectors.iter().filter(|vector| vector.expect == "valid") {
            let Ok(delivery) = vector.verify(scheme) else { continue };
            let signed = vector.sign(scheme, delivery.signed_at().unwrap_or(UnixTime::from_secs(0)));
            let theirs = vector.headers();
            for (name, value) in &signed {
                let is_list = matches!(scheme.signature.grammar, Grammar::Fields { .. } | Grammar::Versions { .. });
                let family = theirs.get(name).or_else(|| theirs.get(other_family(scheme, name)));
                let Some(theirs) = family else { panic!("{}: no {name} in {}", scheme.name, vector.name) };
                // Fractions of a second are the sender's choice, and lists may hold more than our signature.
                let is_date = name.as_str().contains("timestamp") && value.to_str().unwrap().contains('T');
                if !is_list && !is_date && !signed_dates(scheme) {
                    assert_eq!(value, theirs, "{}: {name} of {}", scheme.name, vector.name);
                }
            }
        }
    }
}

#[test]
fn whatever_is_changed_is_refused() {
    for (scheme, vectors) in catalogue() {
        for vector in vectors.iter().filter(|vector| vector.expect == "valid") {
            let verifier = vector.verifier(scheme);
            let genuine = vector.request();
            assert!(genuine.verify(&verifier).is_ok(), "{}: {}", scheme.name, vector.name);
            for (change, request, expected) in tampered(scheme, vector, &genuine) {
                let label = format!("{}: {}: {change}", scheme.name, vector.name);
                let rejection = request.verify(&verifier).err().unwrap_or_else(|| panic!("{label}: accepted"));
                assert!(expected.contains(&rejection.status()), "{label}: {rejection}");
            }
            let other = vector.with_other_secret(scheme);
            assert_eq!(genuine.verify(&other).unwrap_err(), Rejection::SignatureMismatch, "{}: wrong key", scheme.name);
        }
    }
}

#[test]
fn what_a_token_vouches_for_is_told_apart_by_id_and_body() {
    let (scheme, vectors) = catalogue().into_iter().find(|(scheme, _)| scheme.name == "gitlab-token").unwrap();
    let vector = vectors.iter().find(|vector| vector.expect == "valid").unwrap();
    let key = |id: &'static str, body: &'static str| {
        let mut request = Request { body: body.into(), ..vector.request() };
        request.headers.insert("idempotency-key", HeaderValue::from_static(id));
        request.verify(&vector.verifier(scheme)).unwrap().replay_key().unwrap()
    };
    assert_eq!(key("a", "tag pushed"), key("a", "tag pushed"));
    assert_ne!(key("a", "tag pushed"), key("b", "tag pushed"), "the tag was deleted and pushed again");
    assert_ne!(key("a", "tag pushed"), key("a", "tag deleted"));
}

#[test]
fn unsigned_times_do_not_count() {
    let signed: BTreeSet<_> =
        provider::ALL.iter().filter(|scheme| scheme.timestamp.is_some()).map(|scheme| scheme.name).collect();
    let expected = [
        "gitlab-signing-token",
        "hubspot-v3",
        "linear",
        "paddle-billing",
        "slack",
        "standard-webhooks",
        "stripe",
        "svix",
        "twitch",
        "zendesk",
        "zoom",
    ];
    assert_eq!(signed, expected.into());
}

const UNAUTHENTICATED: &[StatusCode] = &[StatusCode::UNAUTHORIZED];
const MALFORMED: &[StatusCode] = &[StatusCode::BAD_REQUEST];
const EITHER: &[StatusCode] = &[StatusCode::UNAUTHORIZED, StatusCode::BAD_REQUEST];

/// The genuine request with one thing changed, and what may be answered.
fn tampered(
    scheme: &Scheme<'static>,
    vector: &Vector,
    genuine: &Request,
) -> Vec<(String, Request, &'static [StatusCode])> {
    let mut all = Vec::new();
    let mut push = |change: String, request: Request, expected| all.push((change, request, expected));
    let header = genuine.signature_header(scheme);
    let text = genuine.headers[&header].to_str().unwrap().to_owned();
    let with_signature = |text: &str| {
        let mut request = genuine.clone();
        request.headers.insert(header.clone(), HeaderValue::from_str(text).unwrap());
        request
    };

    // A token signs nothing, so nothing but the token can be changed.
    let signs_body = !scheme.message.is_empty();
    if signs_body {
        for (change, body) in [
            ("body extended", [&genuine.body, " ".as_bytes()].concat()),
            ("body cut", genuine.body[..genuine.body.len().saturating_sub(1)].to_vec()),
            ("body with a byte order mark", ["\u{feff}".as_bytes(), &genuine.body].concat()),
        ] {
            if body != genuine.body {
                push(change.to_owned(), Request { body: body.into(), ..genuine.clone() }, EITHER);
            }
        }
        for bit in 0..8.min(genuine.body.len() * 8) {
            let mut body = genuine.body.to_vec();
            body[bit] ^= 1;
            push(format!("byte {bit} of the body changed"), Request { body: body.into(), ..genuine.clone() }, EITHER);
        }
    }

    let signature = vector.signature_text(scheme, &text);
    for cut in 1..=signature.len() {
        let shorter = text.replace(&signature, &signature[..signature.len() - cut]);
        push(format!("signature cut by {cut}"), with_signature(&shorter), UNAUTHENTICATED);
    }
    for more in ["0", "00", "=", "AAAA", "!"] {
        let longer = text.replace(&signature, &format!("{signature}{more}"));
        push(format!("signature extended by {more}"), with_signature(&longer), UNAUTHENTICATED);
    }
    if signs_body {
        for position in 0..signature.len() {
            let mut changed = signature.clone().into_bytes();
            changed[position] = if changed[position] == b'0' { b'1' } else { b'0' };
            let changed = text.replace(&signature, &String::from_utf8(changed).unwrap());
            push(format!("character {position} of the signature changed"), with_signature(&changed), UNAUTHENTICATED);
        }
        let swapped: String = signature
            .chars()
            .map(|c| if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
            .collect();
        push(
            "signature in the other case".to_owned(),
            with_signature(&text.replace(&signature, &swapped)),
            UNAUTHENTICATED,
        );
    }
    push("empty signature".to_owned(), with_signature(""), UNAUTHENTICATED);
    push("signature of blanks".to_owned(), with_signature("  "), UNAUTHENTICATED);
    match scheme.signature.grammar {
        Grammar::Bare => {
            push("a prefix where there is none".to_owned(), with_signature(&format!("sha256={text}")), UNAUTHENTICATED);
        }
        Grammar::Prefixed(prefix) => {
            for other in ["", "sha1=", "sha512=", "md5=", "none=", &prefix.to_uppercase(), &format!("{prefix}{prefix}")]
            {
                let changed = text.replacen(prefix, other, 1);
                push(format!("prefix `{other}`"), with_signature(&changed), UNAUTHENTICATED);
            }
        }
        Grammar::Fields { name, .. } => {
            for other in ["v0", "h0", &name.to_uppercase()] {
                push(
                    format!("field `{other}`"),
                    with_signature(&text.replace(&format!("{name}="), &format!("{other}="))),
                    EITHER,
                );
            }
        }
        Grammar::Versions { prefix } => {
            for other in ["", "v2,", "V1,", "v1a,", "v1:"] {
                push(format!("version `{other}`"), with_signature(&text.replace(prefix, other)), UNAUTHENTICATED);
            }
        }
    }

    for name in genuine.headers_of(scheme) {
        let mut without = genuine.clone();
        without.headers.remove(&name);
        push(format!("{name} removed"), without, UNAUTHENTICATED);

        for second in [genuine.headers[&name].clone(), HeaderValue::from_static("other")] {
            let mut twice = genuine.clone();
            twice.headers.append(name.clone(), second);
            push(format!("{name} twice"), twice, MALFORMED);
        }
        let mut strange = genuine.clone();
        strange.headers.insert(name.clone(), HeaderValue::from_bytes(b"\xe9\xff").unwrap());
        push(format!("{name} beyond ASCII"), strange, MALFORMED);

        let mut huge = genuine.clone();
        huge.headers.insert(name.clone(), HeaderValue::from_str(&"a".repeat(8193)).unwrap());
        push(format!("{name} of 8193 bytes"), huge, MALFORMED);

        if name != header {
            let mut changed = genuine.clone();
            let mut value = genuine.headers[&name].to_str().unwrap().to_owned();
            let last = value.pop().unwrap();
            value.push(if last == '1' { '2' } else { '1' });
            changed.headers.insert(name.clone(), HeaderValue::from_str(&value).unwrap());
            push(format!("{name} changed"), changed, EITHER);
        }
    }

    if scheme.timestamp.is_some() {
        let window = scheme.tolerance;
        let signed = genuine.verify(&vector.verifier(scheme)).unwrap().signed_at().unwrap();
        let at = |millis: u64| Request { now: UnixTime::from_millis(millis), ..genuine.clone() };
        let past = u64::try_from(window.past.as_millis()).unwrap();
        let future = u64::try_from(window.future.as_millis()).unwrap();
        push("stale".to_owned(), at(signed.as_millis() + past + 1000), UNAUTHENTICATED);
        push("from the future".to_owned(), at(signed.as_millis() - future - 1000), UNAUTHENTICATED);
        assert!(at(signed.as_millis() + past).verify(&vector.verifier(scheme)).is_ok(), "{} at the edge", scheme.name);
        assert!(
            at(signed.as_millis() - future).verify(&vector.verifier(scheme)).is_ok(),
            "{} at the edge",
            scheme.name
        );
    }
    let method = Request { method: Method::TRACE, ..genuine.clone() };
    push("method".to_owned(), method, &[StatusCode::METHOD_NOT_ALLOWED]);
    all
}

#[derive(Clone)]
struct Request {
    method: Method,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
    now: UnixTime,
}

impl Request {
    fn verify(&self, verifier: &Verifier) -> Result<Delivery, Rejection> {
        let head = Head { method: &self.method, uri: &self.uri, headers: &self.headers };
        verifier.verify(head, &self.body, self.now)
    }

    fn signature_header(&self, scheme: &Scheme<'static>) -> HeaderName {
        let name: HeaderName = scheme.signature.header.parse().unwrap();
        if self.headers.contains_key(&name) { name } else { other_family(scheme, &name) }
    }

    /// The headers that the signature needs.
    fn headers_of(&self, scheme: &Scheme<'static>) -> Vec<HeaderName> {
        let mut names = vec![scheme.signature.header];
        if let Some(Source::Header(name)) = scheme.timestamp.map(|timestamp| timestamp.source) {
            names.push(name);
        }
        if let (Some(Source::Header(name)), true) =
            (scheme.id, scheme.message.contains(&tower_webhook::scheme::Part::Id))
        {
            names.push(name);
        }
        let names = names.into_iter().map(|name| name.parse::<HeaderName>().unwrap());
        names.map(|name| if self.headers.contains_key(&name) { name } else { other_family(scheme, &name) }).collect()
    }
}

impl Vector {
    fn verifier(&self, scheme: &Scheme<'static>) -> Verifier {
        self.verifier_with(scheme, &self.secret)
    }

    fn with_other_secret(&self, scheme: &Scheme<'static>) -> Verifier {
        self.verifier_with(scheme, "whsec_b3RoZXIgc2VjcmV0IG90aGVyIHNlY3JldA==")
    }

    fn verifier_with(&self, scheme: &Scheme<'static>, secret: &str) -> Verifier {
        let url: Uri = self.url.parse().unwrap();
        let origin = format!("{}://{}", url.scheme_str().unwrap(), url.authority().unwrap());
        Verifier::builder(scheme).public_origin(origin).build(secret).unwrap()
    }

    fn headers(&self) -> HeaderMap {
        let pairs = self.headers.iter();
        pairs
            .map(|(name, value)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap()))
            .collect()
    }

    fn request(&self) -> Request {
        let url: Uri = self.url.parse().unwrap();
        Request {
            method: self.method.parse().unwrap(),
            uri: url.path_and_query().unwrap().as_str().parse().unwrap(),
            headers: self.headers(),
            body: self.body.clone(),
            now: UnixTime::from_secs(self.now.unwrap_or(1_800_000_000)),
        }
    }

    fn verify(&self, scheme: &Scheme<'static>) -> Result<Delivery, Rejection> {
        self.request().verify(&self.verifier(scheme))
    }

    fn sign(&self, scheme: &Scheme<'static>, now: UnixTime) -> HeaderMap {
        let headers = self.headers();
        let method = self.method.parse().unwrap();
        let request = Outgoing {
            method: &method,
            headers: Some(&headers),
            id: self.id.as_deref(),
            now,
            ..Outgoing::post(&self.url, &self.body)
        };
        scheme.signer(self.secret.as_str()).unwrap().sign(&request).unwrap()
    }

    /// The signature that is good, as it stands in the header.
    fn signature_text(&self, scheme: &Scheme<'static>, header: &str) -> String {
        let (separator, prefix) = match scheme.signature.grammar {
            Grammar::Bare => return header.to_owned(),
            Grammar::Prefixed(prefix) => return header.replacen(prefix, "", 1),
            Grammar::Fields { separator, name } => (separator, format!("{name}=")),
            Grammar::Versions { prefix } => (' ', prefix.to_owned()),
        };
        let items = header.split(separator).filter_map(|item| item.trim().strip_prefix(&prefix));
        let candidates: Vec<String> = items.map(str::to_owned).collect();
        let is_good = |candidate: &String| {
            let mut request = self.request();
            let others = candidates.iter().filter(|other| other != &candidate);
            let alone = others.fold(header.to_owned(), |header, other| header.replace(other.as_str(), ""));
            let name = request.signature_header(scheme);
            request.headers.insert(name, HeaderValue::from_str(&alone).unwrap());
            request.verify(&self.verifier(scheme)).is_ok()
        };
        candidates.iter().find(|candidate| is_good(candidate)).unwrap().clone()
    }
}

fn other_family(scheme: &Scheme<'static>, name: &HeaderName) -> HeaderName {
    let Some(alternate) = scheme.alternate else { return name.clone() };
    name.as_str().replacen(alternate.prefix, alternate.instead, 1).parse().unwrap()
}

fn signed_dates(scheme: &Scheme<'static>) -> bool {
    scheme.timestamp.is_some_and(|timestamp| timestamp.format == tower_webhook::scheme::TimestampFormat::Rfc3339)
}

/// Each provider with its vectors; a provider without a file has none to prove it, and fails.
fn catalogue() -> Vec<(&'static Scheme<'static>, Vec<Vector>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors");
    provider::ALL
        .iter()
        .map(|scheme| {
            let path = folder.join(format!("{}.json", scheme.name));
            let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let file: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(file["provider"], scheme.name);
            (scheme, file["vectors"].as_array().unwrap().iter().map(parse).collect())
        })
        .collect()
}

fn parse(value: &serde_json::Value) -> Vector {
    let text = |name: &str| value[name].as_str().map(str::to_owned);
    let body = match value.get("body_base64").and_then(serde_json::Value::as_str) {
        Some(encoded) => STANDARD.decode(encoded).unwrap().into(),
        None => text("body").unwrap().into(),
    };
    let headers = value["headers"].as_object().unwrap().iter();
    Vector {
        name: text("name").unwrap(),
        origin: text("origin").unwrap(),
        source: text("source").unwrap(),
        secret: text("secret").unwrap(),
        method: text("method").unwrap(),
        url: text("url").unwrap(),
        headers: headers.map(|(name, value)| (name.clone(), value.as_str().unwrap().to_owned())).collect(),
        body,
        now: value["now"].as_u64(),
        expect: text("expect").unwrap(),
        id: text("id"),
        event: text("event"),
    }
}
