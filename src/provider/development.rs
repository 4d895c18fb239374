//! Code, builds, deployments and their troubles.

use crate::{
    key::SecretFormat,
    scheme::{
        Algorithm, Claim, Encoding, Expected, Jws, JwsAlgorithm, Part, Profile, Repeats, RetryOn, Scheme, Signature,
        Source, Timestamp, Tolerance,
    },
};

use super::standard::STANDARD_WEBHOOKS;

/// GitHub: `X-Hub-Signature-256: sha256=…`, HMAC-SHA256 of the body.
///
/// Neither event type nor delivery id are signed. Bodies reach 25 MB; the limit here is the usual one, so raise it
/// for large pushes. GitHub never retries on its own.
///
/// Source: <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>
pub const GITHUB: Scheme<'static> = Scheme {
    name: "github",
    signature: Signature::prefixed("x-hub-signature-256", "sha256="),
    id: Some(Source::Header("x-github-delivery")),
    event: Some(Source::Header("x-github-event")),
    profile: Profile::new("GitHub", "https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries")
        .retries(RetryOn::Never, 0)
        .addresses("https://api.github.com/meta"),
    ..Scheme::HMAC_SHA256_HEX
};

/// GitLab with a secret token: `X-Gitlab-Token` is the token itself, and nothing is signed.
///
/// Source: <https://docs.gitlab.com/user/project/integrations/webhooks/>
pub const GITLAB_TOKEN: Scheme<'static> = Scheme {
    name: "gitlab-token",
    signature: Signature::bare("x-gitlab-token"),
    id: Some(Source::Header("idempotency-key")),
    event: Some(Source::Header("x-gitlab-event")),
    repeats: Repeats::PerEvent,
    profile: Profile::new("GitLab", "https://docs.gitlab.com/user/project/integrations/webhooks/"),
    ..Scheme::TOKEN
};

/// Linear: `Linear-Signature`, HMAC-SHA256 of the body, which holds the time.
///
/// Neither event type nor delivery id are signed.
///
/// Source: <https://linear.app/developers/webhooks>
pub const LINEAR: Scheme<'static> = Scheme {
    name: "linear",
    signature: Signature::bare("linear-signature"),
    timestamp: Some(Timestamp::unix_millis(Source::Json("/webhookTimestamp"))),
    tolerance: Tolerance::seconds(60),
    id: Some(Source::Header("linear-delivery")),
    event: Some(Source::Header("linear-event")),
    profile: Profile::new("Linear", "https://linear.app/developers/webhooks")
        .retries(RetryOn::AnyFailure, 8)
        .addresses("https://linear.app/developers/webhooks"),
    ..Scheme::HMAC_SHA256_HEX
};

/// PagerDuty V3: `X-PagerDuty-Signature: v1=…,v1=…`, HMAC-SHA256 of the body.
///
/// Source: <https://developer.pagerduty.com/docs/verifying-webhook-signatures>
pub const PAGERDUTY: Scheme<'static> = Scheme {
    name: "pagerduty",
    signature: Signature::field("x-pagerduty-signature", ',', "v1"),
    id: Some(Source::Json("/event/id")),
    event: Some(Source::Json("/event/event_type")),
    max_body: 2 * 1024 * 1024,
    profile: Profile::new("PagerDuty", "https://developer.pagerduty.com/docs/verifying-webhook-signatures"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Sentry's integration platform: `Sentry-Hook-Signature`, HMAC-SHA256 of the body.
///
/// Time, resource and request id are not signed.
///
/// Source: <https://docs.sentry.io/organization/integrations/integration-platform/webhooks/>
pub const SENTRY: Scheme<'static> = Scheme {
    name: "sentry",
    signature: Signature::bare("sentry-hook-signature"),
    id: Some(Source::Header("request-id")),
    event: Some(Source::Header("sentry-hook-resource")),
    profile: Profile::new("Sentry", "https://docs.sentry.io/organization/integrations/integration-platform/webhooks/"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Vercel: `x-vercel-signature`, HMAC-SHA1 of the body.
///
/// Source: <https://vercel.com/docs/webhooks/webhooks-api>
pub const VERCEL: Scheme<'static> = Scheme {
    name: "vercel",
    algorithm: Algorithm::HmacSha1,
    signature: Signature::bare("x-vercel-signature"),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/type")),
    profile: Profile::new("Vercel", "https://vercel.com/docs/webhooks/webhooks-api"),
    ..Scheme::HMAC_SHA256_HEX
};

/// GitHub's old header: `X-Hub-Signature: sha1=…`, HMAC-SHA1 of the body.
///
/// Old GitHub Enterprise Servers send nothing better. Neither event type nor delivery id are signed.
///
/// Source: <https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries>
pub const GITHUB_SHA1: Scheme<'static> = Scheme {
    name: "github-sha1",
    algorithm: Algorithm::HmacSha1,
    signature: Signature::prefixed("x-hub-signature", "sha1="),
    ..GITHUB
};

