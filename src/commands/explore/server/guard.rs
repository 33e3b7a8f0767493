//! Who may ask: this machine's own page, and who has the token.
//!
//! A foreign page in the same browser must neither read answers nor ask questions. Its requests name themselves by `Origin` and
//! `Sec-Fetch-Site`; and where a name of its own leads to this machine (DNS rebinding), by `Host`.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

use anyhow::Result;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::super::refusal::Refusal;

/// The name of the cookie that holds the token.
const COOKIE: &str = "yolo-cam-token";

/// What lets other machines in.
pub struct Token(String);

impl Token {
    /// # Errors
    /// If the system has no random numbers.
    pub fn new() -> Result<Self> {
        let mut bytes = [0; 24];
        getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("the system gives no random numbers: {error}"))?;
        Ok(Self(hex::encode(bytes)))
    }

    /// Whether it is the same, in a time that does not tell how much of it is.
    fn is(&self, other: &str) -> bool {
        let (own, other) = (self.0.as_bytes(), other.as_bytes());
        own.len() == other.len() && own.iter().zip(other).fold(0, |all, (a, b)| all | (a ^ b)) == 0
    }
}

/// What is let in.
pub struct Guard {
    host: String,
    address: SocketAddr,
    token: Option<Token>,
}

impl Guard {
    /// `host`: as the user said it; `address`: where the server listens.
    pub fn new(host: &str, address: SocketAddr, token: Option<Token>) -> Self {
        Self { host: host.to_owned(), address, token }
    }

    /// What to open.
    pub fn address(&self) -> String {
        let port = self.address.port();
        // An address that stands for all is none that a browser can open.
        let host = match self.address.ip() {
            ip if ip.is_unspecified() => "127.0.0.1".to_owned(),
            _ if self.host.parse::<IpAddr>().is_err() => self.host.clone(),
            IpAddr::V4(ip) => ip.to_string(),
            IpAddr::V6(ip) => format!("[{ip}]"),
        };
        let token = self.token.as_ref().map(|token| format!("?token={}", token.0)).unwrap_or_default();
        format!("http://{host}:{port}/{token}")
    }

    /// Whether a name or an address, as `Host` has it, means this server. A foreign name that was made to lead here does not; addresses
    /// are no names that anybody could have made.
    fn knows(&self, host: &str) -> bool {
        let (name, port) = match host.rsplit_once(':') {
            Some((name, port)) if !port.ends_with(']') => (name, port.parse().ok()),
            _ => (host, Some(80)),
        };
        let is_own_ip = |ip: IpAddr| {
            let own = self.address.ip();
            ip == own || own.is_unspecified() || (own.is_loopback() && ip.is_loopback())
        };
        let literal = name.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(name);
        let is_known = match literal.parse::<IpAddr>() {
            Ok(ip) => is_own_ip(ip),
            Err(_) => name.eq_ignore_ascii_case("localhost") || name.eq_ignore_ascii_case(&self.host),
        };
        is_known && port == Some(self.address.port())
    }

    /// # Errors
    /// If the request comes from a foreign page, or under a foreign name.
    fn admit(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), Refusal> {
        let forbidden = |line: String| Err(Refusal::new(StatusCode::FORBIDDEN, line));
        let text = |name: HeaderName| headers.get_all(name).into_iter().map(|value| value.to_str().unwrap_or("?"));
        let hosts: Vec<&str> = text(header::HOST).chain(uri.authority().map(|authority| authority.as_str())).collect();
        if hosts.is_empty() || !hosts.iter().all(|host| self.knows(host)) {
            let host = hosts.first().unwrap_or(&"");
            return forbidden(format!("Host {host:?} is not this server; open {}", self.plain_address()));
        }
        if let Some(origin) =
            text(header::ORIGIN).find(|origin| !origin.strip_prefix("http://").is_some_and(|host| self.knows(host)))
        {
            return forbidden(format!("Origin {origin:?} is not this server's page, which alone may ask"));
        }
        let is_foreign = |site: &&str| !matches!(*site, "same-origin" | "none");
        if let Some(site) = text(HeaderName::from_static("sec-fetch-site")).find(is_foreign)
            // A link from elsewhere may lead to the page, which answers nothing by itself.
            && uri.path() != "/"
        {
            return forbidden(format!("Sec-Fetch-Site {site:?}: only this server's own page may ask"));
        }
        Ok(())
    }

