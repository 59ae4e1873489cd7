//! Signing in with the account of an OpenID Connect provider: the code flow with PKCE.
//!
//! A sign-in is begun in one browser: a cookie of its own, `state`, `nonce` and the verifier of PKCE are kept here until the
//! provider sends the browser back, once, and for ten minutes at most. `fetch` sends the requests, and `person` reads what
//! the provider says of somebody, after its signature, issuer, audience, time and nonce were checked.

mod fetch;
mod person;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kael_engine::environment::Environment;
use kael_net::Trust;
use openidconnect::core::{
    CoreAuthenticationFlow, CoreClient, CoreIdToken, CoreJwsSigningAlgorithm as Algorithm,
    CoreProviderMetadata,
};
use openidconnect::{
    AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet,
    EndpointSet, HttpRequest, IssuerUrl, Nonce, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl,
    RequestTokenError, Scope, TokenResponse as _,
};
use serde_json::{Map, Value};
use thiserror::Error;
use tokio::sync::Mutex as AsyncMutex;

use crate::config::OidcConfig;
use crate::secret;
use fetch::fetch;
pub(crate) use person::{Person, clean};

/// Where the provider sends a browser back to.
pub(crate) const CALLBACK: &str = "/login/oidc/callback";
/// How long a sign-in may take.
pub(crate) const LIVES: Duration = Duration::from_secs(600);
/// Sign-ins that are begun; the oldest go when there are more.
const MAX_BEGUN: usize = 10_000;
/// How long Kael keeps what the provider says of itself.
const KNOWN_FOR: Duration = Duration::from_secs(3600);
/// How soon Kael asks the provider again when a signature does not fit, or when it gave no answer.
const AGAIN: Duration = Duration::from_secs(10);

/// Signatures that a provider makes with a key that it alone has.
const ALGORITHMS: [Algorithm; 9] = [
    Algorithm::RsaSsaPkcs1V15Sha256,
    Algorithm::RsaSsaPkcs1V15Sha384,
    Algorithm::RsaSsaPkcs1V15Sha512,
    Algorithm::RsaSsaPssSha256,
    Algorithm::RsaSsaPssSha384,
    Algorithm::RsaSsaPssSha512,
    Algorithm::EcdsaP256Sha256,
    Algorithm::EcdsaP384Sha384,
    Algorithm::EdDsa,
];

/// Why nobody is signed in.
#[derive(Debug, Error)]
pub(crate) enum OidcError {
    #[error("the provider cannot be asked: {0}")]
    Provider(String),
    #[error(
        "this sign-in was not begun in this browser, was used, or took longer than ten minutes"
    )]
    NotBegun,
    #[error("the provider has signed nobody in: {0}")]
    Refused(String),
    #[error("the provider does not take the code: {0}")]
    Code(String),
    #[error("the provider's token is not valid: {0}")]
    Token(String),
    #[error("none of your groups may use this server: {0}")]
    NoRole(String),
    #[error("the provider names no tenant of this server: {0}")]
    NoTenant(String),
}

/// A sign-in that was begun.
struct Begun {
    nonce: Nonce,
    verifier: PkceCodeVerifier,
    /// The digest of the cookie of the browser.
    browser: [u8; 32],
    at: Instant,
}

/// What asks the provider.
type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// What the browser of a sign-in gets.
pub(crate) struct Start {
    /// Where the provider asks who it is.
    pub(crate) url: String,
    /// For the cookie.
    pub(crate) cookie: String,
}

/// Who came back, as far as the provider says.
pub(crate) struct Known {
    /// The digest of who it is.
    pub(crate) subject: [u8; 32],
    /// What the person may do here, or why nothing.
    pub(crate) person: Result<Person, OidcError>,
}

/// A provider whose people sign in here.
pub(crate) struct Oidc {
    pub(crate) config: OidcConfig,
    secret: Option<ClientSecret>,
    callback: String,
    trust: Arc<Trust>,
    begun: Mutex<HashMap<[u8; 32], Begun>>,
    /// What the provider has said of itself, or why it has not, and when.
    metadata: AsyncMutex<Option<(Instant, Result<CoreProviderMetadata, String>)>>,
}