/// Bitbucket Cloud: `X-Hub-Signature: sha256=…`, HMAC-SHA256 of the body.
///
/// The header is the one that means SHA-1 elsewhere. Neither event type nor request id are signed. Webhooks without a
/// secret are not signed.
///
/// Source: <https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/>
pub const BITBUCKET_CLOUD: Scheme<'static> = Scheme {
    name: "bitbucket-cloud",
    signature: Signature::prefixed("x-hub-signature", "sha256="),
    id: Some(Source::Header("x-request-uuid")),
    event: Some(Source::Header("x-event-key")),
    profile: Profile::new("Bitbucket Cloud", "https://support.atlassian.com/bitbucket-cloud/docs/manage-webhooks/")
        .addresses("https://ip-ranges.atlassian.com/"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Bitbucket Data Center and Server: `X-Hub-Signature: sha256=…`, HMAC-SHA256 of the body.
///
/// Neither event type nor request id are signed. Old versions do not sign the connection test (`diagnostics:ping`),
/// which is refused then.
///
/// Source: <https://confluence.atlassian.com/bitbucketserver/manage-webhooks-938025878.html>
pub const BITBUCKET_SERVER: Scheme<'static> = Scheme {
    name: "bitbucket-server",
    signature: Signature::prefixed("x-hub-signature", "sha256="),
    id: Some(Source::Header("x-request-id")),
    event: Some(Source::Header("x-event-key")),
    profile: Profile::new(
        "Bitbucket Data Center",
        "https://confluence.atlassian.com/bitbucketserver/manage-webhooks-938025878.html",
    ),
    ..Scheme::HMAC_SHA256_HEX
};

/// Gitea: `X-Gitea-Signature`, HMAC-SHA256 of the body.
///
/// Neither event type nor delivery id are signed. Choose `application/json`: with form or GET requests Gitea signs the
/// decoded payload instead of what it sends. Forgejo sends these headers too.
///
/// Source: <https://docs.gitea.com/usage/webhooks>
pub const GITEA: Scheme<'static> = Scheme {
    name: "gitea",
    signature: Signature::bare("x-gitea-signature"),
    id: Some(Source::Header("x-gitea-delivery")),
    event: Some(Source::Header("x-gitea-event")),
    profile: Profile::new("Gitea", "https://docs.gitea.com/usage/webhooks").retries(RetryOn::Never, 0),
    ..Scheme::HMAC_SHA256_HEX
};

/// Gitea and Forgejo by their copy of GitHub's header: `X-Hub-Signature-256: sha256=…`, HMAC-SHA256 of the body.
///
/// As [`GITEA`] otherwise: neither event type nor delivery id are signed.
///
/// Source: <https://github.com/go-gitea/gitea/blob/main/services/webhook/deliver.go>
pub const GITEA_GITHUB_COMPATIBLE: Scheme<'static> = Scheme {
    name: "gitea-github-compatible",
    signature: Signature::prefixed("x-hub-signature-256", "sha256="),
    id: Some(Source::Header("x-github-delivery")),
    event: Some(Source::Header("x-github-event")),
    ..GITEA
};

