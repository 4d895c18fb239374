//! JSON Web Signatures: whose key signed the token, and whether it says what it must.

use std::borrow::Cow;

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{
    Verification,
    proof::{Proof, State, is_of_name},
    vouched_for,
};
use crate::{
    Delivery, Rejection,
    delivery::{Identity, SignedAt},
    key::{Material, Secret, Tag, first_match},
    scheme::{
        JwsAlgorithm, SignedRequest,
        candidates::without_scheme,
        mac::Keyed,
        place::Place,
        plan::{JwsPlan, Plan},
        token::Token,
        verifier::Keys,
    },
};

/// A token whose signature is good, and which is in its time.
pub(super) struct Vouched {
    proof: Proof,
    /// Of header and payload.
    digest: [u8; 32],
    claims: Value,
    /// If a claim says it.
    signed_at: Option<SignedAt>,
}

impl Verification {
    /// Judges the token in a head as far as that is possible without the body.
    pub(super) fn begin_token(&mut self, request: &SignedRequest<'_>) -> Result<(), Rejection> {
        let jws = request.plan.jws.as_ref().ok_or(Rejection::UnusableSignature)?;
        let text = read(request)?;
        let token = Token::parse(&text, &jws.algorithms)?;
        if !jws.is_detached && self.has_keys() {
            self.state = State::Vouched(Box::new(self.vouch(request, &token, token.payload)?));
        }
        Ok(())
    }

    pub(super) fn judge_token(&mut self, mut request: SignedRequest<'_>, body: &Bytes) -> Result<Delivery, Rejection> {
        let plan = request.plan;
        let jws = plan.jws.as_ref().ok_or(Rejection::UnusableSignature)?;
        self.verifier.read_facts(&mut request, |_| true)?;
        let Vouched { proof, digest, claims, signed_at } = match std::mem::replace(&mut self.state, State::Late) {
            State::Vouched(vouched) => *vouched,
            _ => {
                let text = read(&request)?;
                let token = Token::parse(&text, &jws.algorithms)?;
                self.vouch(&request, &token, &payload(&token, jws, &request)?)?
            }
        };
        jws.claims.check(&claims, &request)?;
        let signed_at = match (&plan.timestamp, signed_at.or(self.signed_at)) {
            (Some((_, format)), None) => {
                let text = request.timestamp().ok_or(Rejection::MissingTimestamp)?;
                Some(self.verifier.judge(text, *format, self.now)?)
            }
            (_, signed_at) => signed_at,
        };
        let request = SignedRequest { claims: Some(&claims), ..request };
        let id = plan.id(&request, body)?;
        let identity = if id.is_signed && id.as_str().is_some() {
            Identity::SignedId
        } else if jws.covers_body || !plan.signature_is_in_head() {
            // What stands around a token in the body is nobody's word.
            Identity::Digest(digest)
        } else {
            vouched_for(&id, body)
        };
        Ok(self.delivery(proof, signed_at, id, identity, &request, body))
    }

    /// Judges everything about a token that does not depend on the rest of the request.
    fn vouch(&self, request: &SignedRequest<'_>, token: &Token<'_>, payload: &str) -> Result<Vouched, Rejection> {
        let plan = request.plan;
        let jws = plan.jws.as_ref().ok_or(Rejection::UnusableSignature)?;
        let proof = self.prove_token(token, payload)?;
        let digest = Sha256::new_with_prefix(token.header).chain_update(payload).finalize().into();
        let claims = if jws.is_detached { Value::Null } else { token.claims()? };
        jws.claims.check_time(&claims, self.now)?;
        let signed_at = match &plan.timestamp {
            Some((Place::Claim(pointer), format)) => {
                let text = crate::scheme::token::claim(&claims, pointer).ok_or(Rejection::MissingTimestamp)?;
                let judged = self.verifier.judge(&text, *format, self.now);
                Some(judged.map_err(|rejection| match rejection {
                    Rejection::MalformedTimestamp => Rejection::WrongClaim { claim: (&**pointer).into() },
                    rejection => rejection,
                })?)
            }
            _ => None,
        };
        Ok(Vouched { proof, digest, claims, signed_at })
    }

    fn has_keys(&self) -> bool {
        match &self.verifier.inner().keys {
            #[cfg(feature = "_public-key")]
            Keys::Elsewhere(_) => self.found.is_some(),
            _ => true,
        }
    }

