//! What is signed can be taken apart in one way only, and nothing else has a say in the verdict.

mod support;

use std::{cell::Cell, collections::BTreeMap};

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri};
use proptest::{prelude::*, test_runner::TestRunner};
use sha2::{Digest, Sha256};
use support::{NOW, ORIGIN, SECRET, verifier};
use tower_webhook::{
    Delivery, Rejection,
    clock::UnixTime,
    provider,
    scheme::{
        Algorithm, Grammar, Head, IntoScheme, Outgoing, Part, Scheme, SchemeBuilder, Source, TimestampFormat, Verifier,
    },
    store::ReplayKey,
};

#[test]
fn no_accepted_layout_can_be_read_in_another_way() {
    let (accepted, tried) = (Cell::new(0), Cell::new(0));
    let config = ProptestConfig { cases: 4000, max_local_rejects: 1_000_000, ..support::property() };
    let outcome = TestRunner::new(config).run(&(layout(), values()), |(layout, values)| {
        let request = layout.request(&values);
        if layout.verify(&request, &request).is_err() {
            return Ok(());
        }
        accepted.set(accepted.get() + 1);
        for other in layout.other_readings(&request) {
            tried.set(tried.get() + 1);
            let verdict = layout.verify(&other, &request);
            prop_assert!(verdict.is_err(), "{:?}\nread as {:?}\nunder {:?}", request, other, layout.message);
        }
        Ok(())
    });
    outcome.unwrap();
    assert!(accepted.get() > 1000 && tried.get() > 3000, "{} accepted, {} tried", accepted.get(), tried.get());
}

#[test]
fn no_provider_can_be_made_to_read_a_delivery_in_another_way() {
    for scheme in modelled().iter().filter(|scheme| !scheme.message.is_empty()) {
        let layout = Layout::of(*scheme);
        let (mut accepted, mut tried) = (0, 0);
        for body in [
            r#"{"webhookTimestamp":1800000000000}"#,
            r#"{"webhookTimestamp":1800000000000,"a":"1.2:{}[]"}"#,
            "",
            "1.{}",
            ":1800000000:x",
        ] {
            for (id, target) in [("a", "/hook"), ("1", "/hook/1?x=1"), ("a1_-", "/1800000000000?a=b&c"), ("18", "/")] {
                let request = Fields {
                    method: "POST".to_owned(),
                    target: target.to_owned(),
                    headers: BTreeMap::new(),
                    timestamp: layout.timestamps()[0].to_owned(),
                    id: id.to_owned(),
                    body: body.as_bytes().to_vec(),
                };
                if layout.verify(&request, &request).is_err() {
                    continue;
                }
                accepted += 1;
                for other in layout.other_readings(&request) {
                    tried += 1;
                    assert!(layout.verify(&other, &request).is_err(), "{}: {request:?} read as {other:?}", scheme.name);
                }
            }
        }
        assert!(accepted >= 4, "{}: {accepted} accepted", scheme.name);
        let parts = scheme.message.iter().filter(|part| !matches!(part, Part::Text(_))).count();
        assert_eq!(tried > 0, parts > 1, "{}: {tried} tried", scheme.name);
    }
}

#[test]
fn an_escape_that_is_decoded_moves_no_boundary() {
    for (characters, targets) in [("{", ["/a%7B", "/a"]), ("[", ["/a%5B", "/a"]), ("{[", ["/%5B%7B", "/%5B"])] {
        let message = [Part::UrlDecoding(characters), Part::Body];
        let scheme = Scheme {
            name: "acme",
            signature: provider::DROPBOX.signature,
            message: &message,
            ..Scheme::HMAC_SHA256_HEX
        };
        // Refusing the scheme is as good as refusing its requests.
        let Ok(checked) = scheme.into_checked() else { continue };
        let verifier = Verifier::builder(checked).public_origin(ORIGIN).build(SECRET).unwrap();
        let url = |target: &str| {
            characters.chars().fold(format!("{ORIGIN}{target}"), |url, character| {
                url.replace(&format!("%{:02X}", u32::from(character)), &character.to_string())
            })
        };
        let signed = format!("{}{{}}", url(targets[0]));
        let headers = HeaderMap::from_iter([(
            HeaderName::from_static("x-dropbox-signature"),
            signature(&[signed.clone().into_bytes()]),
        )]);
        let accepted = targets.into_iter().filter(|target| {
            let body = signed.strip_prefix(&url(target)).unwrap().to_owned();
            let head = Head { method: &Method::POST, uri: &target.parse().unwrap(), headers: &headers };
            verifier.verify(head, &body.into(), UnixTime::from_secs(NOW)).is_ok()
        });
        assert!(accepted.count() <= 1, "two requests with the signed bytes {signed}");
    }
}