/// Forgejo, and Codeberg: `X-Forgejo-Signature`, HMAC-SHA256 of the body.
///
/// As [`GITEA`] otherwise: neither event type nor delivery id are signed, and `application/json` must be chosen. Without
/// a secret, the header is there, but empty.
///
/// Source: <https://codeberg.org/forgejo/forgejo/src/branch/forgejo/services/webhook/shared/payloader.go>
pub const FORGEJO: Scheme<'static> = Scheme {
    name: "forgejo",
    signature: Signature::bare("x-forgejo-signature"),
    id: Some(Source::Header("x-forgejo-delivery")),
    event: Some(Source::Header("x-forgejo-event")),
    profile: Profile::new("Forgejo", "https://forgejo.org/docs/latest/user/webhooks/"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Gogs: `X-Gogs-Signature`, HMAC-SHA256 of the body.
///
/// Neither event type nor delivery id are signed. Choose `application/json`: of form requests Gogs signs the decoded
/// payload.
///
/// Source: <https://github.com/gogs/gogs/blob/main/internal/database/webhook.go>
pub const GOGS: Scheme<'static> = Scheme {
    name: "gogs",
    signature: Signature::bare("x-gogs-signature"),
    id: Some(Source::Header("x-gogs-delivery")),
    event: Some(Source::Header("x-gogs-event")),
    profile: Profile::new("Gogs", "https://github.com/gogs/gogs/blob/main/internal/database/webhook.go")
        .retries(RetryOn::Never, 0),
    ..Scheme::HMAC_SHA256_HEX
};

/// Buildkite with a signature: `X-Buildkite-Signature: timestamp=…,signature=…`, HMAC-SHA256 of `timestamp.body`.
///
/// The secret is the webhook's token. There is no delivery id.
///
/// Source: <https://buildkite.com/docs/apis/webhooks/pipelines#webhook-signature>
pub const BUILDKITE: Scheme<'static> = Scheme {
    name: "buildkite",
    signature: Signature::field("x-buildkite-signature", ',', "signature"),
    timestamp: Some(Timestamp::unix_seconds(Source::Field("timestamp"))),
    event: Some(Source::Json("/event")),
    message: &[Part::Timestamp, Part::Text("."), Part::Body],
    profile: Profile::new("Buildkite", "https://buildkite.com/docs/apis/webhooks/pipelines#webhook-signature"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Buildkite with a token: `X-Buildkite-Token` is the token itself, and nothing is signed.
///
/// Source: <https://buildkite.com/docs/apis/webhooks/pipelines#webhook-token>
pub const BUILDKITE_TOKEN: Scheme<'static> = Scheme {
    name: "buildkite-token",
    signature: Signature::bare("x-buildkite-token"),
    event: Some(Source::Json("/event")),
    profile: Profile::new("Buildkite", "https://buildkite.com/docs/apis/webhooks/pipelines#webhook-token"),
    ..Scheme::TOKEN
};

