//! Only verification makes a `Verified` body.

use tower_webhook::{
    Delivery,
    body::{Buffered, Verified},
};

fn forge(body: Buffered, delivery: Delivery) -> Verified {
    Verified::new(body, delivery)
}

fn main() {}
