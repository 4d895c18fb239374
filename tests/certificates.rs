//! Certificates that are fetched: which are believed.

#[path = "support/https.rs"]
mod https;
mod support;

use std::{convert::Infallible, sync::Arc};

use base64::{Engine, engine::general_purpose::STANDARD};
use http::{Request, Response};
use https::authority;
use proptest::prelude::*;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, SigningKey, date_time_ymd,
};
use support::clock;
use tower::service_fn;
use tower_webhook::{
    clock::UnixTime,
    key::{HostRule, KeyError, KeyForm, KeyQuery, KeySource, NoBody, PublicKey, RemoteKeys},
};

const NAME: &str = "sns.provider.test";

/// 2027-01-15.
const NOW: u64 = support::NOW;

const DAY: u64 = 24 * 60 * 60;

type Ca = CertifiedIssuer<'static, KeyPair>;

type Change = fn(&mut CertificateParams);

#[tokio::test]
async fn a_certificate_holds_for_its_time_name_and_purpose() {
    let ca = authority("somebody");
    let cases: [(&str, Change, &str); 20] = [
        ("as it should be", |_| {}, "holds"),
        ("from this second on", |it| it.not_before = date_time_ymd(2027, 1, 15) + secs(8 * 3600), "holds"),
        ("until this second", |it| it.not_after = date_time_ymd(2027, 1, 15) + secs(8 * 3600), "holds"),
        ("until a second ago", |it| it.not_after = date_time_ymd(2027, 1, 15) + secs(8 * 3600 - 1), "it has expired"),
        ("in a second", |it| it.not_before = date_time_ymd(2027, 1, 15) + secs(8 * 3600 + 1), "it is not valid yet"),
        ("expired long ago", |it| it.not_after = date_time_ymd(2020, 1, 1), "it has expired"),
        ("not valid yet", |it| it.not_before = date_time_ymd(2040, 1, 1), "it is not valid yet"),
        ("never valid", |it| (it.not_before, it.not_after) = (it.not_after, it.not_before), "it is not valid yet"),
        ("another name", |it| it.subject_alt_names = names(&["other.provider.test"]), "it is for another name"),
        (
            "a name that begins so",
            |it| it.subject_alt_names = names(&["sns.provider.test.evil.example"]),
            "it is for another name",
        ),
        ("a name that ends so", |it| it.subject_alt_names = names(&["a.sns.provider.test"]), "it is for another name"),
        ("any name", |it| it.subject_alt_names = names(&["*.provider.test"]), "it is for another name"),
        ("the name among others", |it| it.subject_alt_names = names(&["a.test", "SNS.provider.test"]), "holds"),
        ("a common name", |it| common_name(it, NAME), "holds"),
        ("another common name", |it| common_name(it, "other.provider.test"), "it is for another name"),
        ("two common names", two_common_names, "it is for another name"),
        ("no name at all", |it| common_name(it, ""), "it is for another name"),
        (
            "for encryption",
            |it| it.key_usages = vec![KeyUsagePurpose::KeyEncipherment],
            "its key is not for signatures",
        ),
        ("an authority's", |it| it.is_ca = IsCa::Ca(BasicConstraints::Unconstrained), "it is an authority's"),
        (
            "with something that must be understood",
            |it| {
                let mut extension = CustomExtension::from_oid_content(&[1, 2, 3, 4], vec![5, 0]);
                extension.set_criticality(true);
                it.custom_extensions.push(extension);
            },
            "it is a broken certificate",
        ),
    ];
    for (name, change, expected) in cases {
        let (pem, key) = leaf(&ca, change);
        assert_eq!(judge(&pem, None, &key).await, expected, "{name}");
    }
}

#[tokio::test]
async fn a_common_name_does_not_count_beside_dns_names() {
    let ca = authority("somebody");
    let (pem, key) = leaf(&ca, |it| {
        common_name(it, NAME);
        it.subject_alt_names = names(&["other.provider.test"]);
    });
    assert_eq!(judge(&pem, None, &key).await, "it is for another name");
}

