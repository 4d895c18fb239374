//! What a request says, before and after it is known to be genuine.

use std::borrow::Cow;

use bytes::Bytes;

use crate::{
    Rejection,
    clock::UnixTime,
    delivery::{Claim, ClaimText, SignedAt, Text},
    scheme::{
        Head, SignedRequest, TimestampFormat, Verifier,
        candidates::Candidates,
        headers::Family,
        place::{Place, Signed},
        plan::Plan,
    },
};

pub(super) fn read_candidates(request: &SignedRequest<'_>) -> Result<Candidates, Rejection> {
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

impl Verifier {
    /// The request, with the text of its signature if that can be read.
    pub(super) fn request<'r>(
        &'r self,
        head: Head<'r>,
        family: Family,
        body: &'r [u8],
    ) -> Result<SignedRequest<'r>, Rejection> {
        let mut request = self.bare_request(head, family, body);
        if self.plan().signature_is_in_head() || !body.is_empty() {
            request.signature = request.signature_at(&self.plan().signature)?;
        }
        Ok(request)
    }

    /// The request, of which nothing was looked at yet.
    pub(super) fn bare_request<'r>(&'r self, head: Head<'r>, family: Family, body: &'r [u8]) -> SignedRequest<'r> {
        let inner = self.inner();
        SignedRequest {
            head,
            plan: self.plan(),
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
        }
    }

    /// Time and id, as far as they are where they can be read.
    pub(super) fn read_facts(
        &self,
        request: &mut SignedRequest<'_>,
        is_there: impl Fn(&Place) -> bool,
    ) -> Result<(), Rejection> {
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

    pub(in crate::scheme) fn judge(
        &self,
        text: &str,
        format: TimestampFormat,
        now: UnixTime,
    ) -> Result<SignedAt, Rejection> {
        let tolerance = self.inner().tolerance;
        let time = format.parse(text).ok_or(Rejection::MalformedTimestamp)?;
        format.judge(time, now, tolerance)?;
        Ok(SignedAt { time, format, tolerance })
    }
}

impl Plan {
    /// The delivery's id, if it has one.
    ///
    /// # Errors
    ///
    /// If it is signed and cannot be read in one way: to go on without it would make another delivery of the same request.
    pub(super) fn id(&self, request: &SignedRequest<'_>, body: &Bytes) -> Result<Claim, Rejection> {
        if let Some(Signed { what, is_signed: true }) = &self.id
            && !matches!(what, Place::Json(_))
        {
            request.value(what)?;
        }
        let id = self.claim(self.id.as_ref(), request, body);
        // An empty id names nothing: all deliveries that have it would be the same.
        if id.as_str().is_some_and(|text| text.is_empty() || !id.is_signed && !self.is_id(text)) {
            return Ok(Claim::default());
        }
        Ok(id)
    }

    /// What a verified request says of itself.
    pub(super) fn claim(&self, place: Option<&Signed<Place>>, request: &SignedRequest<'_>, body: &Bytes) -> Claim {
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
