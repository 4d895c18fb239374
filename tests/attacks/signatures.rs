//! The grammar of signatures, and what they cover: group S of the catalogue.

use base64::{Engine, engine::general_purpose::STANDARD};

use crate::{
    deliveries::{BODY, Provider, github, standard, stripe, stripe_signature},
    server::{Outcome::*, Seen, Site, check},
    wire::Raw,
};

/// The base request with another signature header.
fn signed(header: impl AsRef<[u8]>) -> Raw {
    Provider::Standard.base().set("webhook-signature", header)
}

fn good() -> String {
    Provider::Standard.base().value("webhook-signature")
}

const ZEROS: &str = "v1,AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";

/// Requests that all fail, on one server, and then one that does not.
async fn check_all_unauthenticated(provider: Provider, cases: impl IntoIterator<Item = (String, Raw)>) {
    let site = Site::start(provider).await;
    for (case, request) in cases {
        let reply = site.send(&request).await;
        site.judge(&case, &request, Some(&reply), Refused(401));
    }
    site.assert_still_serves("all of them").await;
}

#[tokio::test]
async fn a_signature_of_another_length_is_none() {
    let shorter = (0..44).map(|length| (format!("S-02 {length} characters"), signed(&good()[..3 + length])));
    let longer = (1..=64).map(|more| (format!("S-02 {more} more"), signed(good() + &"A".repeat(more))));
    check_all_unauthenticated(Provider::Standard, shorter.chain(longer)).await;
}

#[tokio::test]
async fn every_bit_of_a_signature_counts() {
    let tag = STANDARD.decode(&good()[3..]).unwrap();
    let flipped = (0..256).map(|bit| {
        let mut tag = tag.clone();
        tag[bit / 8] ^= 1 << (bit % 8);
        (format!("S-03 bit {bit}"), signed(format!("v1,{}", STANDARD.encode(tag))))
    });
    check_all_unauthenticated(Provider::Standard, flipped).await;
}

#[tokio::test]
async fn a_signature_has_one_spelling() {
    let good = good();
    for (case, header) in [
        ("S-04 without padding", good.trim_end_matches('=').to_owned()),
        ("S-04 with more padding", format!("{good}=")),
        ("S-04 of the other alphabet", good.replace('/', "_").replace('+', "-")),
        ("S-04 with a blank inside", good.replacen("UgQ", "U gQ", 1)),
        ("S-04 with a tab inside", good.replacen("UgQ", "U\tgQ", 1)),
        // The last character before the padding carries two bits that must be zero.
        ("S-04 with trailing bits 01", good.replace("U=", "V=")),
        ("S-04 with trailing bits 10", good.replace("U=", "W=")),
        ("S-04 with trailing bits 11", good.replace("U=", "X=")),
        (
            "S-04 in hexadecimal digits",
            format!("v1,{}", base16ct::lower::encode_string(&STANDARD.decode(&good[3..]).unwrap())),
        ),
    ] {
        assert_ne!(header, good, "{case}");
        check(case, Provider::Standard, &signed(header), Refused(401)).await;
    }
    check(
        "S-04 with a newline inside",
        Provider::Standard,
        &signed(good.replacen("UgQ", "U\ngQ", 1)),
        RefusedByServer(400),
    )
    .await;
}

#[tokio::test]
async fn hexadecimal_signatures_have_one_spelling() {
    let digits = stripe_signature("1800000000", BODY.as_bytes());
    let github = Provider::GitHub.base().value("x-hub-signature-256").replace("sha256=", "");
    for (case, change) in [
        ("upper case", (|digits: &str| digits.to_uppercase()) as fn(&str) -> String),
        ("one digit less", |digits| digits[1..].to_owned()),
        ("one digit more", |digits| format!("{digits}0")),
        ("a byte more", |digits| format!("{digits}00")),
        ("a prefix", |digits| format!("0x{digits}")),
        ("a prefix instead of a byte", |digits| format!("0x{}", &digits[2..])),
        ("not a digit", |digits| format!("g{}", &digits[1..])),
        ("nothing", |_| String::new()),
    ] {
        let request = Provider::Stripe.base().set("stripe-signature", format!("t=1800000000,v1={}", change(&digits)));
        check(&format!("S-05 T {case}"), Provider::Stripe, &request, Refused(401)).await;
        let request = Provider::GitHub.base().set("x-hub-signature-256", format!("sha256={}", change(&github)));
        check(&format!("S-05 G {case}"), Provider::GitHub, &request, Refused(401)).await;
    }
}

#[tokio::test]
async fn one_good_signature_among_a_few_is_enough() {
    let good = good();
    for (case, header, expected) in [
        ("S-06 bad, good", format!("{ZEROS} {good}"), Handled),
        ("S-06 good, bad", format!("{good} {ZEROS}"), Handled),
        ("S-06 unreadable, good", format!("v1,? {good}"), Handled),
        ("S-07 v2", good.replace("v1,", "v2,"), Refused(401)),
        ("S-07 V1", good.replace("v1,", "V1,"), Refused(401)),
        ("S-07 v1a", good.replace("v1,", "v1a,"), Refused(401)),
        ("S-07 no version", good.replace("v1,", ""), Refused(401)),
        ("S-07 good of another version, bad", format!("{} {ZEROS}", good.replace("v1,", "v2,")), Refused(401)),
        ("S-09 15 bad, good", format!("{} {good}", [ZEROS; 15].join(" ")), Handled),
        ("S-09 16 bad, good", format!("{} {good}", [ZEROS; 16].join(" ")), Refused(401)),
        ("S-09 17 bad, good", format!("{} {good}", [ZEROS; 17].join(" ")), Refused(401)),
        ("S-10 two blanks", format!("{ZEROS}  {good}"), Handled),
        ("S-10 a leading blank", format!(" {good}"), Handled),
        ("S-10 a comma", format!("{ZEROS},{good}"), Refused(401)),
        ("S-10 a comma, the other way", format!("{good},{ZEROS}"), Refused(401)),
        ("S-10 a tab", format!("{ZEROS}\t{good}"), Refused(401)),
        ("S-10 nothing", format!("{ZEROS}{good}"), Refused(401)),
    ] {
        check(case, Provider::Standard, &signed(header), expected).await;
    }
}