#[tokio::test]
async fn purposes_of_tls_do_not_matter_and_neither_does_the_kind_of_key() {
    let ca = authority("somebody");
    for algorithm in [&PKCS_ED25519, &PKCS_ECDSA_P384_SHA384] {
        let key = KeyPair::generate_for(algorithm).unwrap();
        let mut params = params();
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature, KeyUsagePurpose::KeyEncipherment];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &ca).unwrap();
        for roots in [None, Some(ca.pem())] {
            assert_eq!(judge(&certificate.pem(), roots.as_deref(), &key).await, "holds", "{algorithm:?}");
        }
    }
}

#[tokio::test]
async fn a_certificate_that_vouches_for_itself_must_be_pinned() {
    for is_ca in [IsCa::NoCa, IsCa::Ca(BasicConstraints::Unconstrained)] {
        let key = KeyPair::generate().unwrap();
        let mut params = params();
        params.is_ca = is_ca;
        let certificate = params.self_signed(&key).unwrap().pem();
        assert_eq!(judge(&certificate, None, &key).await, "it is signed by itself");
        assert_eq!(judge(&certificate, Some(&authority("x").pem()), &key).await, "it is signed by itself");
        assert_eq!(judge(&certificate, Some(&certificate), &key).await, "holds");

        params.not_after = date_time_ymd(2020, 1, 1);
        let expired = params.self_signed(&key).unwrap().pem();
        assert_eq!(judge(&expired, Some(&expired), &key).await, "it has expired");
    }
}

#[tokio::test]
async fn a_chain_must_lead_to_a_pinned_root() {
    let (root, other) = (authority("root"), authority("other"));
    let impostor = authority("root");
    let intermediate = below("intermediate", &root, |_| {});
    let (direct, key) = leaf(&root, |_| {});
    let (indirect, indirect_key) = leaf(&intermediate, |_| {});
    let (stranger, stranger_key) = leaf(&other, |_| {});
    let (forged, forged_key) = leaf(&impostor, |_| {});
    let (r, i, o) = (root.pem(), intermediate.pem(), other.pem());

    let roots = [&*o, &r].concat();
    for (name, chain, roots, key, expected) in [
        ("signed by the root", &*direct, &*r, &key, "holds"),
        ("with the root", &[&*direct, &r].concat(), &r, &key, "holds"),
        ("one of several roots", &direct, &roots, &key, "holds"),
        ("signed below the root", &[&*indirect, &i].concat(), &r, &indirect_key, "holds"),
        ("the whole chain", &[&*indirect, &i, &r].concat(), &r, &indirect_key, "holds"),
        ("in disorder", &[&*indirect, &r, &o, &i].concat(), &r, &indirect_key, "holds"),
        ("the intermediate is pinned", &indirect, &i, &indirect_key, "holds"),
        ("the intermediate is missing", &indirect, &r, &indirect_key, "it does not lead to a pinned root"),
        ("another root", &direct, &o, &key, "it does not lead to a pinned root"),
        (
            "a root that it brings along",
            &[&*stranger, &o].concat(),
            &r,
            &stranger_key,
            "it does not lead to a pinned root",
        ),
        ("a root of the same name", &forged, &r, &forged_key, "a signature in the chain is wrong"),
        ("no roots", &stranger, "", &stranger_key, "holds"),
    ] {
        let roots = Some(roots).filter(|roots| !roots.is_empty());
        assert_eq!(judge(chain, roots, key).await, expected, "{name}");
    }
}

