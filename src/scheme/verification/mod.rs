//! Judging one request: the head, the body as it comes, and the whole.

#[cfg(feature = "_public-key")]
mod found;
mod proof;
mod reading;
#[cfg(feature = "jwt")]
mod tokens;

use std::{fmt, sync::Arc};

use bytes::Bytes;
use http::StatusCode;
use sha2::{Digest, Sha256};

#[cfg(feature = "jwt")]
pub(super) use self::tokens::check_key as check_token_key;
use self::{
    proof::{Proof, State, digest_of},
    reading::read_candidates,
};
use super::{Algorithm, Head, SignedRequest, Verifier, candidates::Candidates, headers::Family};
#[cfg(feature = "_public-key")]
use crate::key::FoundKey;
use crate::{
    Delivery, Rejection,
    clock::UnixTime,
    delivery::{Claim, Identity, Proven, SignedAt},
};

/// A verification that has begun: it takes the body in chunks, then judges.
///
/// Where keys are not configured but [found](crate::key::KeySource), it must be given them in between:
/// [`VerifySignatureLayer`](crate::layer::VerifySignatureLayer) does.
#[must_use]
pub struct Verification {
    verifier: Verifier,
    state: State,
    /// `None` if they are in the body.
    candidates: Option<Candidates>,
    family: Family,
    signed_at: Option<SignedAt>,
    now: UnixTime,
    hashed: usize,
    #[cfg(feature = "_public-key")]
    found: Option<Arc<[FoundKey]>>,
}

impl Verification {
    pub(super) fn begin(verifier: &Verifier, head: Head<'_>, now: UnixTime) -> Result<Self, Rejection> {
        let plan = verifier.plan();
        let family = plan.family(head.headers)?;
        let mut request = verifier.request(head, family, &[])?;
        let mut this = Self {
            verifier: verifier.clone(),
            state: State::Late,
            candidates: None,
            family,
            signed_at: None,
            now,
            hashed: 0,
            #[cfg(feature = "_public-key")]
            found: None,
        };
        if plan.signature_is_in_head() {
            match plan.algorithm {
                #[cfg(feature = "jwt")]
                Algorithm::Jws => this.begin_token(&request)?,
                _ => this.candidates = Some(read_candidates(&request)?),
            }
        }
        verifier.read_facts(&mut request, |place| plan.is_in_head(place))?;
        if let (Some((_, format)), Some(text)) = (&plan.timestamp, request.timestamp()) {
            this.signed_at = Some(verifier.judge(text, *format, now)?);
        }
        if plan.algorithm != Algorithm::Jws {
            this.state = State::new(verifier);
        }
        if plan.is_streamed() {
            plan.message.write_start(&request, |part| this.state.update(part))?;
        }
        Ok(this)
    }

    /// Takes the next chunk of the body.
    pub fn update(&mut self, chunk: &[u8]) {
        self.hashed = self.hashed.saturating_add(chunk.len());
        if self.verifier.plan().is_streamed() {
            self.state.update(chunk);
        }
    }

    /// Judges, given the same head as before and the whole body, which must be the chunks put together.
    ///
    /// # Errors
    ///
    /// Why the request is not genuine.
    pub fn finish(mut self, head: Head<'_>, body: &Bytes) -> Result<Delivery, Rejection> {
        self.judge(head, body)
    }

    /// As [`finish`](Self::finish), in place: the state is large, and need not be moved to be used up.
    pub(crate) fn judge(&mut self, head: Head<'_>, body: &Bytes) -> Result<Delivery, Rejection> {
        let judged = self.judge_whole(head, body);
        if !self.verifier.is_decoy() {
            return judged;
        }
        Err(judged.err().filter(|why| why.status() != StatusCode::UNAUTHORIZED).unwrap_or(Rejection::UnknownKey))
    }

    fn judge_whole(&mut self, head: Head<'_>, body: &Bytes) -> Result<Delivery, Rejection> {
        if self.hashed != body.len() {
            return Err(Rejection::Misconfigured { why: "the body is not the chunks that were verified" });
        }
        let verifier = self.verifier.clone();
        let plan = verifier.plan();
        #[cfg(feature = "jwt")]
        if plan.algorithm == Algorithm::Jws {
            return self.judge_token(verifier.request(head, self.family, body)?, body);
        }
        let family = self.family;
        let read_again = || {
            let mut request = verifier.request(head, family, body)?;
            verifier.read_facts(&mut request, |_| true)?;
            Ok::<_, Rejection>(request)
        };
        let request = match plan.is_done_with_head() {
            true => verifier.bare_request(head, family, body),
            false => read_again()?,
        };
        if self.candidates.is_none() {
            self.candidates = Some(read_candidates(&request)?);
        }
        let proof = self.prove(&request)?;
        let signed_at = match (&plan.timestamp, self.signed_at) {
            (Some((_, format)), None) => {
                let text = request.timestamp().ok_or(Rejection::MissingTimestamp)?;
                Some(verifier.judge(text, *format, self.now)?)
            }
            (_, signed_at) => signed_at,
        };
        let id = plan.id(&request, body)?;
        let identity = if id.is_signed && id.as_str().is_some() {
            Identity::SignedId
        } else if plan.algorithm.is_token() {
            vouched_for(&id, body)
        } else {
            Identity::Digest(match proof.digest {
                Some(digest) => digest,
                None => digest_of(&read_again()?)?,
            })
        };
        Ok(self.delivery(proof, signed_at, id, identity, &request, body))
    }

    fn delivery(
        &self,
        proof: Proof,
        signed_at: Option<SignedAt>,
        id: Claim,
        identity: Identity,
        request: &SignedRequest<'_>,
        body: &Bytes,
    ) -> Delivery {
        let plan = self.verifier.plan();
        self.verifier.record_use(proof.key_index, self.now);
        Delivery::new(Proven {
            provider: Arc::clone(&plan.name),
            tenant: self.verifier.shared_tenant().cloned(),
            key_index: proof.key_index,
            key_id: proof.key_id,
            signed_at,
            id,
            event: plan.claim(plan.event.as_ref(), request, body),
            identity,
            repeats: plan.repeats,
            retries: plan.retries,
            client_certificate: None,
        })
    }
}

/// Whoever could change the id could change the body, so it is as good; and without it news would look like replays.
fn vouched_for(id: &Claim, body: &[u8]) -> Identity {
    let text = id.as_str().unwrap_or_default();
    let length = (text.len() as u64).to_be_bytes();
    Identity::Digest(Sha256::new_with_prefix(length).chain_update(text).chain_update(body).finalize().into())
}

impl fmt::Debug for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verification").field("provider", &self.verifier.provider()).finish_non_exhaustive()
    }
}