#[test]
fn form_parameters_can_be_read_in_one_way_only() {
    let scheme = SchemeBuilder::new("acme").signature("x-sig").message("{form}").build().unwrap();
    let verifier = scheme.verifier(SECRET).unwrap();
    let verify = |body: &str, signed: &str| {
        let headers =
            HeaderMap::from_iter([(HeaderName::from_static("x-sig"), signature(&[signed.as_bytes().to_vec()]))]);
        let head = Head { method: &Method::POST, uri: &Uri::from_static("/"), headers: &headers };
        verifier.verify(head, &Bytes::copy_from_slice(body.as_bytes()), UnixTime::from_secs(NOW))
    };
    let tried = Cell::new(0);
    let form = prop::collection::vec(("[a=&]{0,3}", "[1=&]{0,3}"), 1..4);
    let outcome = TestRunner::new(support::property()).run(&form, |parameters| {
        let written = form_urlencoded::Serializer::new(String::new()).extend_pairs(&parameters).finish();
        let signed = canonical(&written);
        if verify(&written, &signed).is_err() {
            return Ok(());
        }
        // Each separator in the signed bytes could have been one, or part of a name or value.
        let separators: Vec<_> = signed.match_indices(['=', '&']).map(|(at, _)| at).collect();
        for hidden in 0..1_u32 << separators.len() {
            let mut other = signed.clone();
            let hidden = separators.iter().enumerate().filter(|(bit, _)| hidden >> bit & 1 == 1).map(|(_, at)| *at);
            for at in hidden.rev() {
                let escape = if signed.as_bytes()[at] == b'=' { "%3D" } else { "%26" };
                other.replace_range(at..=at, escape);
            }
            if canonical(&other) == signed && parameters_of(&other) != parameters_of(&written) {
                tried.set(tried.get() + 1);
                prop_assert!(verify(&other, &signed).is_err(), "{} read as {}", written, other);
            }
        }
        Ok(())
    });
    outcome.unwrap();
    assert!(tried.get() > 0);
}

proptest! {
    #![proptest_config(support::property())]

    #[test]
    fn nothing_else_has_a_say(
        index in 0..modelled().len(),
        tampering in 0_usize..5,
        unrelated in prop::collection::vec(("[a-z][a-z0-9-]{0,20}", "[ -~]{0,40}"), 0..8),
        turn in any::<prop::sample::Index>(),
        cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    ) {
        let scheme = modelled()[index];
        let layout = Layout::of(scheme);
        let (headers, body) = tampered(&layout, tampering);
        let (method, uri, now) = (Method::POST, Uri::from_static("/hook"), UnixTime::from_secs(NOW));
        let head = Head { method: &method, uri: &uri, headers: &headers };
        let expected = verdict(layout.verifier.verify(head, &body, now));
        prop_assert!(tampering < 4 || expected.is_ok(), "{}: {:?}", scheme.name, expected);

        let headers = rearranged(&scheme, &headers, unrelated, turn);
        let head = Head { method: &method, uri: &uri, headers: &headers };
        let mut cuts: Vec<_> = cuts.into_iter().map(|cut| cut.index(body.len() + 1)).chain([0, body.len()]).collect();
        cuts.sort_unstable();
        let judged = layout.verifier.begin(head, now).and_then(|mut verification| {
            cuts.windows(2).for_each(|ends| verification.update(&body[ends[0]..ends[1]]));
            verification.finish(head, &body)
        });
        prop_assert_eq!(verdict(judged), expected);
    }
}

