//! Keys that are not configured: which ones a request needs, and what they prove.

use std::sync::Arc;

use super::{
    Verification,
    proof::{Proof, is_of_name, key_id},
};
use crate::{
    Rejection,
    clock::UnixTime,
    key::{Digested, FoundKey, KeyForm, KeyQuery, KeySource, PublicKey},
    scheme::{Algorithm, Head, SignedRequest, candidates::Candidates, plan::OwnedKeys, verifier::Keys},
};
use bytes::Bytes;

impl Verification {
    /// Which keys must be [found](Self::supply) before the request can be judged; `None` if no more are needed.
    ///
    /// With `body`, everything is known that a request can say; without, there may be keys that only the body names, and nothing is answered
    /// for those.
    ///
    /// # Errors
    ///
    /// If the request names no key, or in a form that cannot be understood.
    pub(crate) fn key_query(&self, head: Head<'_>, body: Option<&Bytes>) -> Result<Option<KeyQuery>, Rejection> {
        let plan = self.verifier.plan();
        if self.found.is_some() || !matches!(self.verifier.inner().keys, Keys::Elsewhere(_)) {
            return Ok(None);
        }
        let is_known = match &plan.keys {
            OwnedKeys::Certificate { url, .. } => plan.is_in_head(url),
            _ => plan.key_id.as_ref().is_none_or(|place| plan.is_in_head(place)) && plan.signature_is_in_head(),
        };
        let body = match body {
            Some(body) => &body[..],
            None if is_known => &[],
            None => return Ok(None),
        };
        let request = self.verifier.request(head, self.family, body)?;
        let id = key_id(&request)?;
        let (url, form) = match &plan.keys {
            OwnedKeys::JwkSet { url } => (url.clone(), KeyForm::JwkSet),
            OwnedKeys::Pem { url } => {
                let id = id.as_deref().ok_or(Rejection::UnknownKey)?;
                // It becomes part of a path: nothing in it may lead elsewhere.
                let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
                if id.is_empty() || id.len() > 128 || !id.bytes().all(is_plain) {
                    return Err(Rejection::UnknownKey);
                }
                (url.replace("{kid}", id).into(), KeyForm::Pem)
            }
            OwnedKeys::Certificate { url, hosts, name } => {
                let url = request.only_value(url)?.ok_or(Rejection::UnknownKey)?;
                (url.into(), KeyForm::Certificate { hosts: Arc::clone(hosts), name: name.clone() })
            }
            OwnedKeys::Configured | OwnedKeys::X5c { .. } => return Ok(None),
        };
        Ok(Some(KeyQuery { url, id: id.as_deref().map(Into::into), form }))
    }

    pub(crate) fn source(&self) -> Option<&Arc<dyn KeySource>> {
        match &self.verifier.inner().keys {
            Keys::Elsewhere(source) => Some(source),
            _ => None,
        }
    }

    /// Takes the keys that were asked for.
    ///
    /// # Errors
    ///
    /// If the head is enough to see that the request is not genuine.
    pub(crate) fn supply(&mut self, keys: Arc<[FoundKey]>, head: Head<'_>) -> Result<(), Rejection> {
        self.found = Some(keys);
        #[cfg(feature = "jwt")]
        if self.verifier.plan().algorithm == Algorithm::Jws && self.verifier.plan().signature_is_in_head() {
            let verifier = self.verifier.clone();
            self.begin_token(&verifier.request(head, self.family, &[])?)?;
        }
        #[cfg(not(feature = "jwt"))]
        let _ = head;
        Ok(())
    }

    pub(crate) fn now(&self) -> UnixTime {
        self.now
    }

    pub(super) fn prove_by_public_key(
        &self,
        message: &Digested<'_>,
        candidates: &Candidates,
        request: &SignedRequest<'_>,
    ) -> Result<Proof, Rejection> {
        let algorithm = request.plan.algorithm.asymmetric().ok_or(Rejection::SignatureMismatch)?;
        let named = key_id(request)?;
        let mut is_known = false;
        for (key_index, (key, key_id)) in self.public_keys()?.enumerate() {
            if !is_of_name(key_id, named.as_deref()) || !self.verifier.is_in_time(key_index, self.now) {
                continue;
            }
            is_known = true;
            if candidates.asymmetric().iter().any(|signature| key.verifies(algorithm, message, signature)) {
                return Ok(Proof { key_index, key_id: key_id.cloned(), digest: message.sha256() });
            }
        }
        Err(if is_known { Rejection::SignatureMismatch } else { Rejection::UnknownKey })
    }

    pub(super) fn public_keys(&self) -> Result<impl Iterator<Item = (&PublicKey, Option<&Arc<str>>)>, Rejection> {
        let inner = self.verifier.inner();
        let (configured, found): (&[PublicKey], &[FoundKey]) = match &inner.keys {
            Keys::Public(keys) => (keys, &[]),
            Keys::Elsewhere(_) => (&[], self.found.as_deref().ok_or(NOT_FOUND_YET)?),
            _ => (&[], &[]),
        };
        let configured = configured.iter().zip(inner.key_ids.iter().map(Option::as_ref));
        Ok(configured.chain(found.iter().map(|found| (&found.key, found.id.as_ref()))))
    }
}

const NOT_FOUND_YET: Rejection =
    Rejection::Misconfigured { why: "the scheme's keys must be fetched, which only a layer can do" };

impl Digested<'_> {
    /// The message's hash, if it was made.
    fn sha256(&self) -> Option<[u8; 32]> {
        match self {
            Self::Whole(_) => None,
            Self::Digest(digest) => digest.as_ref().try_into().ok(),
        }
    }
}