impl Oidc {
    /// A provider for a server at an address. Nothing is asked yet.
    ///
    /// # Errors
    /// When the file of the secret cannot be read.
    pub(crate) fn new(
        config: OidcConfig,
        address: &str,
        environment: &Environment,
    ) -> Result<Self, String> {
        let secret = config.client_secret.as_ref().map(|path| {
            let read = std::fs::read_to_string(path);
            let text = read.map_err(|error| format!("{}: {error}", path.display()))?;
            match text.trim() {
                "" => Err(format!("{} is empty", path.display())),
                text => Ok(ClientSecret::new(text.to_owned())),
            }
        });
        Ok(Self {
            secret: secret.transpose()?,
            callback: format!("{address}{CALLBACK}"),
            trust: Arc::new(Trust::new(environment)),
            begun: Mutex::default(),
            metadata: AsyncMutex::default(),
            config,
        })
    }

    /// Begins a sign-in in a browser.
    pub(crate) async fn begin(&self) -> Result<Start, OidcError> {
        let client = self.client(KNOWN_FOR).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let flow = CoreAuthenticationFlow::AuthorizationCode;
        let mut asking = client
            .authorize_url(flow, CsrfToken::new_random, Nonce::new_random)
            .add_scope(Scope::new("profile".to_owned()))
            .add_scope(Scope::new("email".to_owned()))
            .set_pkce_challenge(challenge);
        for scope in &self.config.scopes {
            asking = asking.add_scope(Scope::new(scope.clone()));
        }
        let (url, state, nonce) = asking.url();
        let cookie = secret::new("").map_err(|error| OidcError::Provider(error.to_string()))?;
        let begun = Begun {
            nonce,
            verifier,
            browser: secret::hash(&cookie),
            at: Instant::now(),
        };
        self.keep(secret::hash(state.secret()), begun);
        Ok(Start {
            url: url.to_string(),
            cookie,
        })
    }

    fn keep(&self, state: [u8; 32], begun: Begun) {
        let mut all = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        if all.len() >= MAX_BEGUN {
            all.retain(|_, begun| begun.at.elapsed() < LIVES);
        }
        if all.len() >= MAX_BEGUN
            && let Some(oldest) = all.iter().min_by_key(|(_, begun)| begun.at)
        {
            let oldest = *oldest.0;
            all.remove(&oldest);
        }
        all.insert(state, begun);
    }

    /// Takes the sign-in of a state, which is gone then, whoever has come back with it.
    fn take(&self, state: &str, cookie: Option<&str>) -> Result<Begun, OidcError> {
        let mut all = self.begun.lock().unwrap_or_else(PoisonError::into_inner);
        let begun = all.remove(&secret::hash(state));
        let begun = begun.filter(|begun| begun.at.elapsed() < LIVES);
        let browser = cookie.map(secret::hash);
        begun
            .filter(|begun| Some(begun.browser) == browser)
            .ok_or(OidcError::NotBegun)
    }

