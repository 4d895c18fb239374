use std::{borrow::Cow, fmt, sync::Arc};

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{
    Algorithm, Head, SignedRequest, TimestampFormat, Verifier,
    candidates::Candidates,
    headers::Family,
    mac::{Keyed, plain_hash},
    place::{Place, Signed},
    plan::Plan,
    verifier::Keys,
};
#[cfg(feature = "_public-key")]
use super::plan::OwnedKeys;
#[cfg(feature = "_public-key")]
use crate::key::{Digested, Digesting, FoundKey, KeyForm, KeyQuery, KeySource, PublicKey};
use crate::{
    Delivery, Rejection,
    clock::UnixTime,
    delivery::{Claim, ClaimText, Identity, Proven, SignedAt, Text},
    key::{Tag, first_match},
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

/// What the message has been made into so far.
enum State {
    Macs(Macs),
    /// Nothing: the message is written when all of it is there.
    Late,
    #[cfg(feature = "_public-key")]
    Digesting(Digesting),
}

/// One MAC for each key.
enum Macs {
    One(Keyed),
    Several(Vec<Keyed>),
}

/// What a good signature proves.
struct Proof {
    key_index: usize,
    key_id: Option<Arc<str>>,
    /// A digest of what was signed.
    digest: [u8; 32],
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
                Algorithm::Jws => drop(jws::read(&request)?),
                _ => this.candidates = Some(read_candidates(&request)?),
            }
        }
        verifier.read_facts(&mut request, |place| plan.is_in_head(place))?;
        if let (Some((place, format)), Some(text)) = (&plan.timestamp, request.timestamp())
            && !matches!(place, Place::Claim(_))
        {
            this.signed_at = Some(verifier.judge(text, *format, now)?);
        }
        this.state = State::new(verifier);
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
        if self.hashed != body.len() {
            return Err(Rejection::Misconfigured { why: "the body is not the chunks that were verified" });
        }
        let verifier = self.verifier.clone();
        let plan = verifier.plan();
        let mut request = verifier.request(head, self.family, body)?;
        #[cfg(feature = "jwt")]
        if plan.algorithm == Algorithm::Jws {
            return self.judge_jws(&request, body);
        }
        if self.candidates.is_none() {
            self.candidates = Some(read_candidates(&request)?);
        }
        verifier.read_facts(&mut request, |_| true)?;
        let proof = self.prove(&request)?;
        let signed_at = match (&plan.timestamp, self.signed_at) {
            (Some((_, format)), None) => {
                let text = request.timestamp().ok_or(Rejection::MissingTimestamp)?;
                Some(verifier.judge(text, *format, self.now)?)
            }
            (_, signed_at) => signed_at,
        };
        let id = plan.id(&request, body);
        let identity = if id.is_signed && id.as_str().is_some() {
            Identity::SignedId
        } else if plan.algorithm.is_token() {
            vouched_for(&id, body)
        } else {
            Identity::Digest(proof.digest)
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
        Delivery::new(Proven {
            provider: Arc::clone(&plan.name),
            key_index: proof.key_index,
            key_id: proof.key_id,
            signed_at,
            id,
            event: plan.claim(plan.event.as_ref(), request, body),
            identity,
            repeats: plan.repeats,
            retries: plan.retries,
        })
    }

    /// Whose key made one of the signatures.
    fn prove(&mut self, request: &SignedRequest<'_>) -> Result<Proof, Rejection> {
        let plan = request.plan;
        let verifier = &self.verifier.inner();
        let is_streamed = plan.is_streamed();
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
                    None => macs.judge(candidates),
                    Some(_) => macs.judge_named(candidates, &verifier.key_ids, key_id(request)?.as_deref())?,
                };
                let (key_index, mut digest) = judged.ok_or(Rejection::SignatureMismatch)?;
                if plan.may_carry_several() {
                    // Which key matches depends on which signatures an attacker left in, and with it the tag.
                    let mut message = Sha256::new();
                    plan.message.write(request, |part| message.update(part))?;
                    digest = message.finalize().into();
                }
                // Otherwise the tag that we computed is a keyed digest of the signed bytes already.
                Ok(Proof { key_index, key_id: verifier.key_ids.get(key_index).cloned().flatten(), digest })
            }
            #[cfg(feature = "_public-key")]
            State::Digesting(mut digesting) => {
                write(&mut |part| digesting.update(part))?;
                self.prove_by_public_key(&digesting.finish(), candidates, request)
            }
            State::Late => prove_by_hash(&verifier.keys, candidates, request).map(|(key_index, digest)| Proof {
                key_index,
                key_id: verifier.key_ids.get(key_index).cloned().flatten(),
                digest,
            }),
        }
    }
}

