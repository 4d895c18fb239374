//! The README's table of providers is the catalogue's, and the documentation of each provider says what it must.
//!
//! `BLESS=1 cargo test --test readme` writes the table.

use std::{collections::BTreeSet, env, fs, path::Path};

use tower_webhook::{
    provider,
    scheme::{Algorithm, Expected, Grammar, Part, Repeats, RetryOn, Scheme, Source},
};

const START: &str = "<!-- providers -->\n";
const END: &str = "<!-- /providers -->";

#[test]
fn the_table_of_providers_is_that_of_the_catalogue() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let readme = fs::read_to_string(&path).unwrap();
    let (before, rest) = readme.split_once(START).expect("the README marks its table");
    let (table, after) = rest.split_once(END).expect("the README marks its table's end");
    let expected = expected_table();
    if env::var_os("BLESS").is_some() {
        return fs::write(&path, format!("{before}{START}{expected}{END}{after}")).unwrap();
    }
    assert!(table.trim() == expected.trim(), "the table is not the catalogue's: BLESS=1 cargo test --test readme");
}

#[test]
fn the_readme_counts_right() {
    let readme = include_str!("../README.md");
    let schemes = provider::ALL.len();
    let providers = provider::ALL.iter().map(|scheme| scheme.profile.title).collect::<BTreeSet<_>>().len();
    let counts = format!("{schemes} schemes of {providers} providers");
    assert!(readme.contains(&counts), "the README should say: {counts}");
}

/// What rustdoc shows of a provider is its comment, so that is held to the data.
#[test]
fn the_comment_on_each_provider_names_what_its_users_need() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/provider");
    let files = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let source: String = files
        .filter(|path| path.extension().is_some_and(|kind| kind == "rs"))
        .map(|path| fs::read_to_string(path).unwrap())
        .collect();
    let mut wanting = Vec::new();
    for scheme in provider::ALL {
        let name = scheme.name.to_uppercase().replace('-', "_");
        let constant = format!("pub const {name}: Scheme<'static>");
        let (before, _) = source.split_once(&constant).unwrap_or_else(|| panic!("no constant {name}"));
        let mut comment: Vec<&str> = before.lines().rev().take_while(|line| line.starts_with("///")).collect();
        comment.reverse();
        let comment = comment.join("\n");
        let mut needed = vec!["/// Source: ".to_owned()];
        needed.extend(parameters(scheme).into_iter().map(|parameter| format!("`{parameter}`")));
        if let Source::Header(header) = scheme.signature.place {
            // Their headers are described once, and others refer to that.
            needed.push(match header {
                "svix-signature" if comment.contains("Svix") => "Svix".to_owned(),
                "webhook-signature" if comment.contains("Standard Webhooks") => "Standard Webhooks".to_owned(),
                "authorization" if comment.to_lowercase().contains("bearer") => "earer".to_owned(),
                header => header.to_owned(),
            });
        }
        let holds = |text: &String| comment.contains(text) || comment.to_lowercase().contains(text);
        wanting.extend(needed.iter().filter(|text| !holds(text)).map(|text| format!("{name}: {text}")));
    }
    assert!(wanting.is_empty(), "not in the comments: {wanting:#?}");
}

fn expected_table() -> String {
    let rows = provider::ALL.iter().map(|scheme| {
        let Scheme { name, profile, .. } = scheme;
        let columns = [
            format!("`{name}`"),
            format!("[{}]({})", profile.title, profile.documentation),
            algorithm(scheme),
            signed(scheme),
            window(scheme),
            place(scheme, scheme.id),
            place(scheme, scheme.event),
            retries(scheme),
            needs(scheme),
        ];
        format!("| {} |\n", columns.join(" | "))
    });
    let head = "| name | provider | signature | signs | accepted | delivery id | event type | tries again | needs |\n\
                |---|---|---|---|---|---|---|---|---|\n";
    head.to_owned() + &rows.collect::<String>()
}

