//! Finds the keys of a request that are not configured, before or after its body.

use std::{
    fmt,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
    time::Duration,
};

use http_body::Body;

use super::verify_signature::read_body;
use crate::{
    Rejection,
    body::{Buffered, ReadBody},
    key::{FoundKey, KeyError, KeyFuture},
    observe::{Record, Stage},
    scheme::{Head, Verification},
};

/// Where the search stands.
///
/// What the head alone tells is asked before the body is read: a key that is not known is reason enough not to read it.
pub(super) enum FindKeys {
    /// There is nothing to find, or it was found.
    Done,
    /// The key is being found, and the body comes after it.
    BeforeBody(Patient),
    /// Only the body tells which key it is.
    AfterBody,
    /// The body is there.
    // Boxed: few schemes come here, and every request carries the room.
    WithBody(Box<(Buffered, Patient)>),
}

/// An answer that is not waited for longer than this.
pub(super) struct Patient {
    answer: KeyFuture,
    /// Made when it first lets us wait: mostly the keys are there.
    deadline: Option<Pin<Box<tokio::time::Sleep>>>,
}

impl FindKeys {
    pub(super) fn of_head(verification: &Verification, head: Head<'_>) -> Result<Self, Rejection> {
        if verification.source().is_none() {
            return Ok(Self::Done);
        }
        Ok(match Patient::ask(verification, head, None)? {
            Some(asked) => Self::BeforeBody(asked),
            None => Self::AfterBody,
        })
    }

    /// Whether keys are found before the body is read.
    pub(super) fn come_first(&self) -> bool {
        matches!(self, Self::BeforeBody(_))
    }

    /// Finds the keys and reads the body.
    pub(super) fn poll<B: Body>(
        &mut self,
        verification: &mut Verification,
        head: Head<'_>,
        mut read: Pin<&mut ReadBody<B>>,
        record: Option<&Arc<Record>>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Buffered, Rejection>> {
        loop {
            match self {
                Self::BeforeBody(asked) => match ready!(asked.poll(cx)) {
                    Ok(keys) => {
                        *self = Self::Done;
                        if let Some(record) = record {
                            record.enter(Stage::Body);
                        }
                        if let Err(rejection) = verification.supply(keys, head) {
                            return Poll::Ready(Err(rejection));
                        }
                    }
                    Err(error) => return Poll::Ready(Err(error.into())),
                },
                Self::Done => return read_body(verification, read, record, cx),
                Self::AfterBody => {
                    let body = match ready!(read_body(verification, read.as_mut(), record, cx)) {
                        Ok(body) => body,
                        Err(rejection) => return Poll::Ready(Err(rejection)),
                    };
                    match Patient::ask(verification, head, Some(&body)) {
                        Ok(Some(asked)) => *self = Self::WithBody(Box::new((body, asked))),
                        Ok(None) => return Poll::Ready(Ok(body)),
                        Err(rejection) => return Poll::Ready(Err(rejection)),
                    }
                }
                Self::WithBody(waiting) => {
                    let answer = ready!(waiting.1.poll(cx));
                    let Self::WithBody(waiting) = std::mem::replace(self, Self::Done) else { continue };
                    let (body, _) = *waiting;
                    return Poll::Ready(match answer {
                        Ok(keys) => verification.supply(keys, head).map(|()| body),
                        Err(error) => Err(error.into()),
                    });
                }
            }
        }
    }
}

impl Patient {
    /// Sources should give up sooner by themselves, but a request must not wait for ever for one that does not.
    const PATIENCE: Duration = Duration::from_secs(10);

    fn ask(verification: &Verification, head: Head<'_>, body: Option<&Buffered>) -> Result<Option<Self>, Rejection> {
        let Some(source) = verification.source() else { return Ok(None) };
        let query = verification.key_query(head, body.map(Buffered::bytes))?;
        Ok(query.map(|query| Self { answer: source.keys(query, verification.now()), deadline: None }))
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<Arc<[FoundKey]>, KeyError>> {
        if let Poll::Ready(answer) = self.answer.as_mut().poll(cx) {
            return Poll::Ready(answer);
        }
        let deadline = self.deadline.get_or_insert_with(|| Box::pin(tokio::time::sleep(Self::PATIENCE)));
        ready!(deadline.as_mut().poll(cx));
        Poll::Ready(Err(KeyError::Unavailable { why: "the source of keys does not answer" }))
    }
}

impl fmt::Debug for FindKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FindKeys")
    }
}