/// CircleCI: `circleci-signature: v1=…`, HMAC-SHA256 of the body.
///
/// Webhooks without a secret are not signed.
///
/// Source: <https://circleci.com/docs/outbound-webhooks/>
pub const CIRCLECI: Scheme<'static> = Scheme {
    name: "circleci",
    signature: Signature::field("circleci-signature", ',', "v1"),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/type")),
    profile: Profile::new("CircleCI", "https://circleci.com/docs/outbound-webhooks/"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Travis CI: `Signature`, RSA with SHA-1 of the form field `payload`.
///
/// The public key is in the answer to `GET https://api.travis-ci.com/config`, at
/// `/config/notifications/webhook/public_key`. The id in the payload is that of the build, which is told of several
/// times.
///
/// Source: <https://docs.travis-ci.com/user/notifications/#verifying-webhook-requests>
pub const TRAVIS_CI: Scheme<'static> = Scheme {
    name: "travis-ci",
    algorithm: Algorithm::RsaPkcs1Sha1,
    secret_format: SecretFormat::PublicKey,
    signature: Signature::bare("signature"),
    event: Some(Source::FormJson("payload", "/state")),
    message: &[Part::Form("payload")],
    profile: Profile::new("Travis CI", "https://docs.travis-ci.com/user/notifications/#verifying-webhook-requests"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Jira Cloud, webhooks with a secret: `X-Hub-Signature: sha256=…`, HMAC-SHA256 of the body.
///
/// These are the webhooks that administrators create. The delivery id is not signed. Those of apps carry a token
/// instead, see [`ATLASSIAN_CONNECT`](super::ATLASSIAN_CONNECT).
///
/// Source: <https://developer.atlassian.com/cloud/jira/platform/webhooks/>
pub const JIRA: Scheme<'static> = Scheme {
    name: "jira",
    signature: Signature::prefixed("x-hub-signature", "sha256="),
    id: Some(Source::Header("x-atlassian-webhook-identifier")),
    event: Some(Source::Json("/webhookEvent")),
    profile: Profile::new("Jira", "https://developer.atlassian.com/cloud/jira/platform/webhooks/")
        .retries(RetryOn::ServerErrorsAndRateLimits, 1)
        .addresses("https://ip-ranges.atlassian.com/"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Snyk: `X-Hub-Signature: sha256=…`, HMAC-SHA256 of the body.
///
/// Neither event, time nor transport id are signed.
///
/// Source: <https://docs.snyk.io/snyk-api/snyk-webhooks/validation-and-versioning-of-payloads>
pub const SNYK: Scheme<'static> = Scheme {
    name: "snyk",
    signature: Signature::prefixed("x-hub-signature", "sha256="),
    id: Some(Source::Header("x-snyk-transport-id")),
    event: Some(Source::Header("x-snyk-event")),
    profile: Profile::new("Snyk", "https://docs.snyk.io/snyk-api/snyk-webhooks/validation-and-versioning-of-payloads"),
    ..Scheme::HMAC_SHA256_HEX
};

/// SonarQube, Server and Cloud: `X-Sonar-Webhook-HMAC-SHA256`, HMAC-SHA256 of the body.
///
/// There is neither a delivery id nor an event type; the event is the status of the analysis task.
///
/// Source: <https://docs.sonarsource.com/sonarqube-server/project-administration/integrations/webhooks/>
pub const SONARQUBE: Scheme<'static> = Scheme {
    name: "sonarqube",
    signature: Signature::bare("x-sonar-webhook-hmac-sha256"),
    event: Some(Source::Json("/status")),
    profile: Profile::new(
        "SonarQube",
        "https://docs.sonarsource.com/sonarqube-server/project-administration/integrations/webhooks/",
    ),
    ..Scheme::HMAC_SHA256_HEX
};

/// Sonatype Nexus Repository: `X-Nexus-Webhook-Signature`, HMAC-SHA1 of the body.
///
/// Neither the delivery id nor the kind of webhook are signed.
///
/// Source: <https://help.sonatype.com/en/enabling-a-repository-webhook-capability.html>
pub const SONATYPE_NEXUS: Scheme<'static> = Scheme {
    name: "sonatype-nexus",
    algorithm: Algorithm::HmacSha1,
    signature: Signature::bare("x-nexus-webhook-signature"),
    id: Some(Source::Header("x-nexus-webhook-delivery")),
    event: Some(Source::Header("x-nexus-webhook-id")),
    profile: Profile::new(
        "Sonatype Nexus",
        "https://help.sonatype.com/en/enabling-a-repository-webhook-capability.html",
    ),
    ..Scheme::HMAC_SHA256_HEX
};

/// Harbor: `Authorization` is the configured text itself, and nothing is signed.
///
/// Source: <https://goharbor.io/docs/latest/working-with-projects/project-configuration/configure-webhooks/>
pub const HARBOR: Scheme<'static> = Scheme {
    name: "harbor",
    signature: Signature::bare("authorization"),
    event: Some(Source::Json("/type")),
    profile: Profile::new(
        "Harbor",
        "https://goharbor.io/docs/latest/working-with-projects/project-configuration/configure-webhooks/",
    )
    .retries(RetryOn::AnyFailure, 1),
    ..Scheme::TOKEN
};

/// The npm registry: `x-npm-signature: sha256=…`, HMAC-SHA256 of the body.
///
/// There is no delivery id.
///
/// Source: <https://github.com/npm/npm-hook-receiver>
pub const NPM: Scheme<'static> = Scheme {
    name: "npm",
    signature: Signature::prefixed("x-npm-signature", "sha256="),
    event: Some(Source::Json("/event")),
    profile: Profile::new("npm", "https://github.com/npm/npm-hook-receiver"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Expo Application Services: `expo-signature: sha1=…`, HMAC-SHA1 of the body.
///
/// The id is that of the build or submission, of whose end one delivery tells.
///
/// Source: <https://docs.expo.dev/eas/webhooks/>
pub const EXPO: Scheme<'static> = Scheme {
    name: "expo",
    algorithm: Algorithm::HmacSha1,
    signature: Signature::prefixed("expo-signature", "sha1="),
    id: Some(Source::Json("/id")),
    event: Some(Source::Json("/status")),
    profile: Profile::new("Expo", "https://docs.expo.dev/eas/webhooks/"),
    ..Scheme::HMAC_SHA256_HEX
};

