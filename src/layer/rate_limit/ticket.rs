use std::sync::Arc;

use http::Response;

use super::{Limit, Question, RateLimitBy};
use crate::{
    Rejection,
    layer::{authentic::Authentic, background::without_waiting},
    store::{Charge, RateStore, Standing},
};

/// What is left to do for a request that was let through, once it has been answered or never will be.
pub(super) struct Ticket<K, R: RateStore> {
    limit: Arc<Limit<K, R>>,
    question: Question,
    standing: Standing,
    /// Whether it proved to be genuine, where that matters.
    authentic: Option<Authentic>,
    is_settled: bool,
}

impl<K, R: RateStore> Ticket<K, R> {
    pub(super) fn new(
        limit: Arc<Limit<K, R>>,
        question: Question,
        standing: Standing,
        authentic: Option<Authentic>,
    ) -> Self {
        Self { limit, question, standing, authentic, is_settled: false }
    }

    /// Charges or refunds by the answer, and tells the sender.
    pub(super) fn settle<B, ResBody>(mut self, response: Response<ResBody>) -> Response<ResBody>
    where
        K: RateLimitBy<B>,
    {
        self.is_settled = true;
        let (head, body) = response.into_parts();
        match &self.limit.config.costs {
            Some(costs) if costs.include(&head, self.is_genuine()) => self.charge(Charge::Debit(self.question.cost)),
            Some(_) => {}
            None if head.extensions.get::<Rejection>().is_some_and(|rejection| self.limit.by.is_free(rejection)) => {
                self.charge(Charge::Refund(self.question.cost));
            }
            None => {}
        }
        let mut response = Response::from_parts(head, body);
        self.limit.config.tell(&mut response, &self.standing);
        response
    }

    fn is_genuine(&self) -> bool {
        self.authentic.as_ref().is_some_and(Authentic::is_proven)
    }

    /// Nobody is to blame: the server failed.
    pub(super) fn void(mut self) {
        self.is_settled = true;
    }

    /// Without waiting for the store; what it answers at once, the sender is told.
    fn charge(&mut self, charge: Charge) {
        if let Some(Ok(standing)) = without_waiting(self.limit.ask(self.question, charge)) {
            self.standing = standing;
        }
    }
}

impl<K, R: RateStore> Drop for Ticket<K, R> {
    /// Who hangs up has failed, too, or a flood of requests that are never finished would be free.
    fn drop(&mut self) {
        if !self.is_settled && self.authentic.is_some() && !self.is_genuine() {
            self.charge(Charge::Debit(self.question.cost));
        }
    }
}
