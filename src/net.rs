//! What is fetched from servers: models and pictures.

use std::time::Duration;

use ureq::Agent;

/// Together less than the 5 seconds after which a user without network is to know.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(2);
const CONNECT_TIMEOUT: Duration = Duration::from_millis(2500);
/// How long a server may be silent.
const SILENCE_TIMEOUT: Duration = Duration::from_secs(20);

pub fn agent() -> Agent {
    Agent::config_builder()
        .timeout_resolve(Some(RESOLVE_TIMEOUT))
        .timeout_connect(Some(CONNECT_TIMEOUT))
        .timeout_per_read(Some(SILENCE_TIMEOUT))
        .user_agent(concat!("yolo-cam/", env!("CARGO_PKG_VERSION")))
        .build()
        .new_agent()
}

/// An error and its causes, without line breaks.
pub fn one_line(error: &anyhow::Error) -> String {
    format!("{error:#}").split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_without_network_knows_within_five_seconds() {
        assert!(RESOLVE_TIMEOUT + CONNECT_TIMEOUT < Duration::from_secs(5));
    }
}