/// LaunchDarkly: `X-LD-Signature`, HMAC-SHA256 of the body, which is an entry of the audit log.
///
/// Webhooks that are not set to be signed are not.
///
/// Source: <https://launchdarkly.com/docs/home/infrastructure/webhooks>
pub const LAUNCHDARKLY: Scheme<'static> = Scheme {
    name: "launchdarkly",
    signature: Signature::bare("x-ld-signature"),
    id: Some(Source::Json("/_id")),
    event: Some(Source::Json("/kind")),
    profile: Profile::new("LaunchDarkly", "https://launchdarkly.com/docs/home/infrastructure/webhooks"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Statsig: `X-Statsig-Signature: v0=…`, HMAC-SHA256 of `v0:timestamp:body`, with the time in milliseconds.
///
/// The secret is shown on the card of the Generic Webhook integration. The body is a batch of events, so the request has
/// neither one id nor one type.
///
/// Source: <https://docs.statsig.com/integrations/event_webhook>
pub const STATSIG: Scheme<'static> = Scheme {
    name: "statsig",
    signature: Signature::prefixed("x-statsig-signature", "v0="),
    timestamp: Some(Timestamp::unix_millis(Source::Header("x-statsig-request-timestamp"))),
    message: &[Part::Text("v0:"), Part::Timestamp, Part::Text(":"), Part::Body],
    profile: Profile::new("Statsig", "https://docs.statsig.com/integrations/event_webhook"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Grafana Alerting: `X-Grafana-Alerting-Signature`, HMAC-SHA256 of the body.
///
/// The header's name can be changed in Grafana. Alerts that go on are sent again and again in the same words, so that
/// replays cannot be told from news; [`GRAFANA_TIMESTAMPED`] is better.
///
/// Source: <https://github.com/grafana/alerting/blob/main/http/hmac.go>
pub const GRAFANA: Scheme<'static> = Scheme {
    name: "grafana",
    signature: Signature::bare("x-grafana-alerting-signature"),
    event: Some(Source::Json("/status")),
    repeats: Repeats::Always,
    profile: Profile::new(
        "Grafana",
        "https://grafana.com/docs/grafana/latest/alerting/configure-notifications/manage-contact-points/integrations/webhook-notifier/",
    ),
    ..Scheme::HMAC_SHA256_HEX
};

/// Grafana Alerting with a timestamp header: `X-Grafana-Alerting-Signature`, HMAC-SHA256 of `timestamp:body`.
///
/// Enter `X-Grafana-Alerting-Timestamp` as the timestamp header of the contact point: it has none by default.
///
/// Source: <https://github.com/grafana/alerting/blob/main/http/hmac.go>
pub const GRAFANA_TIMESTAMPED: Scheme<'static> = Scheme {
    name: "grafana-timestamped",
    timestamp: Some(Timestamp::unix_seconds(Source::Header("x-grafana-alerting-timestamp"))),
    message: &[Part::Timestamp, Part::Text(":"), Part::Body],
    repeats: Repeats::Never,
    ..GRAFANA
};

/// Checkly: `x-checkly-signature`, HMAC-SHA256 of the body.
///
/// The body is a template of the user's, which may come out the same for the next alert, and the time
/// (`x-checkly-timestamp`) is not signed: replays cannot be told from news. Webhooks may be set to other methods, and
/// those without a secret are not signed.
///
/// Source: <https://www.checklyhq.com/docs/integrations/alerts/webhooks/>
pub const CHECKLY: Scheme<'static> = Scheme {
    name: "checkly",
    signature: Signature::bare("x-checkly-signature"),
    repeats: Repeats::Always,
    methods: &["POST", "PUT", "PATCH"],
    profile: Profile::new("Checkly", "https://www.checklyhq.com/docs/integrations/alerts/webhooks/")
        .retries(RetryOn::AnyFailure, 1),
    ..Scheme::HMAC_SHA256_HEX
};