/// The schemes that this file has an opinion of: those that our signer signs by and whose parts are plain.
fn modelled() -> Vec<Scheme<'static>> {
    let is_plain = |part: &Part<'_>| {
        use Part::{Body, BodySha256, Header, Id, Method, Path, SortedForm, Target, Text, Timestamp, Url, UrlDecoding};
        let is_known = matches!(
            part,
            Body | BodySha256
                | Id
                | Method
                | Path
                | SortedForm { .. }
                | Target
                | Text(_)
                | Timestamp
                | Url
                | UrlDecoding(_)
        );
        is_known && !matches!(part, Header(_))
    };
    let is_in_head = |source| matches!(source, Source::Header(_) | Source::Field(_));
    let is_modelled = |scheme: &Scheme<'static>| {
        let is_time_plain = scheme.timestamp.is_none_or(|time| {
            let is_usual = matches!(
                time.format,
                TimestampFormat::UnixSeconds | TimestampFormat::UnixMillis | TimestampFormat::Rfc3339
            );
            is_usual && (is_in_head(time.source) || time.source == Source::Json("/webhookTimestamp"))
        });
        let is_usual = matches!(
            scheme.signature.grammar,
            Grammar::Bare | Grammar::Prefixed(_) | Grammar::Fields { .. } | Grammar::Versions { .. }
        );
        let signs_id = scheme.message.contains(&Part::Id);
        let is_id_plain = scheme.id.is_none_or(|id| !signs_id || is_in_head(id));
        scheme.message.iter().all(is_plain)
            && is_time_plain
            && is_usual
            && is_id_plain
            && scheme.methods.contains(&"POST")
            && scheme.algorithm != Algorithm::Basic
            && scheme.signer(SECRET).is_ok()
    };
    let modelled: Vec<_> = provider::ALL.iter().copied().filter(is_modelled).collect();
    assert!(modelled.len() >= 22, "fewer than there ever were");
    modelled
}

fn signature_header(scheme: &Scheme<'static>) -> &'static str {
    match scheme.signature.place {
        Source::Header(name) => name,
        _ => unreachable!("only headers are modelled"),
    }
}

/// A delivery that is genuine (4) or not.
fn tampered(layout: &Layout, tampering: usize) -> (HeaderMap, Bytes) {
    let genuine = Fields {
        method: "POST".to_owned(),
        target: "/hook".to_owned(),
        headers: BTreeMap::new(),
        timestamp: layout.timestamps()[0].to_owned(),
        id: "msg_1".to_owned(),
        body: br#"{"webhookTimestamp":1800000000000,"type":"x"}"#.to_vec(),
    };
    let mut headers = layout.headers(&genuine, &genuine);
    let mut body = genuine.body;
    let signature = layout.scheme.map_or("x-sig", |scheme| signature_header(&scheme));
    let wrong = HeaderValue::from_static("v1=00");
    match tampering {
        0 => body.push(b' '),
        1 => assert!(headers.remove(signature).is_some()),
        2 => assert!(headers.insert(signature, wrong).is_some()),
        3 => assert!(headers.append(signature, wrong)),
        _ => {}
    }
    (headers, body.into())
}

/// The same headers in another order, among others; values of one name keep theirs.
fn rearranged(
    scheme: &Scheme<'static>,
    headers: &HeaderMap,
    unrelated: Vec<(String, String)>,
    turn: prop::sample::Index,
) -> HeaderMap {
    let families = ["shopify-", "webhook-", "svix-"];
    let is_unrelated = |name: &HeaderName| {
        let name = name.as_str();
        !scheme_names(scheme).contains(&name) && !families.iter().any(|family| name.starts_with(family))
    };
    let unrelated = unrelated.into_iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()));
    let mut names: Vec<&HeaderName> = headers.keys().collect();
    if !names.is_empty() {
        let turn = turn.index(names.len());
        names.rotate_left(turn);
    }
    let ours =
        names.into_iter().flat_map(|name| headers.get_all(name).iter().map(|value| (name.clone(), value.clone())));
    let (before, after): (Vec<_>, Vec<_>) =
        unrelated.filter(|(name, _)| is_unrelated(name)).partition(|(name, _)| name.as_str().len() % 2 == 0);
    let mut all = HeaderMap::new();
    for (name, value) in before.into_iter().chain(ours).chain(after) {
        all.append(name, value);
    }
    all
}