fn algorithm(scheme: &Scheme<'_>) -> String {
    let algorithm = match scheme.algorithm {
        Algorithm::HmacSha1 => "HMAC-SHA1",
        Algorithm::HmacSha256 => "HMAC-SHA256",
        Algorithm::HmacSha384 => "HMAC-SHA384",
        Algorithm::HmacSha512 => "HMAC-SHA512",
        Algorithm::Token => "the secret itself",
        Algorithm::Basic => "user and password",
        Algorithm::Sha1 => "SHA-1 with the secret",
        Algorithm::Sha256 => "SHA-256 with the secret",
        Algorithm::Ed25519 => "Ed25519",
        Algorithm::EcdsaP256Sha256 => "ECDSA P-256",
        Algorithm::EcdsaP256Sha1 => "ECDSA P-256, SHA-1",
        Algorithm::EcdsaP384Sha384 => "ECDSA P-384",
        Algorithm::EcdsaP521Sha512 => "ECDSA P-521",
        Algorithm::RsaPkcs1Sha1 => "RSA-SHA1",
        Algorithm::RsaPkcs1Sha256 => "RSA-SHA256",
        Algorithm::RsaPkcs1Sha384 => "RSA-SHA384",
        Algorithm::RsaPkcs1Sha512 => "RSA-SHA512",
        Algorithm::RsaPssSha256 => "RSA-PSS-SHA256",
        Algorithm::RsaPssSha384 => "RSA-PSS-SHA384",
        Algorithm::RsaPssSha512 => "RSA-PSS-SHA512",
        Algorithm::Jws => {
            let names = scheme.jws.iter().flat_map(|jws| jws.algorithms).map(|algorithm| algorithm.name());
            return format!("token: {}", names.collect::<Vec<_>>().join(", "));
        }
        _ => panic!("{} has a signature without a name", scheme.name),
    };
    let several = match scheme.signature.grammar {
        Grammar::Fields { .. } | Grammar::AnyField { .. } | Grammar::Versions { .. } => ", several",
        Grammar::TimeFirst { .. } | Grammar::List { .. } => ", several",
        _ if !scheme.signature.others.is_empty() => ", several",
        _ => "",
    };
    format!("{algorithm}{several}")
}

fn signed(scheme: &Scheme<'_>) -> String {
    let mut parts: Vec<String> = scheme.message.iter().flat_map(part).collect();
    for claim in scheme.jws.iter().flat_map(|jws| jws.claims) {
        match claim.expected {
            Expected::BodySha256(_) | Expected::BodySha256IfAny(_) => parts.push("body".to_owned()),
            Expected::Sha256(message, _) => parts.extend(message.iter().flat_map(part)),
            _ => {}
        }
    }
    let mut seen = BTreeSet::new();
    parts.retain(|part| seen.insert(part.clone()));
    if scheme.jws.is_some_and(|jws| !jws.detached) {
        parts.insert(0, "claims".to_owned());
    }
    if parts.is_empty() { "nothing".to_owned() } else { parts.join(", ") }
}

fn part(part: &Part<'_>) -> Vec<String> {
    let one = |text: &str| vec![text.to_owned()];
    match part {
        Part::Id => one("id"),
        Part::Timestamp => one("time"),
        Part::Body | Part::BodySha256 | Part::BodySha256Raw => one("body"),
        Part::BodyCrc32 => one("CRC of the body"),
        Part::Method => one("method"),
        Part::Url | Part::UrlDecoding(_) => one("URL"),
        Part::Path => one("path"),
        Part::Target => one("path and query"),
        Part::SortedForm { .. } => one("form"),
        Part::Header(name) | Part::Json(name) | Part::Form(name) | Part::Field(name) | Part::Query(name) => {
            vec![format!("`{name}`")]
        }
        Part::FormJson(_, pointer) => vec![format!("`{pointer}`")],
        Part::Parameter(name) => vec![format!("`{name}`")],
        Part::Canonical(canonical) => {
            let covered = canonical.covers.iter().map(|source| match source {
                Source::Body => "body".to_owned(),
                // Of long pointers, the end says what is meant.
                Source::Json(pointer) => format!("`{}`", pointer.rsplit('/').next().unwrap_or(pointer)),
                Source::Header(name) | Source::Form(name) | Source::Field(name) => {
                    format!("`{name}`")
                }
                Source::Query(name) => format!("`{name}`"),
                Source::FormJson(_, pointer) => format!("`{pointer}`"),
                _ => "more".to_owned(),
            });
            covered.collect()
        }
        Part::Text(_) | Part::Secret => Vec::new(),
        part => panic!("{part:?} has no name"),
    }
}

