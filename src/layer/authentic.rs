use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use http::Extensions;

/// Whether a request has proved to be genuine: for layers outside verification, which see no more of it if its sender hangs up.
#[derive(Clone, Debug, Default)]
pub(super) struct Authentic(Arc<AtomicBool>);

impl Authentic {
    /// The mark of this request, which layers outside verification share.
    pub(super) fn watch(extensions: &mut Extensions) -> Self {
        extensions.get_or_insert_default::<Self>().clone()
    }

    /// Marks a request that is genuine, if anybody wants to know.
    pub(super) fn prove(extensions: &Extensions) {
        if let Some(Self(mark)) = extensions.get() {
            mark.store(true, Ordering::Relaxed);
        }
    }

    pub(super) fn is_proven(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}
