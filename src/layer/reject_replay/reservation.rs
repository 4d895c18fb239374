use std::{future::Future, sync::Arc, task::Poll, time::Duration};

use http::Request;

use super::{Config, RejectReplayLayer, ReplayUnchecked, STORE_PATIENCE};
use crate::{
    Delivery, Rejection,
    body::Verified,
    layer::{
        background::{InBackground, poll_once, without_waiting},
        sender::{sender_key, sender_refusal},
    },
    observe::{RateDecision, Record, Stage},
    store::{NonceStore, Rate, ReplayKey, Reserved, StoreError, Token},
};

/// Memory costs room in the store, so nobody gets more of it than this without asking.
const MAX_DEFAULT_RETENTION: Duration = Duration::from_secs(7 * 24 * 60 * 60);

/// A claim on a delivery, perhaps not yet granted; given up on drop unless it was committed.
pub(super) struct Reservation<N: NonceStore> {
    store: N,
    key: ReplayKey,
    token: Token,
    /// How long the delivery is accepted.
    window: Option<Duration>,
    retried_for: Duration,
    /// Nothing tells the delivery from another: it is reserved to be counted, and never committed.
    only_counts: bool,
    /// The store said so; otherwise it is handled all the same.
    is_checked: bool,
    /// From when it was asked for.
    is_ours: bool,
    is_granted: bool,
    lease: Duration,
    record: Option<Arc<Record>>,
}

impl<N: NonceStore> Reservation<N> {
    /// Nothing if neither the past nor the sender's rate has a say.
    pub(super) fn of(layer: &RejectReplayLayer<N>, delivery: &Delivery) -> Option<Self> {
        let token = Token::unique();
        let told_apart = delivery.replay_key().map(|key| key.scoped(&layer.config.scope));
        let of_its_own = || {
            layer
                .reserve_within
                .is_some()
                .then(|| ReplayKey::of([b"of its own".as_slice(), &token.as_u128().to_be_bytes()]))
        };
        Some(Self {
            store: layer.store.clone(),
            key: told_apart.or_else(of_its_own)?,
            token,
            window: delivery.window(),
            retried_for: delivery.retries().lasting,
            only_counts: told_apart.is_none(),
            is_checked: true,
            is_ours: false,
            is_granted: false,
            lease: layer.config.lease,
            record: None,
        })
    }

    pub(super) fn ask(&mut self, layer: &RejectReplayLayer<N>, delivery: &Delivery) -> N::Reserve {
        self.is_ours = true;
        let config = &layer.config;
        match (layer.reserve_within, config.sender_quotas) {
            (Some(reserve_within), Some(quotas)) => {
                let rate = Rate { key: sender_key(delivery), quotas, cost: 1 };
                reserve_within(&self.store, &rate, self.key, self.token, config.lease)
            }
            _ => self.store.reserve(self.key, self.token, config.lease),
        }
    }

    /// # Errors
    ///
    /// Why the handler must not run.
    pub(super) fn granted(
        mut self,
        answer: Result<Reserved, StoreError>,
        request: &mut Request<Verified>,
        config: &Config,
    ) -> Result<Self, Rejection> {
        self.record = Record::of(request.extensions()).cloned();
        if let Some(record) = &self.record {
            match &answer {
                Ok(Reserved::Fresh) => record.is_handled(),
                Ok(_) => {}
                Err(error) => record.store_failed(*error),
            }
        }
        if let (Some(record), true) = (&self.record, config.sender_quotas.is_some()) {
            record.rate(match answer {
                Ok(Reserved::Limited { .. }) => RateDecision::Limited,
                Ok(_) => RateDecision::Allowed,
                Err(_) => RateDecision::Unavailable,
            });
        }
        let rejection = match answer {
            Ok(Reserved::Fresh) => {
                request.body_mut().set_reserved();
                self.is_granted = true;
                return Ok(self);
            }
            Ok(Reserved::InProgress { retry_after }) => Rejection::InProgress { retry_after },
            Ok(Reserved::Done) => Rejection::Replayed,
            Ok(Reserved::Limited { retry_after }) => sender_refusal(request.body().delivery(), retry_after),
            Err(StoreError::Full) => Rejection::StoreFull,
            Err(StoreError::Unavailable) if config.fails_open => {
                request.body_mut().set_reserved();
                request.extensions_mut().insert(ReplayUnchecked);
                self.is_checked = false;
                return Ok(self);
            }
            // Perhaps it was granted and only the answer lost, so it is released all the same.
            Err(StoreError::Unavailable) => return Err(Rejection::StoreUnavailable),
        };
        self.is_ours = false;
        Err(rejection)
    }