fn window(scheme: &Scheme<'_>) -> String {
    match (scheme.timestamp, scheme.repeats) {
        (Some(_), _) if scheme.tolerance.past == scheme.tolerance.future => {
            format!("±{} s", scheme.tolerance.past.as_secs())
        }
        (Some(_), _) => format!("−{} s, +{} s", scheme.tolerance.past.as_secs(), scheme.tolerance.future.as_secs()),
        (None, _) if scheme.jws.is_some_and(|jws| jws.expires) => "until it expires".to_owned(),
        (None, Repeats::Always) => "always, replays too".to_owned(),
        (None, _) => "always".to_owned(),
    }
}

fn place(scheme: &Scheme<'_>, source: Option<Source<'_>>) -> String {
    let Some(source) = source else { return "–".to_owned() };
    let text = match source {
        Source::JsonAny(any) => any.iter().map(|pointer| format!("`{pointer}`")).collect::<Vec<_>>().join(" or "),
        Source::Json(name)
        | Source::Header(name)
        | Source::Field(name)
        | Source::Query(name)
        | Source::Form(name)
        | Source::Claim(name) => format!("`{name}`"),
        Source::FormJson(_, pointer) | Source::JsonEach(_, pointer) => format!("`{pointer}`"),
        Source::Body => "the body".to_owned(),
        source => panic!("{}: {source:?} has no name", scheme.name),
    };
    let is_signed = match scheme.id == Some(source) && scheme.message.contains(&Part::Id) {
        true => true,
        false => scheme.signs(source),
    };
    if is_signed { text } else { format!("{text}, unsigned") }
}

fn retries(scheme: &Scheme<'_>) -> String {
    let retries = scheme.profile.retries;
    let after = match retries.on {
        RetryOn::Unknown => return "–".to_owned(),
        RetryOn::Never => return "never".to_owned(),
        RetryOn::AnyFailure => "any failure",
        RetryOn::ServerErrors => "5xx",
        RetryOn::ServerErrorsAndRateLimits => "5xx, 429",
        RetryOn::Timeouts => "timeouts",
        other => panic!("{}: {other:?} has no name", scheme.name),
    };
    let hours = retries.lasting.as_secs() / 3600;
    let lasting = if hours == 0 { String::new() } else { format!(", {hours} h") };
    format!("{after}{lasting}")
}

fn needs(scheme: &Scheme<'_>) -> String {
    let mut needs: Vec<String> = parameters(scheme).into_iter().map(|name| format!("`{name}`")).collect();
    let signs_url = |parts: &[Part<'_>]| parts.iter().any(|part| matches!(part, Part::Url | Part::UrlDecoding(_)));
    let claims = scheme.jws.iter().flat_map(|jws| jws.claims);
    let in_claims = claims.into_iter().any(|claim| match claim.expected {
        Expected::Sha256(parts, _) => signs_url(parts),
        _ => false,
    });
    if signs_url(scheme.message) || in_claims {
        needs.insert(0, "public URL".to_owned());
    }
    let feature = match scheme.algorithm {
        Algorithm::Ed25519 => Some("`ed25519`"),
        Algorithm::Jws => Some("`jwt`"),
        algorithm => match format!("{algorithm:?}") {
            name if name.starts_with("Ecdsa") => Some("`ecdsa`"),
            name if name.starts_with("Rsa") => Some("`rsa`"),
            _ => None,
        },
    };
    needs.extend(feature.map(|feature| format!("feature {feature}")));
    if needs.is_empty() { "–".to_owned() } else { needs.join(", ") }
}

/// What only the owner of an endpoint knows.
fn parameters(scheme: &Scheme<'_>) -> Vec<String> {
    let mut names = Vec::new();
    for part in scheme.message {
        match part {
            Part::Parameter(name) => names.push((*name).to_owned()),
            Part::Canonical(canonical) => names.extend(canonical.parameters.iter().map(|name| (*name).to_owned())),
            _ => {}
        }
    }
    if let Grammar::Pairs { parameter, .. } = scheme.signature.grammar {
        names.push(parameter.to_owned());
    }
    let claims = scheme.jws.iter().flat_map(|jws| jws.claims);
    names.extend(claims.filter_map(|claim| match claim.expected {
        Expected::Parameter(name) => Some(name.to_owned()),
        _ => None,
    }));
    names
}