    /// Without the token.
    fn plain_address(&self) -> String {
        self.address().split('?').next().unwrap_or_default().to_owned()
    }

    /// Whether the request has the token, if there is one.
    fn is_trusted(&self, headers: &HeaderMap) -> bool {
        let Some(token) = &self.token else { return true };
        let values = |name: HeaderName| headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
        let cookies = values(header::COOKIE).flat_map(|line| line.split(';'));
        let cookies = cookies.filter_map(|cookie| cookie.trim().strip_prefix(COOKIE)?.strip_prefix('='));
        let bearers = values(header::AUTHORIZATION).filter_map(|line| line.strip_prefix("Bearer "));
        cookies.chain(bearers).any(|given| token.is(given))
    }

    /// The token that the page's address carries.
    fn in_address(&self, uri: &Uri) -> Option<Response> {
        let token = self.token.as_ref()?;
        let given = uri.query()?.split('&').find_map(|part| part.strip_prefix("token="))?;
        if uri.path() != "/" || !token.is(given) {
            return None;
        }
        // The address in the bar, which people copy, is without it from here on.
        let cookie = format!("{COOKIE}={}; Path=/; HttpOnly; SameSite=Strict", token.0);
        let headers = [
            (header::SET_COOKIE, HeaderValue::try_from(cookie).ok()?),
            (header::LOCATION, HeaderValue::from_static("/")),
        ];
        Some((StatusCode::SEE_OTHER, headers).into_response())
    }
}

/// Lets a request through, or refuses it.
pub async fn check(State(guard): State<Arc<Guard>>, request: Request, next: Next) -> Response {
    if let Err(refusal) = guard.admit(request.headers(), request.uri()) {
        return refusal.into_response();
    }
    if let Some(redirect) = guard.in_address(request.uri()) {
        return redirect;
    }
    if !guard.is_trusted(request.headers()) {
        let line = "a token is needed; open the address that yolo-cam explore printed";
        return Refusal::new(StatusCode::UNAUTHORIZED, line).into_response();
    }
    next.run(request).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(host: &str, address: &str) -> Guard {
        Guard::new(host, address.parse().unwrap(), None)
    }

    #[test]
    fn only_names_of_this_server_are_known() {
        let own = guard("127.0.0.1", "127.0.0.1:8642");
        for host in ["127.0.0.1:8642", "localhost:8642", "LOCALHOST:8642", "[::1]:8642"] {
            assert!(own.knows(host), "{host}");
        }
        for host in [
            "127.0.0.1",
            "127.0.0.1:80",
            "evil.example:8642",
            "localhost.evil.example:8642",
            "10.0.0.1:8642",
            "",
            ":8642",
        ] {
            assert!(!own.knows(host), "{host}");
        }
        let open = guard("0.0.0.0", "0.0.0.0:80");
        assert!(open.knows("10.0.0.7") && open.knows("10.0.0.7:80") && open.knows("[fe80::1]:80"));
        assert!(!open.knows("gpu01.lab"), "a name that nobody said");
        let named = guard("gpu01.lab", "10.0.0.7:8642");
        assert!(named.knows("gpu01.lab:8642") && named.knows("10.0.0.7:8642") && !named.knows("gpu02.lab:8642"));
    }

    #[test]
    fn the_address_is_one_that_a_browser_opens() {
        assert_eq!(guard("127.0.0.1", "127.0.0.1:8642").address(), "http://127.0.0.1:8642/");
        assert_eq!(guard("0.0.0.0", "0.0.0.0:80").address(), "http://127.0.0.1:80/");
        assert_eq!(guard("::1", "[::1]:81").address(), "http://[::1]:81/");
        let token = Guard::new("gpu01.lab", "10.0.0.7:80".parse().unwrap(), Some(Token("abc".to_owned())));
        assert_eq!(token.address(), "http://gpu01.lab:80/?token=abc");
        assert_eq!(token.plain_address(), "http://gpu01.lab:80/");
    }

    #[test]
    fn tokens_are_long_and_never_the_same() {
        let [one, other] = [Token::new().unwrap(), Token::new().unwrap()];
        assert_eq!(one.0.len(), 48);
        assert!(one.is(&one.0) && !one.is(&other.0) && !one.is("") && !one.is(&one.0[1..]));
    }
}
