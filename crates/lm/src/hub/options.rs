//! Where the hub is, who asks, and where its files are kept.

use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{Error, Result};

/// Where the hub is, who asks, and where its files are kept.
#[derive(Clone)]
pub struct HubOptions {
    /// The hub's address, without a slash at its end.
    pub endpoint: String,
    /// The access token. It is sent to `endpoint` and to no other host.
    pub token: Option<String>,
    /// The cache folder, which holds `models--owner--name` folders.
    pub cache: PathBuf,
    /// Use what the cache holds and never the network.
    pub offline: bool,
    /// How often a request that failed for a passing reason is tried again before it is given up.
    pub retries: u32,
    /// The wait before the first new try; it doubles with every further one, up to 8 times as long.
    pub backoff: Duration,
    /// How long a connection, an answer or a read may take.
    pub timeout: Duration,
}

impl HubOptions {
    /// The options that the hub's own tools would use, from the environment variables `HF_ENDPOINT`,
    /// `HF_TOKEN` (else the file `HF_TOKEN_PATH`, else `$HF_HOME/token`), `HF_HUB_CACHE` (else
    /// `$HF_HOME/hub`), `HF_HOME` (else `$XDG_CACHE_HOME/huggingface`, else
    /// `~/.cache/huggingface`), `HF_HUB_OFFLINE` and `HF_HUB_DISABLE_IMPLICIT_TOKEN`.
    ///
    /// `lookup` gives a variable's value; a variable that is empty counts as unset.
    ///
    /// # Errors
    /// When the endpoint is no http address, the token cannot be sent, a token file exists and
    /// cannot be read, or no home folder is known.
    pub fn from_env(lookup: impl Fn(&str) -> Option<String>) -> Result<Self> {
        let variable = |name: &str| lookup(name).filter(|value| !value.trim().is_empty());
        let cache = match variable("HF_HUB_CACHE").or_else(|| variable("HUGGINGFACE_HUB_CACHE")) {
            Some(path) => expand(&path, &variable)?,
            None => home(&variable)?.join("hub"),
        };
        let endpoint = variable("HF_ENDPOINT").unwrap_or("https://huggingface.co".to_owned());
        Ok(Self {
            endpoint: checked_endpoint(&endpoint)?,
            token: token(&variable)?,
            cache,
            offline: is_true(
                variable("HF_HUB_OFFLINE").or_else(|| variable("TRANSFORMERS_OFFLINE")),
            ),
            retries: 4,
            backoff: Duration::from_secs(1),
            timeout: Duration::from_secs(30),
        })
    }
}

impl fmt::Debug for HubOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubOptions")
            .field("endpoint", &self.endpoint)
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("cache", &self.cache)
            .field("offline", &self.offline)
            .finish_non_exhaustive()
    }
}

fn is_true(value: Option<String>) -> bool {
    value.is_some_and(|value| {
        ["1", "on", "yes", "true"].contains(&value.trim().to_lowercase().as_str())
    })
}

fn checked_endpoint(text: &str) -> Result<String> {
    let endpoint = text.trim().trim_end_matches('/');
    let host = endpoint.strip_prefix("https://").or_else(|| endpoint.strip_prefix("http://"));
    if host.is_some_and(|host| !host.is_empty()) && !endpoint.contains(['?', '#', '@']) {
        return Ok(endpoint.to_owned());
    }
    Err(Error::Unsupported {
        what: format!("HF_ENDPOINT={text}"),
        hint: "expected an address such as https://huggingface.co, without user name".to_owned(),
    })
}

/// The folder of the hub's tools.
fn home(variable: &dyn Fn(&str) -> Option<String>) -> Result<PathBuf> {
    if let Some(path) = variable("HF_HOME") {
        return expand(&path, variable);
    }
    match variable("XDG_CACHE_HOME") {
        Some(path) => Ok(expand(&path, variable)?.join("huggingface")),
        None => expand("~/.cache/huggingface", variable),
    }
}

/// Replaces a leading `~` by the user's home folder.
fn expand(path: &str, variable: &dyn Fn(&str) -> Option<String>) -> Result<PathBuf> {
    let Some(rest) = path.strip_prefix("~/").or((path == "~").then_some("")) else {
        return Ok(PathBuf::from(path));
    };
    match variable("HOME").or_else(|| variable("USERPROFILE")) {
        Some(home) => Ok(Path::new(&home).join(rest)),
        None => Err(Error::Unsupported {
            what: format!("the cache folder {path} without a home folder"),
            hint: "set HF_HUB_CACHE to a folder that may be written".to_owned(),
        }),
    }
}

