//! The bounds of bodies, for each layer that reads some.

macro_rules! limit_methods {
    () => {
        /// The largest body that is let through, in bytes.
        pub fn max_body(mut self, bytes: usize) -> Self {
            Arc::make_mut(&mut self.limits).max = bytes;
            self
        }

        /// How long a body may take as a whole. 15 seconds by default.
        pub fn body_timeout(mut self, timeout: Duration) -> Self {
            Arc::make_mut(&mut self.limits).total = timeout;
            self
        }

        /// How long a body may pause. 5 seconds by default.
        pub fn idle_timeout(mut self, timeout: Duration) -> Self {
            Arc::make_mut(&mut self.limits).idle = timeout;
            self
        }

        /// The bytes that unverified bodies may hold together. Those of [`BodyBudget::process`] by default.
        pub fn budget(mut self, budget: BodyBudget) -> Self {
            Arc::make_mut(&mut self.limits).budget = budget;
            self
        }

        /// # Errors
        ///
        /// If a bound would refuse every request.
        #[allow(dead_code)]
        pub(super) fn check_limits(&self) -> Result<(), ConfigError> {
            self.limits.check()
        }
    };
}
pub(super) use limit_methods;
