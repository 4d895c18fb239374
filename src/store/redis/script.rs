use ::redis::{Cmd, ErrorKind, FromRedisValue, RedisResult, ServerErrorKind, aio::ConnectionManager};
use sha1::{Digest, Sha1};

/// A script that the server knows by its digest, once it has seen it.
pub(super) struct Script {
    text: &'static str,
    digest: String,
}

impl Script {
    pub(super) fn new(text: &'static str) -> Self {
        Self { text, digest: base16ct::lower::encode_string(&Sha1::digest(text)) }
    }

    /// Runs it; in full if the server has forgotten it.
    ///
    /// Not loaded and run by its digest again, as the client's own helper does: it may be forgotten in between.
    pub(super) async fn run<A: FromRedisValue>(
        &self,
        connection: &mut ConnectionManager,
        keys: &[String],
        arguments: &[String],
    ) -> RedisResult<A> {
        let command = |name: &str, script: &str| -> Cmd {
            let mut command = ::redis::cmd(name);
            command.arg(script).arg(keys.len()).arg(keys).arg(arguments);
            command
        };
        match command("EVALSHA", &self.digest).query_async(connection).await {
            Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoScript) => {
                command("EVAL", self.text).query_async(connection).await
            }
            answer => answer,
        }
    }
}