    /// Ends a sign-in whose browser has come back.
    pub(crate) async fn finish(
        &self,
        answer: &Answer,
        cookie: Option<&str>,
    ) -> Result<Known, OidcError> {
        let begun = self.take(&answer.state, cookie)?;
        if let Some(error) = answer.error.as_deref() {
            let more = answer.error_description.as_deref().unwrap_or_default();
            return Err(OidcError::Refused(clean(&format!("{error} {more}"))));
        }
        if answer
            .iss
            .as_ref()
            .is_some_and(|iss| *iss != self.config.issuer)
        {
            return Err(OidcError::Token(
                "the answer is of another issuer".to_owned(),
            ));
        }
        let code = answer.code.clone().unwrap_or_default();
        let client = self.client(KNOWN_FOR).await?;
        let http = self.http();
        let asking = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|error| OidcError::Provider(error.to_string()))?;
        let asking = asking.set_pkce_verifier(begun.verifier);
        let given = asking
            .request_async(&http)
            .await
            .map_err(|error| match error {
                RequestTokenError::Request(error) => OidcError::Provider(error.to_string()),
                RequestTokenError::ServerResponse(answer) => {
                    OidcError::Code(clean(&answer.to_string()))
                }
                error => OidcError::Code(clean(&error.to_string())),
            })?;
        let token = given
            .id_token()
            .ok_or_else(|| OidcError::Token("the answer has no `id_token`".to_owned()))?;
        let claims = match self.claims(token, &begun.nonce, KNOWN_FOR).await {
            // The provider may have new keys.
            Err(OidcError::Token(_)) => self.claims(token, &begun.nonce, AGAIN).await?,
            claims => claims?,
        };
        Ok(Known {
            subject: person::subject(&self.config, &claims),
            person: person::of(&self.config, &claims),
        })
    }

    /// The claims of a token, once all of it was checked.
    async fn claims(
        &self,
        token: &CoreIdToken,
        nonce: &Nonce,
        known_for: Duration,
    ) -> Result<Map<String, Value>, OidcError> {
        let client = self.client(known_for).await?;
        let verifier = client.id_token_verifier().set_allowed_algs(ALGORITHMS);
        let wrong = |why: &str| OidcError::Token(clean(why));
        token
            .claims(&verifier, nonce)
            .map_err(|error| wrong(&error.to_string()))?;
        // The same text that was verified, with the claims that only this provider has.
        let text = token.to_string();
        let payload = text.split('.').nth(1).unwrap_or_default();
        let bytes = URL_SAFE_NO_PAD.decode(payload);
        let bytes = bytes.map_err(|error| wrong(&error.to_string()))?;
        serde_json::from_slice(&bytes).map_err(|error| wrong(&error.to_string()))
    }

    /// What asks the provider, and knows its keys.
    async fn client(&self, known_for: Duration) -> Result<Client, OidcError> {
        let metadata = self
            .metadata(known_for)
            .await
            .map_err(OidcError::Provider)?;
        let id = ClientId::new(self.config.client_id.clone());
        let client = CoreClient::from_provider_metadata(metadata, id, self.secret.clone());
        let callback = RedirectUrl::new(self.callback.clone());
        let callback = callback.map_err(|error| OidcError::Provider(error.to_string()))?;
        Ok(client.set_redirect_uri(callback))
    }

    /// What the provider says of itself, with its keys.
    async fn metadata(&self, known_for: Duration) -> Result<CoreProviderMetadata, String> {
        let mut known = self.metadata.lock().await;
        if let Some((at, metadata)) = &*known
            && at.elapsed() < if metadata.is_ok() { known_for } else { AGAIN }
        {
            return metadata.clone();
        }
        let found = self.discover().await;
        // What it has said not long ago is better than no answer.
        let holds = known
            .as_ref()
            .is_some_and(|(at, before)| before.is_ok() && at.elapsed() < KNOWN_FOR);
        if found.is_ok() || !holds {
            *known = Some((Instant::now(), found.clone()));
        }
        found
    }

    async fn discover(&self) -> Result<CoreProviderMetadata, String> {
        let issuer = IssuerUrl::new(self.config.issuer.clone());
        let issuer = issuer.map_err(|error| clean(&error.to_string()))?;
        let http = self.http();
        let found = CoreProviderMetadata::discover_async(issuer, &http).await;
        found.map_err(|error| {
            let cause = std::error::Error::source(&error).map(ToString::to_string);
            clean(&format!("{error}: {}", cause.unwrap_or_default()))
        })
    }

    fn http(
        &self,
    ) -> impl Fn(
        HttpRequest,
    ) -> std::pin::Pin<
        Box<dyn Future<Output = Result<openidconnect::HttpResponse, fetch::FetchError>> + Send>,
    > + use<> {
        let trust = self.trust.clone();
        move |request| {
            let trust = trust.clone();
            Box::pin(async move { fetch(&trust, request).await })
        }
    }
}

/// What a browser brings back from the provider.
#[derive(Debug, serde::Deserialize)]
pub(crate) struct Answer {
    #[serde(default)]
    state: String,
    code: Option<String>,
    error: Option<String>,
    error_description: Option<String>,
    iss: Option<String>,
}