    /// Whose key signed the token.
    fn prove_token(&self, token: &Token<'_>, payload: &str) -> Result<Proof, Rejection> {
        let Keys::Any(keys) = &self.verifier.inner().keys else {
            return self.prove_token_by_found_key(token, payload);
        };
        let ids = &self.verifier.inner().key_ids;
        let mut refusal = Rejection::UnknownKey;
        for (key_index, (key, key_id)) in keys.iter().zip(ids).enumerate() {
            let named = token.key_id.as_deref();
            if !is_of_name(key_id.as_ref(), named) || !self.verifier.is_in_time(key_index, self.now) {
                continue;
            }
            match self.verifies(key, token, payload) {
                Ok(()) => return Ok(Proof { key_index, key_id: key_id.clone(), digest: None }),
                Err(why) => refusal = why,
            }
        }
        Err(refusal)
    }

    fn verifies(&self, key: &Material, token: &Token<'_>, payload: &str) -> Result<(), Rejection> {
        match key {
            Material::Secret(secret) => verifies_by_secret(secret, token, payload),
            #[cfg(feature = "_public-key")]
            Material::Public(key) => match &self.verifier.plan().keys {
                crate::scheme::plan::OwnedKeys::X5c { leaf, intermediate } => {
                    let key = chain_key(token, key, self.now, leaf, intermediate)?;
                    verifies_by_public_key(&key, token, payload)
                }
                _ => verifies_by_public_key(key, token, payload),
            },
            #[cfg(not(feature = "_public-key"))]
            Material::Public(_) => Err(Rejection::WrongAlgorithm),
        }
    }

    #[cfg(feature = "_public-key")]
    fn prove_token_by_found_key(&self, token: &Token<'_>, payload: &str) -> Result<Proof, Rejection> {
        let mut refusal = Rejection::UnknownKey;
        for (key_index, (key, key_id)) in self.public_keys()?.enumerate() {
            if !is_of_name(key_id, token.key_id.as_deref()) {
                continue;
            }
            match verifies_by_public_key(key, token, payload) {
                Ok(()) => return Ok(Proof { key_index, key_id: key_id.cloned(), digest: None }),
                Err(why) => refusal = why,
            }
        }
        Err(refusal)
    }

    #[cfg(not(feature = "_public-key"))]
    fn prove_token_by_found_key(&self, _: &Token<'_>, _: &str) -> Result<Proof, Rejection> {
        Err(Rejection::UnknownKey)
    }
}

/// The token as it stands in the request.
pub(super) fn read<'r>(request: &'r SignedRequest<'_>) -> Result<Cow<'r, str>, Rejection> {
    use crate::scheme::plan::OwnedGrammar;
    let text = request.signature.as_deref().ok_or(Rejection::MissingSignature)?;
    let text = match &request.plan.grammar {
        OwnedGrammar::AuthScheme(prefix) => without_scheme(text, prefix).ok_or(Rejection::UnusableSignature)?,
        OwnedGrammar::Prefixed(prefix) => text.strip_prefix(&**prefix).ok_or(Rejection::UnusableSignature)?,
        _ => text,
    };
    Ok(Cow::Borrowed(text))
}

/// The payload, as it was signed.
fn payload<'t>(token: &Token<'t>, jws: &JwsPlan, request: &SignedRequest<'_>) -> Result<Cow<'t, str>, Rejection> {
    if !jws.is_detached {
        return Ok(Cow::Borrowed(token.payload));
    }
    if !token.payload.is_empty() {
        return Err(Rejection::UnusableSignature);
    }
    let mut message = Vec::new();
    request.plan.message.write(request, |part| message.extend_from_slice(part))?;
    Ok(Cow::Owned(URL_SAFE_NO_PAD.encode(&message)))
}

/// A secret verifies HMAC and nothing else, whatever the token says: taking a public key's text for a secret is how tokens were forged
/// (RFC 8725 section 2.1).
fn verifies_by_secret(secret: &Secret, token: &Token<'_>, payload: &str) -> Result<(), Rejection> {
    let algorithm = token.algorithm.mac().ok_or(Rejection::WrongAlgorithm)?;
    let mut keyed = Keyed::new(algorithm, secret).ok_or(Rejection::WrongAlgorithm)?;
    keyed.update(token.header.as_bytes());
    keyed.update(payload.as_bytes());
    let length = algorithm.tag_len();
    let tag = Tag::new(&token.signature).filter(|_| token.signature.len() == length);
    match first_match(&[keyed.finish()], tag.as_slice(), |_| true) {
        Some(_) => Ok(()),
        None => Err(Rejection::SignatureMismatch),
    }
}

