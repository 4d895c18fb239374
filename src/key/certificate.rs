//! Certificates (RFC 5280): whether one holds, and the key in it.

use std::{fmt, ops::RangeInclusive, sync::Arc, time::Duration};

use rustls_pki_types::{CertificateDer, TrustAnchor, pem::PemObject};
use webpki::{ALL_VERIFICATION_ALGS, EndEntityCert, Error, ExtendedKeyUsageValidator, KeyPurposeIdIter};
use x509_cert::{
    Certificate, TbsCertificate,
    der::{Decode, Encode, asn1::ObjectIdentifier},
    ext::pkix::{BasicConstraints, KeyUsage, SubjectAltName, name::DirectoryString, name::GeneralName},
};

use super::{KeyError, PublicKey};
use crate::{ConfigError, clock::UnixTime};

pub(crate) type Validity = RangeInclusive<UnixTime>;

/// No authority makes longer chains, and each certificate is work.
const MAX_CHAIN: usize = 8;

/// Far more than a certificate takes.
const MAX_CERTIFICATE: usize = 16 * 1024;

/// A key whose certificate holds.
#[derive(Clone, Debug)]
pub(crate) struct Certified {
    pub(crate) key: PublicKey,
    /// When all certificates on the way to the root are valid, in whole seconds, both ends included (RFC 5280 section 4.1.2.5).
    pub(crate) valid: Validity,
}

/// Certificates that are trusted because they were configured.
#[derive(Clone, Default)]
pub(crate) struct Roots(Arc<[Root]>);

struct Root {
    der: Box<[u8]>,
    anchor: TrustAnchor<'static>,
    valid: Validity,
}

impl Roots {
    pub(crate) fn from_pem(text: &str) -> Result<Self, ConfigError> {
        let chain = pem_certificates(text.as_bytes(), usize::MAX).map_err(|why| ConfigError::MalformedKey { why })?;
        Self::from_der(chain.iter().map(|der| &**der))
    }

    pub(crate) fn from_der<'a>(certificates: impl IntoIterator<Item = &'a [u8]>) -> Result<Self, ConfigError> {
        let malformed = |why| ConfigError::MalformedKey { why };
        let root = |der: &[u8]| {
            let certificate = parse(der).map_err(|_| malformed("the root is a broken certificate"))?;
            let der_type = CertificateDer::from(der);
            let anchor = webpki::anchor_from_trusted_cert(&der_type)
                .map_err(|_| malformed("the root cannot vouch for certificates"))?
                .to_owned();
            Ok(Root { der: der.into(), anchor, valid: validity(certificate.tbs_certificate()) })
        };
        let roots = certificates.into_iter().map(root).collect::<Result<Arc<[_]>, ConfigError>>()?;
        if roots.is_empty() {
            return Err(malformed("no root was given"));
        }
        Ok(Self(roots))
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Roots({})", self.0.len())
    }
}

/// The certificates of a PEM document, that of the key first.
///
/// # Errors
///
/// What is wrong with the document.
pub(crate) fn pem_chain(text: &[u8]) -> Result<Vec<Box<[u8]>>, &'static str> {
    pem_certificates(text, MAX_CHAIN)
}

/// Where there is text around the certificates, a host that repeats what strangers say may have put them there.
fn pem_certificates(text: &[u8], max: usize) -> Result<Vec<Box<[u8]>>, &'static str> {
    const BROKEN: &str = "it is broken PEM";
    let lines = str::from_utf8(text).map_err(|_| BROKEN)?.lines().map(str::trim).filter(|line| !line.is_empty());
    let (mut inside, mut count) = (false, 0);
    for line in lines {
        match line {
            "-----BEGIN CERTIFICATE-----" if !inside => (inside, count) = (true, count + 1),
            "-----END CERTIFICATE-----" if inside => inside = false,
            _ if !inside || line.starts_with('-') => return Err("it holds something else than certificates"),
            _ => {}
        }
    }
    if inside || count == 0 {
        return Err(BROKEN);
    }
    if count > max {
        return Err("it holds too many certificates");
    }
    let chain = CertificateDer::pem_slice_iter(text)
        .map(|certificate| certificate.map(|der| Box::from(&*der)))
        .collect::<Result<Vec<Box<[u8]>>, _>>()
        .map_err(|_| BROKEN)?;
    if chain.len() == count { Ok(chain) } else { Err(BROKEN) }
}

