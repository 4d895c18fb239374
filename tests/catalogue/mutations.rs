//! A genuine request with one thing changed.

use std::time::Duration;

use http::{HeaderValue, Method, StatusCode};
use tower_webhook::{
    clock::UnixTime,
    scheme::{Encoding, Expected, Grammar, Part, Scheme},
};

use crate::vectors::{Request, Spot, Vector};

const UNAUTHENTICATED: &[StatusCode] = &[StatusCode::UNAUTHORIZED];
const MALFORMED: &[StatusCode] = &[StatusCode::BAD_REQUEST];
const EITHER: &[StatusCode] = &[StatusCode::UNAUTHORIZED, StatusCode::BAD_REQUEST];

type Change = (String, Request, &'static [StatusCode]);

/// The genuine request with one thing changed, and what may be answered.
pub(crate) fn tampered(scheme: &Scheme<'static>, vector: &Vector, genuine: &Request) -> Vec<Change> {
    let mut all = Vec::new();
    if signs_every_byte(scheme) {
        bodies(genuine, &mut all);
    }
    signatures(scheme, vector, genuine, &mut all);
    headers(scheme, genuine, &mut all);
    times(scheme, vector, genuine, &mut all);
    let method = Request { method: Method::TRACE, ..genuine.clone() };
    all.push(("method".to_owned(), method, &[StatusCode::METHOD_NOT_ALLOWED]));
    all
}

/// Whether no byte of the body can be changed.
pub(crate) fn signs_every_byte(scheme: &Scheme<'static>) -> bool {
    let whole = |part: &Part<'_>| matches!(part, Part::Body | Part::BodySha256 | Part::BodySha256Raw | Part::BodyCrc32);
    let claims = scheme.jws.iter().flat_map(|jws| jws.claims);
    scheme.message.iter().any(whole)
        || claims.into_iter().any(|claim| match claim.expected {
            Expected::BodySha256(_) | Expected::BodySha256IfAny(_) => true,
            Expected::Sha256(parts, _) => parts.iter().any(whole),
            _ => false,
        })
}

fn bodies(genuine: &Request, all: &mut Vec<Change>) {
    for (change, body) in [
        ("body extended", [&genuine.body, " ".as_bytes()].concat()),
        ("body cut", genuine.body[..genuine.body.len().saturating_sub(1)].to_vec()),
        ("body with a byte order mark", ["\u{feff}".as_bytes(), &genuine.body].concat()),
    ] {
        if body != genuine.body {
            all.push((change.to_owned(), Request { body: body.into(), ..genuine.clone() }, EITHER));
        }
    }
    for byte in 0..8.min(genuine.body.len()) {
        let mut body = genuine.body.to_vec();
        body[byte] ^= 1;
        all.push((
            format!("byte {byte} of the body changed"),
            Request { body: body.into(), ..genuine.clone() },
            EITHER,
        ));
    }
}

fn signatures(scheme: &Scheme<'static>, vector: &Vector, genuine: &Request, all: &mut Vec<Change>) {
    /// Tokens have thousands of characters; this many of them are enough.
    const POSITIONS: usize = 200;
    let (Some(spot), Some(signature)) = (genuine.signature_place(scheme), vector.signature_text(scheme)) else {
        return;
    };
    let Some(text) = genuine.text_at(&spot) else { return };
    let mut push = |change: String, changed: &str, expected| {
        let request = genuine.with_text(&spot, &text, changed);
        if request != *genuine {
            all.push((change, request, expected));
        }
    };
    // In a body, it is the body that becomes malformed.
    let refused = if matches!(spot, Spot::Header(_)) { UNAUTHENTICATED } else { EITHER };
    let step = signature.len() / POSITIONS + 1;
    for cut in (1..=signature.len()).step_by(step) {
        push(
            format!("signature cut by {cut}"),
            &text.replace(&signature, &signature[..signature.len() - cut]),
            refused,
        );
    }
    for more in ["0", "00", "=", "AAAA", "!"] {
        push(
            format!("signature extended by {more}"),
            &text.replace(&signature, &format!("{signature}{more}")),
            refused,
        );
    }
    let is_secret_itself = scheme.message.is_empty() && scheme.jws.is_none();
    if !is_secret_itself {
        for position in (0..signature.len()).step_by(step) {
            let mut changed = signature.clone().into_bytes();
            changed[position] = if changed[position] == b'0' { b'1' } else { b'0' };
            let changed = text.replace(&signature, &String::from_utf8(changed).unwrap());
            push(format!("character {position} of the signature changed"), &changed, refused);
        }
        let swapped: String = signature
            .chars()
            .map(|c| if c.is_lowercase() { c.to_ascii_uppercase() } else { c.to_ascii_lowercase() })
            .collect();
        if scheme.encoding != Encoding::HexAny {
            push("signature in the other case".to_owned(), &text.replace(&signature, &swapped), refused);
        }
    }
    push("empty signature".to_owned(), "", refused);
    push("signature of blanks".to_owned(), "  ", refused);
    match scheme.signature.grammar {
        Grammar::Bare => push("a prefix where there is none".to_owned(), &format!("sha256={text}"), refused),
        Grammar::Prefixed(prefix) => {
            let doubled = format!("{prefix}{prefix}");
            for other in ["", "sha1=", "sha512=", "md5=", "none=", &prefix.to_uppercase(), &doubled] {
                // The name of an authentication scheme may be written in any case (RFC 9110 section 11.1).
                let is_scheme = matches!(&spot, Spot::Header(name) if name == "authorization");
                if other != prefix && !(is_scheme && other.eq_ignore_ascii_case(prefix)) {
                    push(format!("prefix `{other}`"), &text.replacen(prefix, other, 1), UNAUTHENTICATED);
                }
            }
        }
        Grammar::Fields { name, .. } => {
            for other in ["x0", "h0", &name.to_uppercase()] {
                if other != name {
                    push(format!("field `{other}`"), &text.replace(&format!("{name}="), &format!("{other}=")), EITHER);
                }
            }
        }
        Grammar::Versions { prefix } => {
            for other in ["", "v2,", "V1,", "v9a,", "v1:"] {
                push(format!("version `{other}`"), &text.replace(prefix, other), UNAUTHENTICATED);
            }
        }
        _ => {}
    }
}

fn headers(scheme: &Scheme<'static>, genuine: &Request, all: &mut Vec<Change>) {
    let signature = match genuine.signature_place(scheme) {
        Some(Spot::Header(name)) => Some(name),
        _ => None,
    };
    for name in genuine.headers_of(scheme) {
        let mut without = genuine.clone();
        without.headers.remove(&name);
        all.push((format!("{name} removed"), without, UNAUTHENTICATED));

        for second in [genuine.headers[&name].clone(), HeaderValue::from_static("other")] {
            let mut twice = genuine.clone();
            twice.headers.append(name.clone(), second);
            all.push((format!("{name} twice"), twice, MALFORMED));
        }
        let mut strange = genuine.clone();
        strange.headers.insert(name.clone(), HeaderValue::from_bytes(b"\xe9\xff").unwrap());
        all.push((format!("{name} beyond ASCII"), strange, MALFORMED));

        let mut huge = genuine.clone();
        huge.headers.insert(name.clone(), HeaderValue::from_str(&"a".repeat(8193)).unwrap());
        all.push((format!("{name} of 8193 bytes"), huge, MALFORMED));

        if signature.as_ref() != Some(&name) {
            let mut changed = genuine.clone();
            let mut value = genuine.headers[&name].to_str().unwrap().to_owned();
            let last = value.pop().unwrap_or('0');
            value.push(if last == '1' { '2' } else { '1' });
            changed.headers.insert(name.clone(), HeaderValue::from_str(&value).unwrap());
            all.push((format!("{name} changed"), changed, EITHER));
        }
    }
}

fn times(scheme: &Scheme<'static>, vector: &Vector, genuine: &Request, all: &mut Vec<Change>) {
    if scheme.timestamp.is_none() {
        return;
    }
    let verifier = vector.verifier(scheme);
    let signed = genuine.verify(&verifier).unwrap().signed_at().unwrap().as_millis();
    let millis = |duration: Duration| u64::try_from(duration.as_millis()).unwrap();
    let (past, future) = (millis(scheme.tolerance.past), millis(scheme.tolerance.future));
    let at = |millis: u64| Request { now: UnixTime::from_millis(millis), ..genuine.clone() };
    all.push(("stale".to_owned(), at(signed + past + 1000), UNAUTHENTICATED));
    all.push(("from the future".to_owned(), at(signed - future - 1000), UNAUTHENTICATED));
    // Tokens may end sooner by what they say themselves.
    if scheme.jws.is_none() {
        for edge in [signed + past, signed - future] {
            assert!(at(edge).verify(&verifier).is_ok(), "{} at the edge", scheme.name);
        }
    }
}