fn token(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<String>> {
    if is_true(variable("HF_HUB_DISABLE_IMPLICIT_TOKEN")) {
        return Ok(None);
    }
    let given = variable("HF_TOKEN").or_else(|| variable("HUGGING_FACE_HUB_TOKEN"));
    let token = match given {
        Some(token) => Some(token),
        None => token_file(variable)?,
    };
    let Some(token) = token.map(|token| token.trim().to_owned()).filter(|t| !t.is_empty()) else {
        return Ok(None);
    };
    if token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Ok(Some(token));
    }
    Err(Error::Unsupported {
        what: "a hub token with spaces or control characters".to_owned(),
        hint: "set HF_TOKEN to the token alone, as the hub shows it".to_owned(),
    })
}

fn token_file(variable: &dyn Fn(&str) -> Option<String>) -> Result<Option<String>> {
    let path = match variable("HF_TOKEN_PATH") {
        Some(path) => expand(&path, variable)?,
        None => match home(variable) {
            Ok(home) => home.join("token"),
            Err(_) => return Ok(None), // no home folder, so no token file either
        },
    };
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::io(path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options(variables: &[(&str, &str)]) -> Result<HubOptions> {
        HubOptions::from_env(|name| {
            variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_cache_is_where_the_hubs_own_tools_keep_it() {
        let cache = |variables: &[(&str, &str)]| options(variables).unwrap().cache;
        let home = ("HOME", "/home/ada");
        assert_eq!(cache(&[home]), Path::new("/home/ada/.cache/huggingface/hub"));
        assert_eq!(cache(&[home, ("XDG_CACHE_HOME", "/x")]), Path::new("/x/huggingface/hub"));
        assert_eq!(cache(&[home, ("HF_HOME", "~/hf")]), Path::new("/home/ada/hf/hub"));
        let both = [("HF_HOME", "/hf"), ("HF_HUB_CACHE", "/elsewhere"), home];
        assert_eq!(cache(&both), Path::new("/elsewhere"));
        assert!(options(&[]).unwrap_err().to_string().contains("HF_HUB_CACHE"));
        assert!(options(&[("HF_HUB_CACHE", "/c")]).is_ok(), "needs no home folder");
    }

    #[test]
    fn the_token_comes_from_the_variable_or_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let hf = folder.path().to_str().unwrap();
        assert_eq!(options(&[("HF_HOME", hf)]).unwrap().token, None);
        fs::write(folder.path().join("token"), "hf_file\n").unwrap();
        let token = |more: (&str, &str)| options(&[("HF_HOME", hf), more]).unwrap().token;
        assert_eq!(token(("HF_TOKEN", "")).as_deref(), Some("hf_file"));
        assert_eq!(token(("HF_TOKEN", " hf_variable\n")).as_deref(), Some("hf_variable"));
        assert_eq!(token(("HF_HUB_DISABLE_IMPLICIT_TOKEN", "1")), None);
        let other = folder.path().join("other");
        fs::write(&other, "hf_other").unwrap();
        assert_eq!(token(("HF_TOKEN_PATH", other.to_str().unwrap())).as_deref(), Some("hf_other"));
        let split = options(&[("HF_HOME", hf), ("HF_TOKEN", "a\r\nX: b")]).unwrap_err();
        assert!(!split.to_string().contains("X: b"), "the token is not shown");
    }

    #[test]
    fn a_token_is_never_printed() {
        let options = options(&[("HF_HOME", "/hf"), ("HF_TOKEN", "hf_secret")]).unwrap();
        assert!(!format!("{options:?}").contains("hf_secret"));
    }

    #[test]
    fn the_endpoint_must_be_an_address() {
        let endpoint = |text: &str| options(&[("HF_HOME", "/hf"), ("HF_ENDPOINT", text)]);
        assert_eq!(endpoint("").unwrap().endpoint, "https://huggingface.co");
        assert_eq!(endpoint("https://hub.example/").unwrap().endpoint, "https://hub.example");
        for text in ["hub.example", "ftp://hub.example", "https://", "https://me:pass@hub.example"]
        {
            assert!(endpoint(text).unwrap_err().to_string().contains("HF_ENDPOINT"), "{text}");
        }
    }

    #[test]
    fn offline_takes_the_hubs_words_for_true() {
        for (value, expected) in [("1", true), ("ON", true), ("true", true), ("0", false)] {
            let options = options(&[("HF_HOME", "/hf"), ("HF_HUB_OFFLINE", value)]).unwrap();
            assert_eq!(options.offline, expected, "{value}");
        }
    }
}