/// The key of the first certificate, if it holds at `now`.
///
/// Without roots nobody vouches for the certificate but the host it was fetched from. One that vouches for itself proves less than that, and
/// is refused unless it is pinned itself.
pub(crate) fn certified(
    chain: &[impl AsRef<[u8]>],
    roots: &Roots,
    now: UnixTime,
    name: &str,
) -> Result<Certified, KeyError> {
    let (leaf, rest) = bounded(chain)?;
    let certificate = parse(leaf)?;
    let subject = certificate.tbs_certificate();
    let valid = check_validity(subject, now)?;
    check_usage(subject)?;
    if !name.is_empty() {
        check_name(subject, name)?;
    }
    let key = key_of(subject)?;
    if roots.0.iter().any(|root| *root.der == *leaf) {
        return Ok(Certified { key, valid });
    }
    if subject.issuer() == subject.subject() {
        return untrusted("it is signed by itself");
    }
    if roots.0.is_empty() {
        check_end_entity(leaf, subject)?;
        return Ok(Certified { key, valid });
    }
    let (above, _) = check_path(leaf, rest, roots, now)?;
    Ok(Certified { key, valid: both(&valid, &above) })
}

/// The key of a JSON Web Signature's chain (`x5c`, RFC 7515 section 4.1.6) that leads to one of the roots.
///
/// With `intermediate_oids` the rules are those of Apple's App Store Server Library: exactly three certificates, of which the third is not
/// trusted for being there, and extensions that say what the first two are for.
#[cfg(feature = "jwt")]
pub(crate) fn x5c_key(
    chain: &[Vec<u8>],
    roots: &[&[u8]],
    now: UnixTime,
    leaf_oids: &[&str],
    intermediate_oids: &[&str],
) -> Result<PublicKey, KeyError> {
    let roots = Roots::from_der(roots.iter().copied()).map_err(|_| KeyError::Untrusted { why: "no root is usable" })?;
    let (leaf, rest) = bounded(chain)?;
    if !intermediate_oids.is_empty() && rest.len() != 2 {
        return untrusted("the chain must have three certificates");
    }
    let certificate = parse(leaf)?;
    let subject = certificate.tbs_certificate();
    check_validity(subject, now)?;
    check_usage(subject)?;
    check_extensions(subject, leaf_oids)?;
    let (_, issuer) = check_path(leaf, rest, &roots, now)?;
    if !intermediate_oids.is_empty() {
        let issuer = issuer.ok_or(KeyError::Untrusted { why: "the root signed it without an intermediate" })?;
        check_extensions(issuer.tbs_certificate(), intermediate_oids)?;
    }
    key_of(subject)
}

fn untrusted<T>(why: &'static str) -> Result<T, KeyError> {
    Err(KeyError::Untrusted { why })
}

fn bounded<C: AsRef<[u8]>>(chain: &[C]) -> Result<(&[u8], &[C]), KeyError> {
    let Some((leaf, rest)) = chain.split_first() else { return untrusted("there is no certificate") };
    if chain.len() > MAX_CHAIN || chain.iter().any(|der| der.as_ref().len() > MAX_CERTIFICATE) {
        return untrusted("the chain is too long");
    }
    Ok((leaf.as_ref(), rest))
}

fn parse(der: &[u8]) -> Result<Certificate, KeyError> {
    Certificate::from_der(der).or_else(|_| untrusted("it is a broken certificate"))
}

fn validity(certificate: &TbsCertificate) -> Validity {
    let time = |time: x509_cert::time::Time| UnixTime::from_secs(time.to_unix_duration().as_secs());
    let validity = certificate.validity();
    time(validity.not_before)..=time(validity.not_after)
}