/// A request, as far as layouts are concerned.
#[derive(Clone, Debug, PartialEq)]
struct Fields {
    method: String,
    target: String,
    headers: BTreeMap<&'static str, String>,
    timestamp: String,
    id: String,
    body: Vec<u8>,
}

/// A scheme, and an opinion of its own of what it signs.
struct Layout {
    message: Vec<Part<'static>>,
    format: Option<TimestampFormat>,
    methods: Vec<&'static str>,
    verifier: Verifier,
    /// A scheme of the catalogue signs for itself.
    scheme: Option<Scheme<'static>>,
}

impl std::fmt::Debug for Layout {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} with {:?}", self.message, self.format)
    }
}

impl Layout {
    fn of(scheme: Scheme<'static>) -> Self {
        Self {
            message: scheme.message.to_vec(),
            format: scheme.timestamp.filter(|time| !matches!(time.source, Source::Json(_))).map(|time| time.format),
            methods: scheme.methods.to_vec(),
            verifier: verifier(scheme),
            scheme: Some(scheme),
        }
    }

    /// The layout of these parts, if it is not refused as ambiguous.
    fn build(message: Vec<Part<'static>>, format: TimestampFormat, id_extra: &str) -> Option<Self> {
        let methods = vec!["POST", "PUT", "P"];
        let mut builder =
            SchemeBuilder::new("acme").signature("x-sig").message(template(&message)).methods(methods.clone());
        if message.contains(&Part::Timestamp) {
            builder = builder.timestamp("header:x-ts").timestamp_format(format);
        }
        if message.contains(&Part::Id) {
            builder = builder.id("header:x-id").id_extra(id_extra);
        }
        let scheme = builder.build().ok()?;
        let verifier = Verifier::builder(scheme).public_origin(ORIGIN).build(SECRET).unwrap();
        Some(Self { message, format: Some(format), methods, verifier, scheme: None })
    }

