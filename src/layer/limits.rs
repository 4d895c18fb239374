//! The bounds of bodies, for each layer that reads some.

macro_rules! limit_methods {
    () => {
        /// The largest body that is let through, in bytes.
        pub fn max_body(mut self, bytes: usize) -> Self {
            self.limits_mut().max = bytes;
            self
        }

        /// How long a body may take as a whole. 15 seconds by default.
        pub fn body_timeout(mut self, timeout: Duration) -> Self {
            self.limits_mut().total = timeout;
            self
        }

        /// How long a body may pause. 5 seconds by default.
        pub fn idle_timeout(mut self, timeout: Duration) -> Self {
            self.limits_mut().idle = timeout;
            self
        }

        /// The bytes that unverified bodies may hold together. Those of [`BodyBudget::process`] by default.
        pub fn budget(mut self, budget: BodyBudget) -> Self {
            self.limits_mut().budget = budget;
            self
        }
    };
}
pub(super) use limit_methods;