fn both(one: &Validity, other: &Validity) -> Validity {
    *one.start().max(other.start())..=*one.end().min(other.end())
}

fn check_validity(certificate: &TbsCertificate, now: UnixTime) -> Result<Validity, KeyError> {
    let (valid, now) = (validity(certificate), now.floor_to_second());
    if now < *valid.start() {
        return untrusted("it is not valid yet");
    }
    if now > *valid.end() {
        return untrusted("it has expired");
    }
    Ok(valid)
}

/// RFC 5280 section 4.2.1.3.
fn check_usage(certificate: &TbsCertificate) -> Result<(), KeyError> {
    match certificate.get_extension::<KeyUsage>() {
        Ok(None) => Ok(()),
        Ok(Some((_, usage))) if usage.digital_signature() || usage.non_repudiation() => Ok(()),
        Ok(Some(_)) => untrusted("its key is not for signatures"),
        Err(_) => untrusted(BROKEN_EXTENSION),
    }
}

/// What is checked of leaves on the way to a root anyway: that no critical extension is unknown (RFC 5280 section 4.2), and that it is not an
/// authority's, whose keys sign nothing but certificates.
fn check_end_entity(der: &[u8], certificate: &TbsCertificate) -> Result<(), KeyError> {
    let der = CertificateDer::from(der);
    EndEntityCert::try_from(&der).or_else(|_| untrusted("it is a broken certificate"))?;
    match certificate.get_extension::<BasicConstraints>() {
        Ok(Some((_, constraints))) if constraints.ca => untrusted("it is an authority's"),
        Ok(_) => Ok(()),
        Err(_) => untrusted(BROKEN_EXTENSION),
    }
}

const BROKEN_EXTENSION: &str = "one of its extensions is broken";

/// By its DNS names; if it has none, by its common name, as certificates that are not for TLS servers are often named (RFC 6125 section 6.4.4).
fn check_name(certificate: &TbsCertificate, expected: &str) -> Result<(), KeyError> {
    const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
    let Ok(names) = certificate.get_extension::<SubjectAltName>() else { return untrusted(BROKEN_EXTENSION) };
    let names = names.map(|(_, names)| names.0).unwrap_or_default();
    let mut names = names.iter().filter_map(|name| match name {
        GeneralName::DnsName(name) => Some(name.as_str()),
        _ => None,
    });
    let named = match names.next() {
        Some(first) => std::iter::once(first).chain(names).any(|name| is_name(name, expected)),
        None => {
            let mut common = certificate.subject().iter().filter(|attribute| attribute.oid == COMMON_NAME);
            let (first, second) = (common.next(), common.next());
            let first = first.and_then(|attribute| DirectoryString::try_from(&attribute.value).ok());
            second.is_none() && first.is_some_and(|name| is_name(&name.value(), expected))
        }
    };
    if named { Ok(()) } else { untrusted("it is for another name") }
}

/// A name that starts with a dot stands for all that end so.
fn is_name(name: &str, expected: &str) -> bool {
    match expected.starts_with('.') {
        true => {
            name.to_ascii_lowercase().strip_suffix(&expected.to_ascii_lowercase()).is_some_and(|rest| !rest.is_empty())
        }
        false => name.eq_ignore_ascii_case(expected),
    }
}

#[cfg(feature = "jwt")]
fn check_extensions(certificate: &TbsCertificate, oids: &[&str]) -> Result<(), KeyError> {
    let extensions = certificate.extensions().map(Vec::as_slice).unwrap_or_default();
    let has = |oid: &&str| {
        ObjectIdentifier::new(oid).is_ok_and(|oid| extensions.iter().any(|extension| extension.extn_id == oid))
    };
    if oids.iter().all(has) { Ok(()) } else { untrusted("it was made for something else") }
}