#[cfg(feature = "_public-key")]
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
    pub(crate) fn supply(&mut self, keys: Arc<[FoundKey]>) {
        self.found = Some(keys);
    }

    pub(crate) fn now(&self) -> UnixTime {
        self.now
    }

    fn prove_by_public_key(
        &self,
        message: &Digested,
        candidates: &Candidates,
        request: &SignedRequest<'_>,
    ) -> Result<Proof, Rejection> {
        let algorithm = request.plan.algorithm.asymmetric().ok_or(Rejection::SignatureMismatch)?;
        let named = key_id(request)?;
        let mut is_known = false;
        for (key_index, (key, key_id)) in self.public_keys()?.enumerate() {
            if !is_of_name(key_id, named.as_deref()) {
                continue;
            }
            is_known = true;
            if candidates.asymmetric().iter().any(|signature| key.verifies(algorithm, message, signature)) {
                return Ok(Proof { key_index, key_id: key_id.cloned(), digest: message.sha256() });
            }
        }
        Err(if is_known { Rejection::SignatureMismatch } else { Rejection::UnknownKey })
    }

    fn public_keys(&self) -> Result<impl Iterator<Item = (&PublicKey, Option<&Arc<str>>)>, Rejection> {
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

#[cfg(feature = "_public-key")]
const NOT_FOUND_YET: Rejection =
    Rejection::Misconfigured { why: "the scheme's keys must be fetched, which only a layer can do" };

/// Which key the request says has signed it.
fn key_id<'r>(request: &SignedRequest<'r>) -> Result<Option<Cow<'r, str>>, Rejection> {
    #[cfg(feature = "jwt")]
    if request.plan.algorithm == Algorithm::Jws {
        let id = jws::read(request).and_then(|text| {
            let token = super::jws::Token::parse(&text, request.plan.jws_algorithms())?;
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
fn is_of_name(key: Option<&Arc<str>>, named: Option<&str>) -> bool {
    match (key, named) {
        (Some(key), Some(named)) => **key == *named,
        _ => true,
    }
}

impl State {
    fn new(verifier: &Verifier) -> Self {
        match &verifier.inner().keys {
            Keys::Macs(keys) => Self::Macs(Macs::new(keys)),
            #[cfg(feature = "_public-key")]
            Keys::Public(_) | Keys::Elsewhere(_) => match verifier.plan().algorithm.asymmetric() {
                Some(algorithm) => Self::Digesting(Digesting::new(algorithm)),
                None => Self::Late,
            },
            _ => Self::Late,
        }
    }

    fn update(&mut self, data: &[u8]) {
        match self {
            Self::Macs(macs) => macs.update(data),
            #[cfg(feature = "_public-key")]
            Self::Digesting(digesting) => digesting.update(data),
            Self::Late => {}
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
    fn judge(self, candidates: &Candidates) -> Option<(usize, [u8; 32])> {
        match self {
            Self::One(mac) => judge(&[mac.finish()], candidates),
            Self::Several(macs) => judge(&macs.into_iter().map(Keyed::finish).collect::<Vec<_>>(), candidates),
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
        Ok(judge(&tags, candidates).map(|(index, digest)| (indices[index], digest)))
    }
}

fn judge(tags: &[Tag], candidates: &Candidates) -> Option<(usize, [u8; 32])> {
    let index = first_match(tags, candidates.tags())?;
    let mut start = [0; 32];
    start.copy_from_slice(&tags[index].as_bytes()[..32]);
    Some((index, start))
}

/// The message is written anew for each secret, which is in it.
fn prove_by_hash(
    keys: &Keys,
    candidates: &Candidates,
    request: &SignedRequest<'_>,
) -> Result<(usize, [u8; 32]), Rejection> {
    let Keys::Secrets(secrets) = keys else { return Err(Rejection::SignatureMismatch) };
    let mut tags = Vec::with_capacity(secrets.len());
    for secret in secrets {
        let mut message = zeroize::Zeroizing::new(Vec::new());
        let request = SignedRequest { secret: secret.expose(), ..request.clone() };
        request.plan.message.write(&request, |part| message.extend_from_slice(part))?;
        tags.extend(plain_hash(request.plan.algorithm, &message));
    }
    judge(&tags, candidates).ok_or(Rejection::SignatureMismatch)
}

fn read_candidates(request: &SignedRequest<'_>) -> Result<Candidates, Rejection> {
    let plan = request.plan;
    let mut texts: Vec<Cow<'_, str>> = Vec::new();
    let first;
    let texts = if plan.other_signatures.is_empty() {
        // Nearly always, and then nothing is allocated.
        first = match &request.signature {
            Some(text) => Some(Cow::Borrowed(&**text)),
            None => request.signature_at(&plan.signature)?,
        };
        first.as_slice()
    } else {
        texts.extend(request.signature.clone());
        for place in &plan.other_signatures {
            texts.extend(request.signature_at(place)?);
        }
        &texts[..]
    };
    if texts.is_empty() {
        return Err(Rejection::MissingSignature);
    }
    let texts = texts.iter().map(|text| &**text);
    Candidates::read(texts, &plan.grammar, request.parameters, plan.algorithm, plan.encoding)
        .ok_or(Rejection::UnusableSignature)
}

/// Whoever could change the id could change the body, so it is as good; and without it news would look like replays.
fn vouched_for(id: &Claim, body: &[u8]) -> Identity {
    let text = id.as_str().unwrap_or_default();
    let length = (text.len() as u64).to_be_bytes();
    Identity::Digest(Sha256::new_with_prefix(length).chain_update(text).chain_update(body).finalize().into())
}

impl Verifier {
    /// The request, with the text of its signature if that can be read.
    fn request<'r>(
        &'r self,
        head: Head<'r>,
        family: Family,
        body: &'r [u8],
    ) -> Result<SignedRequest<'r>, Rejection> {
        let inner = self.inner();
        let plan = self.plan();
        let mut request = SignedRequest {
            head,
            plan,
            family,
            body,
            url: inner.url.as_ref(),
            parameters: &inner.parameters,
            secret: &[],
            signature: None,
            timestamp: None,
            id: None,
            #[cfg(feature = "jwt")]
            claims: None,
        };
        if plan.signature_is_in_head() {
            request.signature = request.signature_at(&plan.signature)?;
        } else if !body.is_empty() {
            request.signature = request.signature_at(&plan.signature)?;
        }
        Ok(request)
    }

    /// Time and id, as far as they are where they can be read.
    fn read_facts(&self, request: &mut SignedRequest<'_>, is_there: impl Fn(&Place) -> bool) -> Result<(), Rejection> {
        let plan = self.plan();
        if let Some((place, _)) = &plan.timestamp
            && is_there(place)
            && !matches!(place, Place::Claim(_))
        {
            request.timestamp = Some(request.only_value(place)?.ok_or(Rejection::MissingTimestamp)?);
        }
        if let Some(Signed { what: place, .. }) = &plan.id
            && plan.id_is_part
            && is_there(place)
        {
            let id = request.only_value(place)?.ok_or(Rejection::MissingId)?;
            if !plan.is_id(&id) {
                return Err(Rejection::MalformedId);
            }
            request.id = Some(id);
        }
        Ok(())
    }

    pub(super) fn judge(&self, text: &str, format: TimestampFormat, now: UnixTime) -> Result<SignedAt, Rejection> {
        let tolerance = self.inner().tolerance;
        let time = format.parse(text).ok_or(Rejection::MalformedTimestamp)?;
        format.judge(time, now, tolerance)?;
        Ok(SignedAt { time, format, tolerance })
    }
}

impl Plan {
    /// The delivery's id, if it has one.
    fn id(&self, request: &SignedRequest<'_>, body: &Bytes) -> Claim {
        let id = self.claim(self.id.as_ref(), request, body);
        // An empty id names nothing: all deliveries that have it would be the same.
        if id.as_str().is_some_and(|text| text.is_empty() || !id.is_signed && !self.is_id(text)) {
            return Claim::default();
        }
        id
    }

    /// What a verified request says of itself.
    fn claim(&self, place: Option<&Signed<Place>>, request: &SignedRequest<'_>, body: &Bytes) -> Claim {
        let Some(Signed { what, is_signed }) = place else { return Claim::default() };
        let text = match what {
            // What is not signed may be nonsense without making the delivery so.
            Place::Header(header) => {
                header.value(request.headers(), request.family).ok().flatten().cloned().map(ClaimText::Header)
            }
            Place::Json(pointers) => Some(ClaimText::in_body(body, pointers)),
            place => {
                let text = request.value(place).ok().flatten();
                text.map(|text| ClaimText::Text(Text::copy(&text)))
            }
        };
        Claim { text: text.unwrap_or_default(), is_signed: *is_signed }
    }
}

#[cfg(feature = "_public-key")]
impl Digested {
    /// Names the message: its hash, or a hash of that where it is another.
    fn sha256(&self) -> [u8; 32] {
        match self {
            Self::Whole(message) => Sha256::digest(message).into(),
            Self::Digest(digest) => match digest.as_ref().try_into() {
                Ok(digest) => digest,
                Err(_) => Sha256::digest(digest).into(),
            },
        }
    }
}

impl fmt::Debug for Verification {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Verification").field("provider", &self.verifier.provider()).finish_non_exhaustive()
    }
}

#[cfg(feature = "jwt")]
pub(super) use jws::check_key as check_jws_key;

#[cfg(feature = "jwt")]
mod jws {
    use std::borrow::Cow;

    use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
    use bytes::Bytes;
    use serde_json::Value;
    use sha2::{Digest, Sha256};

    use super::{
        super::{JwsAlgorithm, SignedRequest, jws::Token, mac::Keyed, plan::JwsPlan, verifier::Keys},
        Proof, Verification, is_of_name, vouched_for,
    };
    use crate::{
        Delivery, Rejection,
        delivery::Identity,
        key::{Material, Secret, Tag, first_match},
    };

    impl Verification {
        pub(super) fn judge_jws(&self, request: &SignedRequest<'_>, body: &Bytes) -> Result<Delivery, Rejection> {
            let plan = request.plan;
            let jws = plan.jws.as_ref().ok_or(Rejection::UnusableSignature)?;
            let text = read(request)?;
            let token = Token::parse(&text, &jws.algorithms)?;
            let mut request = request.clone();
            if jws.is_detached {
                // Its time and id are where they are in other schemes.
                self.verifier.read_facts(&mut request, |_| true)?;
            }
            let payload = payload(&token, jws, &request)?;
            let proof = self.prove_jws(&token, &payload)?;
            let claims = if jws.is_detached { Value::Null } else { token.claims()? };
            jws.claims.check_time(&claims, self.now)?;
            jws.claims.check(&claims, &request)?;
            request.claims = Some(&claims);
            let signed_at = match &plan.timestamp {
                None => None,
                Some((place, format)) => {
                    let text = match &request.timestamp {
                        Some(text) => Some(text.clone()),
                        None => request.only_value(place)?,
                    };
                    let text = text.ok_or(Rejection::MissingTimestamp)?;
                    let judged = self.verifier.judge(&text, *format, self.now);
                    Some(judged.map_err(|rejection| match rejection {
                        Rejection::MalformedTimestamp => Rejection::WrongClaim { claim: "/iat".into() },
                        rejection => rejection,
                    })?)
                }
            };
            let id = plan.id(&request, body);
            let identity = if id.is_signed && id.as_str().is_some() {
                Identity::SignedId
            } else if jws.covers_body {
                Identity::Digest(proof.digest)
            } else {
                vouched_for(&id, body)
            };
            Ok(self.delivery(proof, signed_at, id, identity, &request, body))
        }

        /// Whose key signed the token.
        fn prove_jws(&self, token: &Token<'_>, payload: &str) -> Result<Proof, Rejection> {
            let digest = Sha256::new_with_prefix(token.header).chain_update(payload).finalize().into();
            let Keys::Any(keys) = &self.verifier.inner().keys else {
                return self.prove_jws_by_found_key(token, payload, digest);
            };
            let ids = &self.verifier.inner().key_ids;
            let mut refusal = Rejection::UnknownKey;
            for (key_index, (key, key_id)) in keys.iter().zip(ids).enumerate() {
                let named = token.key_id.as_deref();
                if !is_of_name(key_id.as_ref(), named) {
                    continue;
                }
                match self.verifies(key, token, payload) {
                    Ok(()) => return Ok(Proof { key_index, key_id: key_id.clone(), digest }),
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
        fn prove_jws_by_found_key(
            &self,
            token: &Token<'_>,
            payload: &str,
            digest: [u8; 32],
        ) -> Result<Proof, Rejection> {
            let mut refusal = Rejection::UnknownKey;
            for (key_index, (key, key_id)) in self.public_keys()?.enumerate() {
                if !is_of_name(key_id, token.key_id.as_deref()) {
                    continue;
                }
                match verifies_by_public_key(key, token, payload) {
                    Ok(()) => return Ok(Proof { key_index, key_id: key_id.cloned(), digest }),
                    Err(why) => refusal = why,
                }
            }
            Err(refusal)
        }

        #[cfg(not(feature = "_public-key"))]
        fn prove_jws_by_found_key(&self, _: &Token<'_>, _: &str, _: [u8; 32]) -> Result<Proof, Rejection> {
            Err(Rejection::UnknownKey)
        }
    }

    /// The token as it stands in the request.
    pub(super) fn read<'r>(request: &'r SignedRequest<'_>) -> Result<Cow<'r, str>, Rejection> {
        use super::super::plan::OwnedGrammar;
        let text = request.signature.as_deref().ok_or(Rejection::MissingSignature)?;
        let text = match &request.plan.grammar {
            OwnedGrammar::Prefixed(prefix) => text.strip_prefix(&**prefix).ok_or(Rejection::UnusableSignature)?,
            _ => text,
        };
        Token::parse(text, request.plan.jws_algorithms())?;
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
        match first_match(&[keyed.finish()], tag.as_slice()) {
            Some(_) => Ok(()),
            None => Err(Rejection::SignatureMismatch),
        }
    }

    #[cfg(feature = "_public-key")]
    fn verifies_by_public_key(
        key: &crate::key::PublicKey,
        token: &Token<'_>,
        payload: &str,
    ) -> Result<(), Rejection> {
        let algorithm = token.algorithm.asymmetric().ok_or(Rejection::WrongAlgorithm)?;
        if key.kind() != algorithm.kind() || key.algorithm().is_some_and(|only| only != token.algorithm) {
            return Err(Rejection::WrongAlgorithm);
        }
        let mut digesting = crate::key::Digesting::new(algorithm);
        digesting.update(token.header.as_bytes());
        digesting.update(payload.as_bytes());
        match key.verifies(algorithm, &digesting.finish(), &token.signature) {
            true => Ok(()),
            false => Err(Rejection::SignatureMismatch),
        }
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

    impl super::Plan {
        pub(super) fn jws_algorithms(&self) -> &[JwsAlgorithm] {
            self.jws.as_ref().map_or(&[], |jws| &jws.algorithms)
        }
    }
}