    /// Spellings of now.
    fn timestamps(&self) -> &'static [&'static str] {
        match self.format {
            None => &[""],
            Some(TimestampFormat::UnixMillis) => &["1800000000000"],
            Some(TimestampFormat::Rfc3339) => {
                &["2027-01-15T08:00:00Z", "2027-01-15T08:00:00.25Z", "2027-01-15T09:00:00+01:00"]
            }
            Some(TimestampFormat::HttpDate) => &["Fri, 15 Jan 2027 08:00:00 GMT"],
            Some(_) => &["1800000000"],
        }
    }

    fn request(&self, values: &Values) -> Fields {
        let spellings = self.timestamps();
        let json = self.message.iter().any(|part| matches!(part, Part::Json(_)));
        Fields {
            method: self.methods[values.method % self.methods.len()].to_owned(),
            target: values.target.clone(),
            headers: [("x-a", values.a.clone()), ("x-b", values.b.clone())].into(),
            timestamp: spellings[values.method % spellings.len()].to_owned(),
            id: values.id.clone(),
            body: match json {
                true => serde_json::json!({ "a": values.a, "b": values.b }).to_string().into_bytes(),
                false => values.body.clone().into_bytes(),
            },
        }
    }

    /// What is signed, part by part; nothing if a part is missing.
    fn write(&self, request: &Fields) -> Option<Vec<Vec<u8>>> {
        let json = || serde_json::from_slice::<serde_json::Value>(&request.body).ok();
        let parts = self.message.iter().map(|part| {
            Some(match part {
                Part::Text(text) => text.as_bytes().to_vec(),
                Part::Method => request.method.clone().into_bytes(),
                Part::Url | Part::UrlDecoding(_) => format!("{ORIGIN}{}", request.target).into_bytes(),
                Part::Path => request.target.split('?').next()?.as_bytes().to_vec(),
                Part::Target => request.target.clone().into_bytes(),
                Part::Header(name) => request.headers.get(name)?.clone().into_bytes(),
                Part::Timestamp => request.timestamp.clone().into_bytes(),
                Part::Id => request.id.clone().into_bytes(),
                Part::Body => request.body.clone(),
                Part::BodySha256 => hex(&Sha256::digest(&request.body)).into_bytes(),
                Part::Json(pointer) => match json()?.pointer(pointer)? {
                    serde_json::Value::String(text) => text.clone().into_bytes(),
                    other => other.to_string().into_bytes(),
                },
                _ => return None,
            })
        });
        parts.collect()
    }

    /// All other requests that have the same signed bytes.
    fn other_readings(&self, request: &Fields) -> Vec<Fields> {
        let Some(written) = self.write(request) else { return Vec::new() };
        let signed = written.concat();
        let mut readings = Vec::new();
        self.split(&signed, &mut Vec::new(), &mut readings);
        let mut others: Vec<Fields> = Vec::new();
        for reading in readings {
            let other = self.put_together(request, &reading);
            let Some(parts) = self.write(&other) else { continue };
            // What a scheme leaves unsigned may differ; what counts is that signed bytes changed sides.
            if parts.concat() == signed && parts != written && !others.contains(&other) {
                others.push(other);
            }
        }
        others
    }

    /// All ways to cut `rest` into the parts that are not cut yet.
    fn split(&self, rest: &[u8], cut: &mut Vec<Vec<u8>>, found: &mut Vec<Vec<Vec<u8>>>) {
        let Some(part) = self.message.get(cut.len()) else {
            if rest.is_empty() {
                found.push(cut.clone());
            }
            return;
        };
        for length in 0..=rest.len() {
            if self.is_possible(part, &rest[..length]) {
                cut.push(rest[..length].to_vec());
                self.split(&rest[length..], cut, found);
                cut.pop();
            }
        }
    }

    /// Whether any request at all could have this in it, good or bad.
    fn is_possible(&self, part: &Part<'_>, bytes: &[u8]) -> bool {
        let is_header =
            || HeaderValue::from_bytes(bytes).is_ok_and(|value| value.to_str().is_ok()) && bytes.trim_ascii() == bytes;
        let is_target = |bytes: &[u8]| bytes.starts_with(b"/") && Uri::try_from(bytes).is_ok();
        match part {
            Part::Text(text) => bytes == text.as_bytes(),
            Part::Method => self.methods.iter().any(|method| method.as_bytes() == bytes),
            Part::Url | Part::UrlDecoding(_) => bytes.strip_prefix(ORIGIN.as_bytes()).is_some_and(is_target),
            Part::Path | Part::Target => is_target(bytes),
            Part::Header(_) | Part::Id => is_header(),
            // What is no time by far is refused by far, and there are too many such cuts to try them all.
            Part::Timestamp => is_header() && (9..=40).contains(&bytes.len()),
            Part::Json(_) => str::from_utf8(bytes).is_ok(),
            Part::BodySha256 => bytes.len() == 64,
            Part::Body => true,
            _ => false,
        }
    }

    fn put_together(&self, original: &Fields, reading: &[Vec<u8>]) -> Fields {
        let mut request = original.clone();
        let mut json = serde_json::Map::new();
        for (part, bytes) in self.message.iter().zip(reading) {
            let text = || String::from_utf8_lossy(bytes).into_owned();
            match part {
                Part::Method => request.method = text(),
                Part::Url | Part::UrlDecoding(_) => request.target = text()[ORIGIN.len()..].to_owned(),
                Part::Path => {
                    let query = original.target.split_once('?').map(|(_, query)| format!("?{query}"));
                    request.target = text() + &query.unwrap_or_default();
                }
                Part::Target => request.target = text(),
                Part::Header(name) => drop(request.headers.insert(name, text())),
                Part::Timestamp => request.timestamp = text(),
                Part::Id => request.id = text(),
                Part::Body => request.body = bytes.clone(),
                Part::Json(pointer) => drop(json.insert(pointer[1..].to_owned(), text().into())),
                _ => {}
            }
        }
        if !json.is_empty() && !self.message.contains(&Part::Body) {
            request.body = serde_json::Value::Object(json).to_string().into_bytes();
        }
        request
    }

    /// The headers of a request that carries the signature of another one.
    fn headers(&self, request: &Fields, signed: &Fields) -> HeaderMap {
        let mut headers = HeaderMap::new();
        let mut put = |name: &'static str, text: &str| {
            if let Ok(value) = HeaderValue::from_str(text) {
                headers.insert(HeaderName::from_static(name), value);
            }
        };
        request.headers.iter().for_each(|(name, text)| put(name, text));
        let Some(scheme) = self.scheme else {
            put("x-ts", &request.timestamp);
            put("x-id", &request.id);
            if let Some(message) = self.write(signed) {
                headers.insert("x-sig", signature(&message));
            }
            return headers;
        };
        let url = format!("{ORIGIN}{}", signed.target);
        let outgoing = Outgoing {
            method: &signed.method.parse().unwrap(),
            id: Some(&signed.id),
            now: UnixTime::from_secs(NOW),
            ..Outgoing::post(&url, &signed.body)
        };
        let mut made = scheme.signer(SECRET).unwrap().sign(&outgoing).unwrap();
        match scheme.timestamp.map(|timestamp| timestamp.source) {
            Some(Source::Header(name)) => drop(made.insert(name, request.timestamp.parse().unwrap())),
            Some(Source::Field(name)) => {
                let header = made[signature_header(&scheme)].to_str().unwrap();
                let changed =
                    header.replace(&format!("{name}={}", signed.timestamp), &format!("{name}={}", request.timestamp));
                let changed = changed.parse().unwrap();
                made.insert(signature_header(&scheme), changed);
            }
            _ => {}
        }
        if let Some(Source::Header(name)) = scheme.id {
            made.insert(name, request.id.parse().unwrap());
        }
        made
    }

    /// The verdict on a request that carries the signature of another one.
    fn verify(&self, request: &Fields, signed: &Fields) -> Result<Delivery, Rejection> {
        let (Ok(uri), Ok(method)) = (request.target.parse::<Uri>(), request.method.parse::<Method>()) else {
            return Err(Rejection::AmbiguousMessage);
        };
        let headers = self.headers(request, signed);
        let head = Head { method: &method, uri: &uri, headers: &headers };
        self.verifier.verify(head, &request.body.clone().into(), UnixTime::from_secs(NOW))
    }
}

