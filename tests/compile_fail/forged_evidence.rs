//! Only verification makes a `Verified` body or a `Delivery`.

use tower_webhook::{
    Delivery,
    body::{Buffered, Verified},
};

fn forge_a_body(body: Buffered) -> Verified {
    body.into()
}

fn forge_a_delivery() -> Delivery {
    Delivery::default()
}

fn main() {}
