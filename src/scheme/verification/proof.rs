//! Whose key made a signature.

use std::{borrow::Cow, sync::Arc};

use sha2::{Digest, Sha256};

use super::Verification;
use crate::{
    Rejection,
    key::{Tag, first_match},
    scheme::{
        Algorithm, SignedRequest, Verifier,
        candidates::Candidates,
        mac::{Keyed, PlainHash},
        place::Place,
        verifier::Keys,
    },
};
#[cfg(feature = "_public-key")]
use crate::{
    key::{Digested, Digesting},
    scheme::Asymmetric,
};

/// What the message has been made into so far.
pub(super) enum State {
    Macs(Macs),
    /// Nothing: the message is written when all of it is there.
    Late,
    #[cfg(feature = "_public-key")]
    Digesting(Digesting),
    /// A token whose signature was judged as soon as its key was there.
    #[cfg(feature = "jwt")]
    Vouched(Box<super::tokens::Vouched>),
}

/// One MAC for each key.
pub(super) enum Macs {
    One(Keyed),
    Several(Vec<Keyed>),
}

/// What a good signature proves.
pub(super) struct Proof {
    pub(super) key_index: usize,
    pub(super) key_id: Option<Arc<str>>,
    /// A digest of what was signed, if one fell off; mostly none is needed.
    pub(super) digest: Option<[u8; 32]>,
}

impl Verification {
    /// Whose key made one of the signatures.
    pub(super) fn prove(&mut self, request: &SignedRequest<'_>) -> Result<Proof, Rejection> {
        let plan = request.plan;
        let verifier = &self.verifier.inner();
        let is_streamed = plan.is_streamed();
        let is_in_time = |index| self.verifier.is_in_time(index, self.now);
        let candidates = self.candidates.as_ref().ok_or(Rejection::MissingSignature)?;
        let write = |sink: &mut dyn FnMut(&[u8])| match is_streamed {
            true if plan.message.has_end() => plan.message.write_end(request, sink),
            true => Ok(()),
            false => plan.message.write(request, sink),
        };
        match std::mem::replace(&mut self.state, State::Late) {
            State::Macs(mut macs) => {
                write(&mut |part| macs.update(part))?;
                let judged = match &plan.key_id {
                    None => macs.judge(candidates, is_in_time),
                    Some(_) => {
                        macs.judge_named(candidates, &verifier.key_ids, key_id(request)?.as_deref(), is_in_time)?
                    }
                };
                let (key_index, tag) = judged.ok_or(Rejection::SignatureMismatch)?;
                // The tag that we computed is a keyed digest of the signed bytes. But where several signatures may be left out, which key
                // matches is for an attacker to choose, and with it the tag.
                let digest = (!plan.may_carry_several()).then_some(tag);
                Ok(Proof { key_index, key_id: verifier.key_ids.get(key_index).cloned().flatten(), digest })
            }
            #[cfg(feature = "_public-key")]
            State::Digesting(mut digesting) => {
                write(&mut |part| digesting.update(part))?;
                self.prove_by_public_key(&digesting.finish(), candidates, request)
            }
            // Ed25519 reads its message twice, so that it is not worth a copy of the body while that arrives.
            #[cfg(feature = "_public-key")]
            _ if plan.algorithm == Algorithm::Ed25519 => {
                let message = Digested::Whole(plan.message.whole(request)?);
                self.prove_by_public_key(&message, candidates, request)
            }
            _ => prove_by_hash(&verifier.keys, candidates, request, is_in_time).map(|key_index| Proof {
                key_index,
                key_id: verifier.key_ids.get(key_index).cloned().flatten(),
                digest: None,
            }),
        }
    }
}

/// Names what was signed; without the secret, where that is part of it, so that the same bytes are the same delivery whichever of several
/// signatures was left in.
pub(super) fn digest_of(request: &SignedRequest<'_>) -> Result<[u8; 32], Rejection> {
    let mut digest = Sha256::new();
    request.plan.message.write(request, |part| digest.update(part))?;
    Ok(digest.finalize().into())
}

impl State {
    pub(super) fn new(verifier: &Verifier) -> Self {
        match &verifier.inner().keys {
            Keys::Macs(keys) => Self::Macs(Macs::new(keys)),
            #[cfg(feature = "_public-key")]
            Keys::Public(_) | Keys::Elsewhere(_) => match verifier.plan().algorithm.asymmetric() {
                Some(Asymmetric::Ed25519) | None => Self::Late,
                Some(algorithm) => Self::Digesting(Digesting::new(algorithm)),
            },
            _ => Self::Late,
        }
    }