    /// The commit, if it could not be made at once and is worth waiting for.
    pub(super) fn commit(mut self, config: &Config) -> Option<InBackground> {
        if self.only_counts {
            return None;
        }
        self.is_ours = false;
        let is_checked = self.is_checked;
        // A replay may be found fresh at the last moment, and then wait for the store.
        let accepted = self.window.map_or(Duration::ZERO, |window| window.saturating_add(STORE_PATIENCE));
        let default = match self.window {
            Some(_) => accepted,
            // A try of the last hour, after an answer of ours got lost, is still the same delivery.
            None => self.retried_for.clamp(RejectReplayLayer::<N>::DEFAULT_RETENTION, MAX_DEFAULT_RETENTION),
        };
        let retention = config.retention.unwrap_or(default).max(accepted).max(Duration::from_secs(1));
        let mut asked = self.store.commit(self.key, self.token, retention);
        let record = self.record.take();
        match poll_once(&mut asked) {
            Poll::Ready(Ok(())) => None,
            Poll::Ready(Err(error)) => {
                if let Some(record) = record {
                    record.store_failed(error);
                }
                drop(InBackground::new(self.commit_again(None, retention)));
                None
            }
            Poll::Pending => {
                if let Some(record) = record {
                    record.enter(Stage::Store);
                }
                let commit = InBackground::new(self.commit_again(Some(asked), retention));
                // A store that has kept the sender waiting once must not do so again.
                is_checked.then_some(commit)
            }
        }
    }

    async fn commit_again(self, first: Option<N::Settle>, retention: Duration) {
        insist(first, || self.store.commit(self.key, self.token, retention), self.lease).await;
    }
}

impl<N: NonceStore> Drop for Reservation<N> {
    fn drop(&mut self) {
        if !self.is_ours {
            return;
        }
        // What was never granted is mostly not there, and a store that is gone must not be asked again and again for each delivery.
        if !self.is_granted {
            let _ = without_waiting(self.store.release(self.key, self.token));
            return;
        }
        let (store, key, token, lease) = (self.store.clone(), self.key, self.token, self.lease);
        let mut asked = store.release(key, token);
        let first = match poll_once(&mut asked) {
            Poll::Ready(Ok(())) => return,
            Poll::Ready(Err(_)) => None,
            Poll::Pending => Some(asked),
        };
        drop(InBackground::new(async move { insist(first, || store.release(key, token), lease).await }));
    }
}

/// Asks a store until it has done it, for as long as the lease keeps others out.
async fn insist<F>(first: Option<F>, ask: impl Fn() -> F, lease: Duration)
where
    F: Future<Output = Result<(), StoreError>>,
{
    const BETWEEN_TRIES: Duration = Duration::from_secs(1);
    let end = tokio::time::Instant::now() + lease;
    let mut asked = first;
    while tokio::time::Instant::now() < end {
        if let Some(asked) = asked.take()
            && matches!(tokio::time::timeout_at(end, asked).await, Ok(Ok(())))
        {
            return;
        }
        tokio::time::sleep(BETWEEN_TRIES).await;
        asked = Some(ask());
    }
}