#[tokio::test]
async fn everything_above_a_certificate_must_hold_too() {
    let root = authority("root");
    let cases: [(&str, Change, &str); 4] = [
        ("expired", |it| it.not_after = date_time_ymd(2020, 1, 1), "a certificate above it has expired"),
        ("not valid yet", |it| it.not_before = date_time_ymd(2040, 1, 1), "a certificate above it is not valid yet"),
        ("no authority", |it| it.is_ca = IsCa::ExplicitNoCa, "the chain breaks the rules"),
        ("an authority that does not say so", |it| it.is_ca = IsCa::NoCa, "the chain breaks the rules"),
    ];
    for (name, change, expected) in cases {
        let intermediate = below("intermediate", &root, change);
        let (pem, key) = leaf(&intermediate, |_| {});
        let chain = [pem, intermediate.pem()].concat();
        assert_eq!(judge(&chain, Some(&root.pem()), &key).await, expected, "{name}");
    }

    let mut params = ca_params("root");
    params.not_after = date_time_ymd(2020, 1, 1);
    let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let (pem, key) = leaf(&root, |_| {});
    assert_eq!(judge(&pem, Some(&root.pem()), &key).await, "no pinned root is valid now");

    let mut params = ca_params("root");
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    let root = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
    let upper = below("upper", &root, |it| it.is_ca = IsCa::Ca(BasicConstraints::Constrained(0)));
    let lower = below("lower", &upper, |_| {});
    let (pem, key) = leaf(&lower, |_| {});
    let chain = [pem, lower.pem(), upper.pem()].concat();
    assert_eq!(judge(&chain, Some(&root.pem()), &key).await, "the chain breaks the rules", "longer than allowed");
}

#[tokio::test]
async fn a_certificate_that_is_remembered_expires_all_the_same() {
    let root = authority("root");
    let intermediate = below("intermediate", &root, |it| it.not_after = date_time_ymd(2027, 1, 16));
    let (pem, key) = leaf(&intermediate, |_| {});
    let chain = [pem, intermediate.pem()].concat();
    let keys = serving(&chain, Some(&root.pem()));
    assert_eq!(outcome(&keys, NOW, &key).await, "holds");
    assert_eq!(outcome(&keys, NOW + DAY, &key).await, "the certificate is not valid now");
    assert_eq!(outcome(&keys, NOW, &key).await, "holds");
}