/// Rootly: `X-Rootly-Signature: t=…,v1=…`, HMAC-SHA256 of timestamp and body.
///
/// Source: <https://docs.rootly.com/configuration/webhooks>
pub const ROOTLY: Scheme<'static> = Scheme {
    name: "rootly",
    signature: Signature::field("x-rootly-signature", ',', "v1"),
    timestamp: Some(Timestamp::unix_seconds(Source::Field("t"))),
    id: Some(Source::Json("/event/id")),
    event: Some(Source::Json("/event/type")),
    message: &[Part::Timestamp, Part::Body],
    profile: Profile::new("Rootly", "https://docs.rootly.com/configuration/webhooks"),
    ..Scheme::HMAC_SHA256_HEX
};

/// FireHydrant's runbook step: `fh-signature`, HMAC-SHA256 of the body.
///
/// The body is a template of the user's, and may come out the same for the next run: replays cannot be told from news.
/// Steps may be set to other methods.
///
/// Source: <https://docs.firehydrant.com/docs/runbook-step-send-a-webhook>
pub const FIREHYDRANT: Scheme<'static> = Scheme {
    name: "firehydrant",
    signature: Signature::bare("fh-signature"),
    repeats: Repeats::Always,
    profile: Profile::new("FireHydrant", "https://docs.firehydrant.com/docs/runbook-step-send-a-webhook"),
    ..Scheme::HMAC_SHA256_HEX
};

/// incident.io: Standard Webhooks, sent through Svix: HMAC-SHA256 of `id.timestamp.body`.
///
/// Source: <https://docs.incident.io/api-reference/webhooks>
pub const INCIDENT_IO: Scheme<'static> = Scheme {
    name: "incident-io",
    event: Some(Source::Json("/event_type")),
    profile: Profile::new("incident.io", "https://docs.incident.io/api-reference/webhooks")
        .retries(RetryOn::AnyFailure, 24)
        .resigned(true),
    ..STANDARD_WEBHOOKS
};

/// Terraform run tasks: `X-TFC-Task-Signature`, HMAC-SHA512 of the body.
///
/// Run tasks without an HMAC key are not signed. The id is that of the task's result. The body holds a token for HCP
/// Terraform.
///
/// Source: <https://github.com/hashicorp/terraform-run-task-scaffolding-go>
pub const TERRAFORM_RUN_TASK: Scheme<'static> = Scheme {
    name: "terraform-run-task",
    algorithm: Algorithm::HmacSha512,
    signature: Signature::bare("x-tfc-task-signature"),
    id: Some(Source::Json("/task_result_id")),
    event: Some(Source::Json("/stage")),
    profile: Profile::new("Terraform run tasks", "https://github.com/hashicorp/terraform-run-task-scaffolding-go"),
    ..Scheme::HMAC_SHA256_HEX
};

/// HCP Terraform and Terraform Enterprise: `X-TFE-Notification-Signature`, HMAC-SHA512 of the body.
///
/// Configurations without a token are not signed. There is no delivery id.
///
/// Source: <https://developer.hashicorp.com/terraform/enterprise/workspaces/settings/notifications>
pub const TERRAFORM_CLOUD: Scheme<'static> = Scheme {
    name: "terraform-cloud",
    algorithm: Algorithm::HmacSha512,
    signature: Signature::bare("x-tfe-notification-signature"),
    event: Some(Source::Json("/notifications/0/trigger")),
    profile: Profile::new(
        "HCP Terraform",
        "https://developer.hashicorp.com/terraform/enterprise/workspaces/settings/notifications",
    ),
    ..Scheme::HMAC_SHA256_HEX
};

/// Hookdeck: `x-hookdeck-signature`, HMAC-SHA256 of the body, in base64; `x-hookdeck-signature-2` while a secret is
/// rolled.
///
/// The event id is not signed. What Hookdeck forwards may repeat, as its source may.
///
/// Source: <https://github.com/hookdeck/hookdeck-typescript-sdk>
pub const HOOKDECK: Scheme<'static> = Scheme {
    name: "hookdeck",
    signature: Signature {
        others: &[Source::Header("x-hookdeck-signature-2")],
        ..Signature::bare("x-hookdeck-signature")
    },
    id: Some(Source::Header("x-hookdeck-eventid")),
    repeats: Repeats::Always,
    profile: Profile::new("Hookdeck", "https://hookdeck.com/docs/signature-verification"),
    ..Scheme::HMAC_SHA256_BASE64
};

