use tonic::{Extensions, Request, Status};

use crate::Delivery;

/// The [`Delivery`] of a call.
///
/// ```
/// use tonic::{Request, Response, Status};
/// use tower_webhook::tonic::DeliveryExt;
///
/// async fn notify(call: Request<String>) -> Result<Response<()>, Status> {
///     let delivery = call.delivery()?;
///     println!("{} has sent {:?}", delivery.provider(), delivery.id());
///     Ok(Response::new(()))
/// }
/// ```
pub trait DeliveryExt {
    /// What was proven about the call.
    ///
    /// # Errors
    ///
    /// `INTERNAL`, if nothing in front of the handler verifies calls.
    fn delivery(&self) -> Result<&Delivery, Status>;
}

impl<T> DeliveryExt for Request<T> {
    fn delivery(&self) -> Result<&Delivery, Status> {
        self.extensions().delivery()
    }
}

impl DeliveryExt for Extensions {
    fn delivery(&self) -> Result<&Delivery, Status> {
        self.get().ok_or_else(|| {
            Status::internal(
                "this handler asks for a `Delivery`, but no `VerifySignatureLayer` or `WebhookLayer` is in front of it: \
                 add one with `Server::builder().layer(WebhookLayer::new(verifier))`",
            )
        })
    }
}