    pub(super) fn update(&mut self, data: &[u8]) {
        match self {
            Self::Macs(macs) => macs.update(data),
            #[cfg(feature = "_public-key")]
            Self::Digesting(digesting) => digesting.update(data),
            _ => {}
        }
    }
}

impl Macs {
    fn new(keys: &[Keyed]) -> Self {
        match keys {
            [only] => Self::One(only.clone()),
            keys => Self::Several(keys.to_vec()),
        }
    }

    fn update(&mut self, data: &[u8]) {
        match self {
            Self::One(mac) => mac.update(data),
            Self::Several(macs) => macs.iter_mut().for_each(|mac| mac.update(data)),
        }
    }

    /// The key that made one of the candidates, and the start of its tag.
    fn judge(self, candidates: &Candidates, is_in_time: impl Fn(usize) -> bool) -> Option<(usize, [u8; 32])> {
        match self {
            Self::One(mac) => judge(&[mac.finish()], candidates, is_in_time),
            Self::Several(macs) => {
                judge(&macs.into_iter().map(Keyed::finish).collect::<Vec<_>>(), candidates, is_in_time)
            }
        }
    }
}

impl Macs {
    /// As [`judge`](Self::judge), but only keys of the name that the request gives. The name is no secret.
    ///
    /// # Errors
    ///
    /// If no key has that name.
    fn judge_named(
        self,
        candidates: &Candidates,
        ids: &[Option<Arc<str>>],
        named: Option<&str>,
        is_in_time: impl Fn(usize) -> bool,
    ) -> Result<Option<(usize, [u8; 32])>, Rejection> {
        let macs = match self {
            Self::One(mac) => vec![mac],
            Self::Several(macs) => macs,
        };
        let (indices, tags): (Vec<usize>, Vec<Tag>) = macs
            .into_iter()
            .zip(ids)
            .enumerate()
            .filter(|(_, (_, id))| is_of_name(id.as_ref(), named))
            .map(|(index, (mac, _))| (index, mac.finish()))
            .unzip();
        if tags.is_empty() {
            return Err(Rejection::UnknownKey);
        }
        let judged = judge(&tags, candidates, |index| is_in_time(indices[index]));
        Ok(judged.map(|(index, digest)| (indices[index], digest)))
    }
}

/// A key out of its time costs as much as any other, and its match does not count.
fn judge(tags: &[Tag], candidates: &Candidates, is_in_time: impl Fn(usize) -> bool) -> Option<(usize, [u8; 32])> {
    let index = first_match(tags, candidates.tags(), is_in_time)?;
    let mut start = [0; 32];
    start.copy_from_slice(&tags[index].as_bytes()[..32]);
    Some((index, start))
}

/// The message is written anew for each secret, which is in it.
fn prove_by_hash(
    keys: &Keys,
    candidates: &Candidates,
    request: &SignedRequest<'_>,
    is_in_time: impl Fn(usize) -> bool,
) -> Result<usize, Rejection> {
    let Keys::Secrets(secrets) = keys else { return Err(Rejection::SignatureMismatch) };
    let message = &request.plan.message;
    let mut tags = Vec::with_capacity(secrets.len());
    for secret in secrets {
        let mut hash = PlainHash::new(request.plan.algorithm).ok_or(Rejection::SignatureMismatch)?;
        let request = SignedRequest { secret: secret.expose(), ..request.clone() };
        message.write(&request, |part| hash.update(part))?;
        tags.push(hash.finish());
    }
    judge(&tags, candidates, is_in_time).map(|(key_index, _)| key_index).ok_or(Rejection::SignatureMismatch)
}

/// Which key the request says has signed it.
pub(super) fn key_id<'r>(request: &SignedRequest<'r>) -> Result<Option<Cow<'r, str>>, Rejection> {
    #[cfg(feature = "jwt")]
    if request.plan.algorithm == Algorithm::Jws {
        let id = super::tokens::read(request).and_then(|text| {
            let token = crate::scheme::token::Token::parse(&text, request.plan.jws_algorithms())?;
            Ok(token.key_id.map(|id| Cow::Owned(id.to_string())))
        });
        return id;
    }
    let Some(place) = &request.plan.key_id else { return Ok(None) };
    match place {
        Place::Field(name) if request.signature.is_none() => {
            // The signature may be in the body, which has come only now.
            let signature = request.signature_at(&request.plan.signature)?;
            SignedRequest { signature, ..request.clone() }.field(name)
        }
        place => request.only_value(place),
    }
}

/// A key without a name may be any; one with a name is only asked if the request names it, or none.
pub(super) fn is_of_name(key: Option<&Arc<str>>, named: Option<&str>) -> bool {
    match (key, named) {
        (Some(key), Some(named)) => **key == *named,
        _ => true,
    }
}