/// What requests are made of, with separators where they hurt.
#[derive(Clone, Debug)]
struct Values {
    method: usize,
    target: String,
    a: String,
    b: String,
    id: String,
    body: String,
}

fn values() -> impl Strategy<Value = Values> {
    let time = || prop::sample::select(vec!["1800000000", "1800000000000", "2027-01-15T08:00:00Z", "15T08:00:00.25Z"]);
    // Now and then a time, or the end of one, before or after something else.
    let text = || {
        prop_oneof![
            4 => "[.:|{/1aTZ-]{0,4}",
            1 => (time(), "[.:1a]{0,2}").prop_map(|(time, more)| format!("{time}{more}")),
            1 => ("[.:1a]{0,2}", time()).prop_map(|(more, time)| format!("{more}{time}")),
        ]
    };
    let target = "/[.:|{\\[/1a?=-]{0,5}";
    let body = prop_oneof![2 => "[{\\[][.:|{}/1aZ-]{0,6}", 2 => text()];
    (0_usize..6, target, text(), text(), "[.:|1aP-]{1,4}", body).prop_map(|(method, target, a, b, id, body)| Values {
        method,
        target,
        a,
        b,
        id,
        body,
    })
}

/// Layouts that were found unambiguous, however close to ambiguity.
fn layout() -> impl Strategy<Value = Layout> {
    use Part::{Body, BodySha256, Header, Id, Json, Method, Path, Target, Text, Timestamp, Url};
    let text = prop::sample::select(vec![".", ":", "|", "v0:", "{", "1", "/", "-", "a:", "Z"]);
    let part = prop::sample::select(vec![
        Method,
        Url,
        Path,
        Target,
        Header("x-a"),
        Header("x-b"),
        Timestamp,
        Timestamp,
        Id,
        Id,
        Body,
        BodySha256,
        Json("/a"),
        Json("/b"),
    ]);
    let body = prop::sample::select(vec![Body, Body, Body, BodySha256, Json("/a")]);
    let separated = (part, prop::option::weighted(0.6, text));
    let format = prop::sample::select(vec![
        TimestampFormat::UnixSeconds,
        TimestampFormat::UnixMillis,
        TimestampFormat::Rfc3339,
        TimestampFormat::HttpDate,
    ]);
    let ids = prop::sample::select(vec!["", ".", ":", ".:|"]);
    (prop::collection::vec(separated, 1..4), body, any::<prop::sample::Index>(), format, ids).prop_filter_map(
        "ambiguous",
        |(parts, body, at, format, id_extra)| {
            let mut message: Vec<_> =
                parts.into_iter().flat_map(|(part, text)| [Some(part), text.map(Text)]).flatten().collect();
            message.insert(at.index(message.len() + 1), body);
            Layout::build(message, format, id_extra)
        },
    )
}