#[cfg(feature = "_public-key")]
fn verifies_by_public_key(key: &crate::key::PublicKey, token: &Token<'_>, payload: &str) -> Result<(), Rejection> {
    let algorithm = token.algorithm.asymmetric().ok_or(Rejection::WrongAlgorithm)?;
    if key.kind() != algorithm.kind() || key.algorithm().is_some_and(|only| only != token.algorithm) {
        return Err(Rejection::WrongAlgorithm);
    }
    if let Some(issuer) = key.issuer() {
        check_tenant(issuer, token)?;
    }
    let mut digesting = crate::key::Digesting::new(algorithm);
    digesting.update(token.header.as_bytes());
    digesting.update(payload.as_bytes());
    match key.verifies(algorithm, &digesting.finish(), &token.signature) {
        true => Ok(()),
        false => Err(Rejection::SignatureMismatch),
    }
}

/// Microsoft publishes the keys of all its tenants in one set, and says with each whose tokens it signs: of one tenant, or of any (`{tenantid}`).
/// Without this check, the key of consumers' accounts vouches for employees of companies.
#[cfg(feature = "_public-key")]
fn check_tenant(issuer: &str, token: &Token<'_>) -> Result<(), Rejection> {
    let claims = token.claims()?;
    let text = |name: &str| claims.get(name).and_then(Value::as_str).unwrap_or_default();
    let (tenant, claimed) = (text("tid"), text("iss"));
    let is_of_tenant = |issuer: &str| issuer.split('/').any(|segment| segment == tenant);
    if tenant.is_empty() || !is_of_tenant(claimed) || !is_of_tenant(&issuer.replace("{tenantid}", tenant)) {
        return Err(Rejection::WrongClaim { claim: "/iss".into() });
    }
    Ok(())
}

#[cfg(all(feature = "_public-key", feature = "x509"))]
fn chain_key(
    token: &Token<'_>,
    root: &crate::key::PublicKey,
    now: crate::clock::UnixTime,
    leaf: &[Box<str>],
    intermediate: &[Box<str>],
) -> Result<crate::key::PublicKey, Rejection> {
    fn oids(texts: &[Box<str>]) -> Vec<&str> {
        texts.iter().map(|text| &**text).collect()
    }
    let root = root.certificate().ok_or(Rejection::UntrustedKey { why: "the root is no certificate" })?;
    crate::key::x5c_key(&token.chain, &[root], now, &oids(leaf), &oids(intermediate)).map_err(Rejection::from)
}

#[cfg(all(feature = "_public-key", not(feature = "x509")))]
fn chain_key(
    token: &Token<'_>,
    _: &crate::key::PublicKey,
    _: crate::clock::UnixTime,
    _: &[Box<str>],
    _: &[Box<str>],
) -> Result<crate::key::PublicKey, Rejection> {
    debug_assert!(token.chain.len() <= 8);
    Err(Rejection::Misconfigured { why: "chains of certificates need the feature `x509`" })
}

/// # Errors
///
/// What is needed instead.
pub(in crate::scheme) fn check_key(
    key: &Material,
    algorithms: &[JwsAlgorithm],
    is_chain: bool,
) -> Result<(), &'static str> {
    match key {
        Material::Secret(_) if algorithms.iter().any(|algorithm| algorithm.mac().is_some()) => Ok(()),
        Material::Secret(_) => Err("a public key, not a secret"),
        #[cfg(feature = "_public-key")]
        Material::Public(key) if is_chain => match key.certificate() {
            _ if !cfg!(feature = "x509") => Err("the feature `x509` of this crate"),
            Some(_) => Ok(()),
            None => Err("the certificate at the root of its chains"),
        },
        #[cfg(feature = "_public-key")]
        Material::Public(key) => {
            let fits = algorithms.iter().filter_map(|algorithm| algorithm.asymmetric()).any(|a| key.fits(a));
            if fits { Ok(()) } else { Err("a key of a kind that its algorithms use") }
        }
        #[cfg(not(feature = "_public-key"))]
        Material::Public(_) => {
            let _ = is_chain;
            Err("a feature of this crate for public keys")
        }
    }
}

impl Plan {
    pub(super) fn jws_algorithms(&self) -> &[JwsAlgorithm] {
        self.jws.as_ref().map_or(&[], |jws| &jws.algorithms)
    }
}