/// Netlify: `X-Webhook-Signature`, a JSON Web Token (HS256) whose claim `sha256` is that of the body.
///
/// The secret is the "JWS secret token" of the notification. There is neither a time nor a delivery id, and the event
/// type is not in the body.
///
/// Source: <https://docs.netlify.com/site-deploys/notifications/#payload-signature>
pub const NETLIFY: Scheme<'static> = Scheme {
    name: "netlify",
    algorithm: Algorithm::Jws,
    signature: Signature::bare("x-webhook-signature"),
    message: &[],
    jws: Some(Jws {
        algorithms: &[JwsAlgorithm::Hs256],
        claims: &[
            Claim { at: &["/iss"], expected: Expected::OneOf(&["netlify"]) },
            Claim { at: &["/sha256"], expected: Expected::BodySha256(Encoding::Hex) },
        ],
        ..Jws::NEW
    }),
    event: Some(Source::Header("x-netlify-event")),
    repeats: Repeats::PerEvent,
    profile: Profile::new("Netlify", "https://docs.netlify.com/site-deploys/notifications/#payload-signature"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Tailscale: `Tailscale-Webhook-Signature: t=…,v1=…`, HMAC-SHA256 of `t.body`.
///
/// The body is a list of events, so the request has neither one id nor one type.
///
/// Source: <https://github.com/tailscale/tailscale/blob/main/docs/webhooks/example.go>
pub const TAILSCALE: Scheme<'static> = Scheme {
    name: "tailscale",
    signature: Signature::field("tailscale-webhook-signature", ',', "v1"),
    timestamp: Some(Timestamp::unix_seconds(Source::Field("t"))),
    message: &[Part::Timestamp, Part::Text("."), Part::Body],
    profile: Profile::new("Tailscale", "https://tailscale.com/kb/1213/webhooks"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Pulumi Cloud: `Pulumi-Webhook-Signature`, HMAC-SHA256 of the body.
///
/// Neither the kind of event nor the delivery id are signed. A stack that is created or deleted again under its name is
/// told of in the same words, so that replays cannot be told from news. Webhooks without a secret are not signed.
///
/// Source: <https://www.pulumi.com/docs/pulumi-cloud/webhooks/>
pub const PULUMI: Scheme<'static> = Scheme {
    name: "pulumi",
    signature: Signature::bare("pulumi-webhook-signature"),
    id: Some(Source::Header("pulumi-webhook-id")),
    event: Some(Source::Header("pulumi-webhook-kind")),
    repeats: Repeats::Always,
    profile: Profile::new("Pulumi", "https://www.pulumi.com/docs/pulumi-cloud/webhooks/"),
    ..Scheme::HMAC_SHA256_HEX
};

/// Flagsmith: `X-Flagsmith-Signature`, HMAC-SHA256 of the body.
///
/// There is no delivery id. Webhooks without a secret are not signed.
///
/// Source: <https://docs.flagsmith.com/system-administration/webhooks>
pub const FLAGSMITH: Scheme<'static> = Scheme {
    name: "flagsmith",
    signature: Signature::bare("x-flagsmith-signature"),
    event: Some(Source::Json("/event_type")),
    profile: Profile::new("Flagsmith", "https://docs.flagsmith.com/system-administration/webhooks"),
    ..Scheme::HMAC_SHA256_HEX
};

/// GrowthBook's event webhooks: `X-GrowthBook-Signature`, HMAC-SHA256 of the body.
///
/// Its SDK webhooks are signed as Standard Webhooks instead. There is no delivery id. Webhooks may be set to PUT or PATCH.
///
/// Source: <https://github.com/growthbook/growthbook/blob/main/packages/back-end/src/events/handlers/webhooks/EventWebHookNotifier.ts>
pub const GROWTHBOOK: Scheme<'static> = Scheme {
    name: "growthbook",
    signature: Signature::bare("x-growthbook-signature"),
    event: Some(Source::Json("/event")),
    methods: &["POST", "PUT", "PATCH"],
    profile: Profile::new("GrowthBook", "https://docs.growthbook.io/app/webhooks/event-webhooks")
        .retries(RetryOn::AnyFailure, 1),
    ..Scheme::HMAC_SHA256_HEX
};
