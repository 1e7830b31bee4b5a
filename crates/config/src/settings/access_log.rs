//! The access log of `nginx_config.http`. APISIX writes one unless it is told not to; here one is written when the
//! file asks for it, by any of its keys: who wants no access log pays nothing for it.

use super::SettingsError;
use super::reader::Reader;

/// APISIX's own format.
pub(super) const DEFAULT_FORMAT: &str = "$remote_addr - $remote_user [$time_local] $http_host \"$request\" $status \
    $body_bytes_sent $request_time \"$http_referer\" \"$http_user_agent\" $upstream_addr $upstream_status \
    $upstream_response_time \"$upstream_scheme://$upstream_host$upstream_uri\" \"$apisix_request_id\"";

/// The keys that ask for an access log.
const ASKING: [&str; 3] = ["access_log", "access_log_format", "access_log_format_escape"];

/// Where access log lines go, and what stands in them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AccessLog {
    pub enabled: bool,
    /// The file; a relative path begins at the folder in which the process was started.
    pub path: String,
    /// A text with nginx's variables, `$name` or `${name}`.
    pub format: String,
    pub escape: LogEscape,
}

/// What is done to values of variables (nginx's `escape=`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogEscape {
    /// Quotes, backslashes and what is no printable ASCII as `\xHH`; no value is `-`.
    #[default]
    Default,
    /// As in a JSON text; no value is empty.
    Json,
    /// Nothing; no value is empty.
    None,
}

impl Default for AccessLog {
    fn default() -> Self {
        Self {
            enabled: false,
            path: "logs/access.log".to_owned(),
            format: DEFAULT_FORMAT.to_owned(),
            escape: LogEscape::default(),
        }
    }
}

impl AccessLog {
    /// Reads its keys out of `nginx_config.http`.
    pub(super) fn read(from: &mut Reader<'_>) -> Result<Self, SettingsError> {
        let default = Self::default();
        let asked_for = ASKING.iter().any(|key| from.entry(key).is_some());
        let path = match from.entry("access_log") {
            None => default.path,
            Some(entry) => match entry.text()? {
                path if path.starts_with("syslog:") => return Err(entry.unsupported("name a file")),
                path if path.is_empty() => return Err(entry.invalid("the path of a file")),
                path => path,
            },
        };
        Ok(Self {
            enabled: from.flag("enable_access_log", asked_for)?,
            path,
            format: from.text_or("access_log_format", &default.format)?,
            escape: match from.entry("access_log_format_escape") {
                None => default.escape,
                Some(entry) => entry.one_of(&[
                    ("default", LogEscape::Default),
                    ("json", LogEscape::Json),
                    ("none", LogEscape::None),
                ])?,
            },
        })
    }
}