fn key_of(certificate: &TbsCertificate) -> Result<PublicKey, KeyError> {
    let unusable = |_| KeyError::Untrusted { why: "its key is of no kind that is used" };
    let Ok(spki) = certificate.subject_public_key_info().to_der() else {
        return untrusted("it is a broken certificate");
    };
    PublicKey::from_spki(&spki).map_err(unusable)
}

/// RFC 5280 section 6: signatures, validity and constraints up to one of the roots. When all above the leaf is valid, and its issuer, if that is
/// not the root.
fn check_path(
    leaf: &[u8],
    rest: &[impl AsRef<[u8]>],
    roots: &Roots,
    now: UnixTime,
) -> Result<(Validity, Option<Certificate>), KeyError> {
    let second = now.floor_to_second();
    // That configured certificates expire like any other is stricter than RFC 5280 section 6.1.1 asks for.
    let anchors: Vec<_> =
        roots.0.iter().filter(|root| root.valid.contains(&second)).map(|root| root.anchor.clone()).collect();
    if anchors.is_empty() {
        return untrusted("no pinned root is valid now");
    }
    let leaf = CertificateDer::from(leaf);
    let rest: Vec<_> = rest.iter().map(|der| CertificateDer::from(der.as_ref())).collect();
    let entity = EndEntityCert::try_from(&leaf).or_else(|_| untrusted("it is a broken certificate"))?;
    let time = rustls_pki_types::UnixTime::since_unix_epoch(Duration::from_secs(now.as_secs()));
    let path = entity
        .verify_for_usage(ALL_VERIFICATION_ALGS, &anchors, &rest, time, AnyUsage, None, None)
        .map_err(|error| KeyError::Untrusted { why: path_problem(&error) })?;
    let spki = &path.anchor().subject_public_key_info;
    let root = roots.0.iter().find(|root| root.anchor.subject_public_key_info == *spki && root.valid.contains(&second));
    let Some(mut valid) = root.map(|root| root.valid.clone()) else { return untrusted("no pinned root is valid now") };
    let mut issuer = None;
    for intermediate in path.intermediate_certificates() {
        let certificate = parse(&intermediate.der())?;
        valid = both(&valid, &validity(certificate.tbs_certificate()));
        issuer.get_or_insert(certificate);
    }
    Ok((valid, issuer))
}

fn path_problem(error: &Error) -> &'static str {
    match error {
        Error::UnknownIssuer => "it does not lead to a pinned root",
        Error::CertExpired { .. } => "a certificate above it has expired",
        Error::CertNotValidYet { .. } => "a certificate above it is not valid yet",
        Error::InvalidSignatureForPublicKey => "a signature in the chain is wrong",
        _ => "the chain breaks the rules",
    }
}

/// Extended key usage names purposes of TLS, mail and code; none of them is webhooks.
struct AnyUsage;

impl ExtendedKeyUsageValidator for AnyUsage {
    fn validate(&self, _: KeyPurposeIdIter<'_, '_>) -> Result<(), Error> {
        Ok(())
    }
}