#[tokio::test]
async fn documents_hold_certificates_and_nothing_else() {
    let ca = authority("somebody");
    let (pem, key) = leaf(&ca, |_| {});
    let der = STANDARD.decode(pem.lines().filter(|line| !line.starts_with('-')).collect::<String>()).unwrap();
    let wrapped =
        |der: &[u8]| format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(der));
    let (cut, longer) = (wrapped(&der[..der.len() - 1]), wrapped(&[&der[..], &[0]].concat()));
    // The length of the outermost sequence, left open, as only BER has it.
    let indefinite = wrapped(&[&[0x30, 0x80], &der[4..], &[0, 0]].concat());
    let deep = wrapped(&[0x30, 0x80].repeat(4000));
    let sequences = wrapped(&(1..60).rev().flat_map(|length| [0x30, length * 2]).collect::<Vec<u8>>());
    let long = wrapped(&[&der[..], &vec![0; 20_000]].concat());
    let something = "it holds something else than certificates";
    let broken = "it is a broken certificate";
    for (name, document, expected) in [
        ("one", &*pem, "holds"),
        ("blank lines", &format!("\r\n\n{}\n\n", pem.replace('\n', "\r\n")), "holds"),
        ("eight", &pem.repeat(8), "holds"),
        ("nine", &pem.repeat(9), "it holds too many certificates"),
        ("nothing", "", "it is broken PEM"),
        ("blanks", " \n ", "it is broken PEM"),
        ("text before it", &format!("<DisplayName>\n{pem}"), something),
        ("text after it", &format!("{pem}</DisplayName>"), something),
        ("text on its line", &format!("<DisplayName>{pem}"), something),
        ("a private key", &key.serialize_pem(), something),
        ("a private key after it", &format!("{pem}{}", key.serialize_pem()), something),
        ("a public key", &key.public_key_pem(), something),
        ("no end", &pem.replace("-----END CERTIFICATE-----\n", ""), "it is broken PEM"),
        ("another end", &pem.replace("-----END CERTIFICATE", "-----END X509 CRL"), something),
        ("no base64", "-----BEGIN CERTIFICATE-----\n!!!!\n-----END CERTIFICATE-----", "it is broken PEM"),
        ("beginnings", &"-----BEGIN CERTIFICATE-----\n".repeat(2000), something),
        ("one after another in one line", &"-----BEGIN ".repeat(4000), something),
        ("empty", "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----", broken),
        ("cut", &cut, broken),
        ("longer than it says", &longer, broken),
        ("indefinite length", &indefinite, broken),
        ("deep, without lengths", &deep, broken),
        ("deep", &sequences, broken),
        ("very long", &long, "the chain is too long"),
        ("more than is read", &pem.repeat(1000), "the answer is too large"),
    ] {
        assert_eq!(judge(document, None, &key).await, expected, "{name}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..support::property() })]

    /// Whatever is changed in a chain, it does not come to hold for another key.
    #[test]
    fn damaged_certificates_neither_panic_nor_hold(position in any::<prop::sample::Index>(), with in 1_u8..) {
        let root = authority("root");
        let key = KeyPair::generate().unwrap();
        let der = params().signed_by(&key, &root).unwrap().der().to_vec();
        let mut damaged = der;
        let position = position.index(damaged.len());
        damaged[position] ^= with;
        let pem = format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", STANDARD.encode(damaged));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let outcome = runtime.block_on(judge(&pem, Some(&root.pem()), &key));
        prop_assert_ne!(outcome, "holds");
    }
}

fn params() -> CertificateParams {
    let mut params = CertificateParams::new(vec![NAME.to_owned()]).unwrap();
    params.distinguished_name.push(DnType::CommonName, "a key");
    params
}

fn ca_params(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn names(names: &[&str]) -> Vec<rcgen::SanType> {
    names.iter().map(|name| rcgen::SanType::DnsName((*name).try_into().unwrap())).collect()
}

fn common_name(params: &mut CertificateParams, name: &str) {
    params.subject_alt_names.clear();
    params.distinguished_name = rcgen::DistinguishedName::new();
    if !name.is_empty() {
        params.distinguished_name.push(DnType::CommonName, name);
    }
    params.distinguished_name.push(DnType::OrganizationName, "provider");
}

/// The right one first: which of them counts is for nobody to guess.
fn two_common_names(params: &mut CertificateParams) {
    common_name(params, NAME);
    params.distinguished_name.push(DnType::CustomDnType(vec![2, 5, 4, 3]), "other.provider.test");
}

fn secs(secs: u64) -> std::time::Duration {
    std::time::Duration::from_secs(secs)
}

/// A certificate for the key of a provider, in PEM.
fn leaf(issuer: &Issuer<'_, impl SigningKey>, change: impl FnOnce(&mut CertificateParams)) -> (String, KeyPair) {
    let mut params = params();
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    (params.signed_by(&key, issuer).unwrap().pem(), key)
}

fn below(name: &str, above: &Ca, change: impl FnOnce(&mut CertificateParams)) -> Ca {
    let mut params = ca_params(name);
    change(&mut params);
    CertifiedIssuer::signed_by(params, KeyPair::generate().unwrap(), above).unwrap()
}

/// Keys from a host that has this document.
fn serving(document: &str, roots: Option<&str>) -> RemoteKeys {
    let document: Arc<str> = document.into();
    let fetcher = service_fn(move |_: Request<NoBody>| {
        let document = Arc::clone(&document);
        async move { Ok::<_, Infallible>(Response::new(document.to_string())) }
    });
    let keys = RemoteKeys::new(fetcher).with_clock(clock());
    match roots {
        None => keys,
        Some(roots) => keys.trust_roots(roots).unwrap(),
    }
}

async fn judge(document: &str, roots: Option<&str>, key: &KeyPair) -> &'static str {
    outcome(&serving(document, roots), NOW, key).await
}

/// Why the certificate does not hold, or that it does, and for this key.
async fn outcome(keys: &RemoteKeys, now: u64, key: &KeyPair) -> &'static str {
    let hosts = [HostRule::Exact("keys.provider.test".into())];
    let form = KeyForm::Certificate { hosts: Arc::from(hosts), name: NAME.into() };
    let query = KeyQuery::new("https://keys.provider.test/key.pem", None, form);
    match keys.keys(query, UnixTime::from_secs(now)).await {
        Ok(found) => {
            let [found] = &*found else { panic!("one certificate, {} keys", found.len()) };
            assert_eq!(found.key, PublicKey::parse(&key.public_key_pem()).unwrap());
            "holds"
        }
        Err(KeyError::Untrusted { why } | KeyError::Unavailable { why }) => why,
        Err(other) => panic!("{other:?}"),
    }
}
