use std::{fmt, sync::LazyLock};

use super::{RedisConnection, script::Script};

/// What is wrong with a server, see [`RedisConnection::check`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum RedisProblem {
    /// It cannot be reached, does not answer in time, or refuses what stores ask for: the password, scripts, writing. Deliveries are answered `503`.
    Unavailable,
    /// It is too old for what stores ask for.
    TooOld {
        /// What it says it is.
        version: String,
        /// What is needed.
        needed: &'static str,
    },
    /// When its memory is full it forgets deliveries to make room, and their replays are handled.
    Forgets {
        /// Its `maxmemory-policy`, which should be `noeviction`.
        policy: String,
    },
    /// It does not say of which version it is, or whether it forgets.
    Unknown,
}

impl RedisConnection {
    /// Asks the server whether it is what stores need: for programs that start, to say so before the first delivery does.
    ///
    /// Needs no right to `CONFIG`. What it does not see: whether the server keeps what it was told through a restart or a failover.
    ///
    /// ```no_run
    /// use tower_webhook::store::{RedisConnection, RedisProblem};
    ///
    /// # async fn start() -> Result<(), Box<dyn std::error::Error>> {
    /// let redis = RedisConnection::open("redis://redis.internal")?;
    /// match redis.check().await {
    ///     Err(problem @ RedisProblem::Unknown) => eprintln!("{problem}"),
    ///     result => result?,
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// What is wrong, the worst if it is more than one thing.
    pub async fn check(&self) -> Result<(), RedisProblem> {
        let keys = vec![self.key("check", 0)];
        let info = self.run(&CHECK, keys, Vec::new(), Ok::<String, _>).await;
        judge(&info.map_err(|_| RedisProblem::Unavailable)?)
    }
}

static CHECK: LazyLock<Script> = LazyLock::new(|| Script::new(include_str!("check.lua")));

const OLDEST: u32 = 6;

fn judge(info: &str) -> Result<(), RedisProblem> {
    let said = |name: &str| {
        info.lines()
            .find_map(|line| line.split_once(':').filter(|(key, _)| *key == name).map(|(_, value)| value.trim()))
    };
    let version = said("redis_version").ok_or(RedisProblem::Unknown)?;
    let major: u32 = version.split('.').next().and_then(|major| major.parse().ok()).ok_or(RedisProblem::Unknown)?;
    if major < OLDEST {
        return Err(RedisProblem::TooOld { version: version.to_owned(), needed: "6.0" });
    }
    match (said("maxmemory_policy"), said("maxmemory")) {
        (Some("noeviction"), _) | (_, Some("0")) => Ok(()),
        (Some(policy), _) => Err(RedisProblem::Forgets { policy: policy.to_owned() }),
        (None, _) => Err(RedisProblem::Unknown),
    }
}

impl fmt::Display for RedisProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable => f.write_str("the Redis server cannot be reached, or refuses what is asked of it"),
            Self::TooOld { version, needed } => {
                write!(f, "the Redis server is of version {version}, but {needed} is needed")
            }
            Self::Forgets { policy } => write!(
                f,
                "under its maxmemory-policy `{policy}` the Redis server forgets deliveries to make room, and their replays are handled: \
                 it should be `noeviction`"
            ),
            Self::Unknown => f.write_str(
                "the Redis server does not say of which version it is, or whether it forgets deliveries to make room",
            ),
        }
    }
}

impl std::error::Error for RedisProblem {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_server_says_of_itself_is_judged() {
        let forgets = |policy: &str| Err(RedisProblem::Forgets { policy: policy.to_owned() });
        let too_old = |version: &str| Err(RedisProblem::TooOld { version: version.to_owned(), needed: "6.0" });
        for (info, expected) in [
            ("redis_version:7.0.15\r\nmaxmemory:0\r\nmaxmemory_policy:noeviction\r\n", Ok(())),
            ("redis_version:6.0.0\r\nmaxmemory:1000\r\nmaxmemory_policy:noeviction\r\n", Ok(())),
            (
                "# Memory\r\nmaxmemory:0\r\nmaxmemory_policy:allkeys-lru\r\n# Server\r\nredis_version:255.0.0\r\n",
                Ok(()),
            ),
            ("redis_version:7.2.4\r\nvalkey_version:9.1.0\r\nmaxmemory:1\r\nmaxmemory_policy:noeviction\r\n", Ok(())),
            ("redis_version:7.0.15\r\nmaxmemory:1\r\nmaxmemory_policy:allkeys-lru\r\n", forgets("allkeys-lru")),
            ("redis_version:7.0.15\r\nmaxmemory:1\r\nmaxmemory_policy:volatile-ttl\r\n", forgets("volatile-ttl")),
            ("redis_version:7.0.15\r\nmaxmemory_policy:volatile-lru\r\n", forgets("volatile-lru")),
            ("redis_version:5.0.14\r\nmaxmemory:1\r\nmaxmemory_policy:allkeys-lru\r\n", too_old("5.0.14")),
            ("redis_version:4.0\r\n", too_old("4.0")),
            ("redis_version:7.0.15\r\nmaxmemory_human:0B\r\n", Err(RedisProblem::Unknown)),
            ("redis_version:new\r\nmaxmemory:0\r\n", Err(RedisProblem::Unknown)),
            ("maxmemory:0\r\nmaxmemory_policy:noeviction\r\n", Err(RedisProblem::Unknown)),
            ("", Err(RedisProblem::Unknown)),
        ] {
            assert_eq!(judge(info), expected, "{info}");
        }
    }
}
