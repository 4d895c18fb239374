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

        /// How long the body of a gRPC call may stay open after its message, before the call is taken for a stream and refused as
        /// [`StreamingUnsupported`](crate::Rejection::StreamingUnsupported). Five seconds by default, and never longer than the whole body may take.
        pub fn unary_grace(mut self, grace: Duration) -> Self {
            self.limits_mut().unary_grace = grace;
            self
        }

        /// gRPC methods whose requests are known to stream, such as `/package.Service/Method`. They are refused from the head alone, as
        /// [`StreamingUnsupported`](crate::Rejection::StreamingUnsupported); others when their bodies turn out to be streams.
        /// None by default.
        ///
        /// # Errors
        ///
        /// If one is not written as in requests.
        pub fn streaming_methods(
            mut self,
            methods: impl IntoIterator<Item = impl Into<Box<str>>>,
        ) -> Result<Self, crate::ConfigError> {
            self.limits_mut().add_streaming_methods(methods)?;
            Ok(self)
        }

        /// The bytes that unverified bodies may hold together. Those of [`BodyBudget::process`] by default.
        pub fn budget(mut self, budget: BodyBudget) -> Self {
            self.limits_mut().budget = budget;
            self
        }
    };
}
pub(super) use limit_methods;
