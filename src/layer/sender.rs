use std::time::Duration;

use crate::{Delivery, Rejection, store::RateKey};

/// Whose deliveries are counted together: those of one provider, to one tenant, under one key.
pub(super) fn sender_key(delivery: &Delivery) -> RateKey {
    let index = delivery.key_index().to_be_bytes();
    let key = delivery.key_id().map_or(index.as_slice(), str::as_bytes);
    match delivery.tenant() {
        None => RateKey::of([delivery.provider().as_bytes(), key]),
        Some(tenant) => RateKey::of([delivery.provider().as_bytes(), tenant.as_bytes(), key]),
    }
}

/// How a sender is told to wait. Some providers give up after any client error, 429 among them: their deliveries would be lost.
pub(super) fn sender_refusal(delivery: &Delivery, retry_after: Duration) -> Rejection {
    match delivery.retries().on.gives_up_when_rate_limited() {
        true => Rejection::Throttled { retry_after },
        false => Rejection::RateLimited { retry_after },
    }
}
