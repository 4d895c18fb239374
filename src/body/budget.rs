use std::sync::{
    Arc, LazyLock,
    atomic::{AtomicUsize, Ordering},
};

/// How many bytes of unverified bodies may be held at once, over all requests that share the budget.
///
/// A cap for each body does not bound memory: ten thousand strangers may each send one just below it. Bytes are
/// counted as they arrive, not as they are announced, and given back when the body is verified or refused. When the budget is
/// used up, requests are answered `503` with `Retry-After`, so that genuine senders try again.
///
/// ```
/// use tower_webhook::{body::BodyBudget, layer::VerifySignatureLayer, provider};
///
/// let budget = BodyBudget::new(64 * 1024 * 1024);
/// let github = VerifySignatureLayer::new(provider::GITHUB.verifier("secret")?).budget(budget.clone());
/// let stripe = VerifySignatureLayer::new(provider::STRIPE.verifier("secret")?).budget(budget.clone());
/// assert_eq!(budget.held(), 0);
/// # Ok::<(), tower_webhook::ConfigError>(())
/// ```
#[derive(Clone, Debug)]
pub struct BodyBudget(Arc<Counter>);

#[derive(Debug)]
struct Counter {
    held: AtomicUsize,
    limit: usize,
}

impl BodyBudget {
    /// A budget of so many bytes.
    pub fn new(bytes: usize) -> Self {
        Self(Arc::new(Counter { held: AtomicUsize::new(0), limit: bytes }))
    }

    /// The budget of the whole process, which layers use unless they are given another: 256 MiB.
    pub fn process() -> Self {
        static PROCESS: LazyLock<BodyBudget> = LazyLock::new(|| BodyBudget::new(256 * 1024 * 1024));
        PROCESS.clone()
    }

    /// How many bytes are held now.
    pub fn held(&self) -> usize {
        self.0.held.load(Ordering::Relaxed)
    }

    pub(crate) fn lease(&self) -> Lease {
        Lease { budget: self.clone(), bytes: 0 }
    }
}

/// The bytes that one body holds; given back on drop.
#[derive(Debug)]
pub(crate) struct Lease {
    budget: BodyBudget,
    bytes: usize,
}

impl Lease {
    /// Whether there was room for so many more.
    pub(crate) fn grow(&mut self, bytes: usize) -> bool {
        let counter = &self.budget.0;
        let room = counter.held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |held| {
            held.checked_add(bytes).filter(|held| *held <= counter.limit)
        });
        if room.is_ok() {
            self.bytes += bytes;
        }
        room.is_ok()
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.0.held.fetch_sub(self.bytes, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_given_back_and_never_exceed_the_limit() {
        let budget = BodyBudget::new(10);
        let (mut one, mut other) = (budget.lease(), budget.lease());
        assert!(one.grow(6) && !other.grow(5) && other.grow(4) && !one.grow(usize::MAX));
        assert_eq!(budget.held(), 10);
        drop(one);
        assert_eq!(budget.held(), 4);
        assert!(other.grow(6));
        drop(other);
        assert_eq!(budget.held(), 0);
    }
}