/// The same layout as text, for the builder.
fn template(message: &[Part<'_>]) -> String {
    let write = |part: &Part<'_>| match part {
        Part::Text(text) => text.replace('{', "{{").replace('}', "}}"),
        Part::Method => "{method}".to_owned(),
        Part::Url | Part::UrlDecoding(_) => "{url}".to_owned(),
        Part::Path => "{path}".to_owned(),
        Part::Target => "{target}".to_owned(),
        Part::Header(name) => format!("{{header:{name}}}"),
        Part::Timestamp => "{timestamp}".to_owned(),
        Part::Id => "{id}".to_owned(),
        Part::Body => "{body}".to_owned(),
        Part::BodySha256 => "{body-sha256}".to_owned(),
        Part::Json(pointer) => format!("{{json:{pointer}}}"),
        Part::SortedForm { .. } => "{form}".to_owned(),
        part => unreachable!("{part:?} has no template"),
    };
    message.iter().map(write).collect()
}

/// The names of headers and header families that a scheme looks at.
fn scheme_names(scheme: &Scheme<'static>) -> Vec<&'static str> {
    let places = [scheme.id, scheme.event, scheme.timestamp.map(|timestamp| timestamp.source)];
    let named = places.into_iter().flatten().filter_map(|place| match place {
        Source::Header(name) => Some(name),
        _ => None,
    });
    named.chain([signature_header(scheme)]).collect()
}

/// HMAC-SHA256 in hexadecimal digits, made by somebody else than the crate.
fn signature(message: &[Vec<u8>]) -> HeaderValue {
    let mut mac = Hmac::<Sha256>::new_from_slice(SECRET.as_bytes()).unwrap();
    message.iter().for_each(|part| mac.update(part));
    hex(&mac.finalize().into_bytes()).parse().unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn parameters_of(form: &str) -> Vec<(String, String)> {
    let mut parameters: Vec<_> = form_urlencoded::parse(form.as_bytes()).into_owned().collect();
    parameters.sort();
    parameters
}

fn canonical(form: &str) -> String {
    let pairs = parameters_of(form).into_iter().map(|(name, value)| format!("{name}={value}"));
    pairs.collect::<Vec<_>>().join("&")
}

/// All that a verdict says.
type Facts = (Option<ReplayKey>, Option<String>, Option<String>, usize, Option<UnixTime>);

fn verdict(judged: Result<Delivery, Rejection>) -> Result<Facts, Rejection> {
    judged.map(|delivery| {
        let text = |text: Option<&str>| text.map(str::to_owned);
        (delivery.replay_key(), text(delivery.id()), text(delivery.event()), delivery.key_index(), delivery.signed_at())
    })
}
