//! Only verification makes a `Verified` body or a `Delivery`.

use tower_webhook::{Delivery, body::Verified};

fn forge_a_body(template: Verified) -> Verified {
    Verified { ..template }
}

fn forge_a_delivery() -> Delivery {
    Delivery::default()
}

fn main() {}
