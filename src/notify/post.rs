//! One request to a receiver, bounded in time. Its address is told to nobody.

use std::time::Duration;

use reqwest::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Url};
use secrecy::{ExposeSecret, SecretString};

use super::body::{self, Templates};
use super::outbox::{Answer, Batch};
use crate::clock::Clock;
use crate::config::{NotificationSettings, ReceiverKind, Secrets};
use crate::domain::time::Timestamp;
use crate::provider::{plain_client, retry_after, why_broken};

/// How long a receiver may take.
pub(super) const TIMEOUT: Duration = Duration::from_secs(10);

/// How one receiver is reached.
#[derive(Clone)]
pub(super) struct Post {
    http: Client,
    url: SecretString,
    signing: Option<SecretString>,
    kind: ReceiverKind,
    templates: Templates,
    clock: Clock,
}

impl Post {
    /// Fails with a sentence in which the address is not.
    pub(super) fn new(settings: &NotificationSettings, secrets: Secrets, clock: Clock) -> Result<Self, String> {
        let url = Url::parse(secrets.url.expose_secret()).map_err(|_| "its address is none".to_owned())?;
        let http = plain_client(&url, TIMEOUT)?;
        let (kind, templates) = (settings.kind, settings.templates.clone());
        Ok(Self { http, url: secrets.url, signing: secrets.signing, kind, templates, clock })
    }

    pub(super) const fn most_in_batch(&self) -> usize {
        match self.kind {
            ReceiverKind::Webhook => body::MOST_IN_WEBHOOK,
            ReceiverKind::Slack => body::MOST_IN_SLACK,
        }
    }

    /// Makes the request, once.
    pub(super) async fn send(&self, batch: &Batch) -> Answer {
        let now = self.clock.wall();
        let body = match self.kind {
            ReceiverKind::Webhook => body::webhook(&batch.notices, &self.templates),
            ReceiverKind::Slack => body::slack(&batch.notices, &self.templates),
        };
        let body = body.to_string();
        let headers = self.headers(&batch.id, now, &body);
        let request = self.http.post(self.url.expose_secret()).headers(headers).body(body);
        match tokio::time::timeout(TIMEOUT, request.send()).await {
            Err(_) => refused(format!("no answer within {} s", TIMEOUT.as_secs()), None),
            Ok(Err(error)) => refused(why_broken(error), None),
            Ok(Ok(response)) if response.status().is_success() => Answer::Taken,
            Ok(Ok(response)) => {
                let wait = retry_after(response.headers(), b"", self.clock.now());
                refused(format!("it answered {}", response.status().as_u16()), wait)
            }
        }
    }

    fn headers(&self, id: &str, now: Timestamp, body: &str) -> HeaderMap {
        let mut headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static("application/json"))]);
        if self.kind == ReceiverKind::Webhook {
            let signature = self.signing.as_ref().and_then(|signing| body::signature(signing, id, now, body));
            let named =
                [("webhook-id", Some(id.to_owned())), ("webhook-timestamp", Some(now.as_second().to_string())), ("webhook-signature", signature)];
            headers.extend(named.into_iter().filter_map(|(name, value)| Some((HeaderName::from_static(name), HeaderValue::from_str(&value?).ok()?))));
        }
        headers
    }
}

fn refused(why: String, retry_after: Option<crate::domain::time::SignedDuration>) -> Answer {
    Answer::Refused { why, retry_after }
}