#[tokio::test]
async fn the_fields_of_a_signature_header_come_in_any_order() {
    let v1 = format!("v1={}", stripe_signature("1800000000", BODY.as_bytes()));
    let bad = format!("v1={}", "0".repeat(64));
    for (case, header, expected) in [
        ("S-13 reversed, with a blank", format!("{v1}, t=1800000000"), Handled),
        ("S-13 an unknown scheme beside it", format!("t=1800000000,v0=abc,{v1}"), Handled),
        ("S-13 bad, good", format!("t=1800000000,{bad},{v1}"), Handled),
        ("S-13 two times", format!("t=1800000000,t=1800000000,{v1}"), Refused(400)),
        ("S-13 two times, one of them stale", format!("t=1,t=1800000000,{v1}"), Refused(400)),
        ("S-13 no time", v1.clone(), Refused(401)),
        ("S-13 no signature", "t=1800000000".to_owned(), Refused(401)),
        ("S-13 another scheme", format!("t=1800000000,{}", v1.replace("v1=", "v0=")), Refused(401)),
        ("S-13 semicolons", format!("t=1800000000;{v1}"), Refused(401)),
        ("S-13 only separators", ",,,=,=,,".to_owned(), Refused(401)),
        ("S-13 nothing", String::new(), Refused(401)),
    ] {
        check(case, Provider::Stripe, &Provider::Stripe.base().set("stripe-signature", header), expected).await;
    }
}

#[tokio::test]
async fn the_request_does_not_choose_the_algorithm() {
    let digits = Provider::GitHub.base().value("x-hub-signature-256").replace("sha256=", "");
    for header in ["sha512=", "sha1=", "md5=", "none=", "SHA256=", ""].map(|prefix| format!("{prefix}{digits}")) {
        let request = Provider::GitHub.base().set("x-hub-signature-256", &header);
        check(&format!("S-15 {header}"), Provider::GitHub, &request, Refused(401)).await;
    }
    let old = Provider::GitHub.base().rename(|name| name.replace("X-Hub-Signature-256", "X-Hub-Signature"));
    check("S-15 the old header", Provider::GitHub, &old, Refused(401)).await;
}

#[tokio::test]
async fn the_bytes_are_signed_and_not_what_they_mean() {
    for (case, body) in [
        ("S-16 a blank after the colon", r#"{"type": "ping","n":1}"#),
        ("S-16 other order of keys", r#"{"n":1,"type":"ping"}"#),
        ("S-16 another spelling of a number", r#"{"type":"ping","n":1.0}"#),
        ("S-16 an escaped letter", r#"{"type":"\u0070ing","n":1}"#),
        ("S-16 a newline at the end", "{\"type\":\"ping\",\"n\":1}\n"),
        ("S-16 a byte order mark", "\u{feff}{\"type\":\"ping\",\"n\":1}"),
        ("S-16 line breaks of another kind", "{\"type\":\"ping\",\r\n\"n\":1}"),
        ("S-16 not JSON", "type=ping&n=1"),
    ] {
        for (provider, original, resigned) in [
            (Provider::Standard, Provider::Standard.base(), standard("msg_1", "1800000000", body)),
            (Provider::GitHub, Provider::GitHub.base(), github("d-1", body)),
            (Provider::Stripe, Provider::Stripe.base(), stripe("1800000000", body)),
        ] {
            check(&format!("{case}, {provider:?}"), provider, &original.body(body), Refused(401)).await;
            check(&format!("{case}, {provider:?}, signed so"), provider, &resigned, Handled).await;
        }
    }
}

#[tokio::test]
async fn bodies_are_bytes() {
    for (case, body, signature) in [
        ("S-17 not UTF-8", &b"\xff\xfe\0"[..], "v1,xpG/1zafhimbsEgYijUHLDIIW4d93XyBiQJ9CZ9+9eM="),
        ("S-17 nothing", b"", "v1,mReU6bb05yaLG4dgKLekoGaSbbrPDThupza6SCAcqyk="),
    ] {
        check(case, Provider::Standard, &signed(signature).body(body), Handled).await;
        check(case, Provider::Standard, &signed(signature).body(body).chunked(2), Handled).await;
    }
}

#[tokio::test]
async fn the_handler_gets_the_bytes_that_were_verified() {
    const KIB: usize = 1024;
    for length in [0, 1, 64 * KIB, KIB * KIB] {
        let body: Vec<u8> = (0..length).map(|n| u8::try_from(n * 31 % 251).unwrap()).collect();
        let request = standard("msg_1", "1800000000", &body);
        check(&format!("S-19 {length} bytes"), Provider::Standard, &request, Handled).await;
        let sizes = if length > 64 * KIB { 4093..4095 } else { 1..8 };
        for size in sizes {
            let case = format!("S-19 {length} bytes in chunks of {size}");
            check(&case, Provider::Standard, &request.clone().chunked(size), Handled).await;
        }
    }
    let site = Site::start(Provider::Standard).await;
    let request = Provider::Standard.base().with_trailers("x-checksum: 1\r\nx-other: 2\r\n");
    let reply = site.send(&request).await;
    site.judge("S-19 with trailers", &request, Some(&reply), Handled);
    assert_eq!(Seen::of(&reply).trailers, ["x-checksum", "x-other"]);
}