#[cfg(all(test, feature = "jwt"))]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, CertifiedIssuer, CustomExtension, DnType, IsCa, KeyPair, date_time_ymd,
    };

    use super::*;

    const LEAF: &str = "1.2.840.113635.100.6.11.1";
    const INTERMEDIATE: &str = "1.2.840.113635.100.6.2.1";

    const NOW: UnixTime = UnixTime::from_secs(1_800_000_000);

    type Ca = CertifiedIssuer<'static, KeyPair>;

    fn params(name: &str, oid: Option<&str>) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = date_time_ymd(2026, 1, 1);
        params.not_after = date_time_ymd(2028, 1, 1);
        if let Some(oid) = oid {
            let oid: Vec<u64> = oid.split('.').map(|arc| arc.parse().unwrap()).collect();
            params.custom_extensions.push(CustomExtension::from_oid_content(&oid, vec![5, 0]));
        }
        params
    }

    fn authority(name: &str, oid: Option<&str>, above: Option<&Ca>) -> Ca {
        let mut params = params(name, oid);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let key = KeyPair::generate().unwrap();
        match above {
            None => CertifiedIssuer::self_signed(params, key).unwrap(),
            Some(above) => CertifiedIssuer::signed_by(params, key, above).unwrap(),
        }
    }

    fn judge(chain: &[&[u8]], roots: &[&[u8]], now: UnixTime) -> Result<PublicKey, &'static str> {
        let chain: Vec<_> = chain.iter().map(|der| der.to_vec()).collect();
        x5c_key(&chain, roots, now, &[LEAF], &[INTERMEDIATE]).map_err(|error| match error {
            KeyError::Untrusted { why } => why,
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn a_chain_in_a_token_leads_to_the_pinned_root_through_certificates_made_for_it() {
        let root = authority("root", None, None);
        let intermediate = authority("intermediate", Some(INTERMEDIATE), Some(&root));
        let unmarked = authority("unmarked", None, Some(&root));
        let impostor_root = authority("root", None, None);
        let impostor = authority("intermediate", Some(INTERMEDIATE), Some(&impostor_root));
        let renewed = root.key();
        let mut renewed_params = params("root", None);
        renewed_params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        renewed_params.not_after = date_time_ymd(2030, 1, 1);
        let renewed = renewed_params.self_signed(renewed).unwrap();

        let key = KeyPair::generate().unwrap();
        let leaf = |oid: Option<&str>, above: &Ca| params("leaf", oid).signed_by(&key, above).unwrap();
        let good = leaf(Some(LEAF), &intermediate);
        let (good, i, r) = (&**good.der(), &**intermediate.der(), &**root.der());
        let (plain, below_unmarked) = (leaf(None, &intermediate), leaf(Some(LEAF), &unmarked));
        let (below_impostor, below_root) = (leaf(Some(LEAF), &impostor), leaf(Some(LEAF), &root));
        let public = PublicKey::parse(&key.public_key_pem()).unwrap();

        let three = Err("the chain must have three certificates");
        let purpose = Err("it was made for something else");
        let no_root = Err("it does not lead to a pinned root");
        type Case<'c> = (&'c str, &'c [&'c [u8]], &'c [&'c [u8]], Result<PublicKey, &'c str>);
        let cases: [Case<'_>; 14] = [
            ("as it should be", &[good, i, r], &[r], Ok(public.clone())),
            ("another certificate of the root", &[good, i, renewed.der()], &[r], Ok(public.clone())),
            ("one of two roots", &[good, i, r], &[impostor_root.der(), r], Ok(public)),
            ("none", &[], &[r], Err("there is no certificate")),
            ("one", &[good], &[r], three.clone()),
            ("two", &[good, i], &[r], three.clone()),
            ("four", &[good, i, r, r], &[r], three),
            ("no mark on the leaf", &[plain.der(), i, r], &[r], purpose.clone()),
            ("no mark on the intermediate", &[below_unmarked.der(), unmarked.der(), r], &[r], purpose),
            (
                "a marked one that did not sign",
                &[below_root.der(), i, r],
                &[r],
                Err("the root signed it without an intermediate"),
            ),
            (
                "a root that it brings along",
                &[below_impostor.der(), impostor.der(), impostor_root.der()],
                &[r],
                Err("a signature in the chain is wrong"),
            ),
            (
                "signed by another of that name",
                &[below_impostor.der(), i, r],
                &[r],
                Err("a signature in the chain is wrong"),
            ),
            ("no root", &[good, i, r], &[], Err("no root is usable")),
            ("another root", &[good, i, r], &[unmarked.der()], no_root),
        ];
        for (name, chain, roots, expected) in cases {
            assert_eq!(judge(chain, roots, NOW), expected, "{name}");
        }
        for (year, expected) in [(2025, "it is not valid yet"), (2029, "it has expired")] {
            let now = UnixTime::from_secs(u64::try_from(date_time_ymd(year, 1, 1).unix_timestamp()).unwrap());
            assert_eq!(judge(&[good, i, r], &[r], now), Err(expected), "{year}");
        }
    }
}
