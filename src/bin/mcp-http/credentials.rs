//! Headers, and where the secret ones come from. No text made here holds a value, nor
//! the name of a variable or file: who mistakes the options puts a secret there. (What
//! clap says of words that it does not expect does hold them.)

use std::env;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use http::{HeaderName, header};
use mcp_http::{Config, Reason};

use crate::arguments::{HeaderArguments, Usage};
use crate::secrets::Secrets;

/// A header that is sent with every request.
struct Header {
    name: HeaderName,
    value: String,
}

/// No server takes a header of this size, and no secret needs it.
const LARGEST_KIB: u64 = 64;

/// Adds the headers of the command line to the configuration.
pub(crate) fn add(
    arguments: &HeaderArguments,
    mut config: Config,
) -> Result<(Config, Secrets), Usage> {
    let mut headers = Vec::new();
    for text in &arguments.plain {
        headers.push(plain(text)?);
    }
    let mut secrets = Secrets::default();
    for header in secret_ones(arguments)? {
        secrets.add(&header.name, &header.value);
        headers.push(header);
    }
    if let Some(token) = bearer(arguments)? {
        let header = Header {
            name: header::AUTHORIZATION,
            value: format!("Bearer {token}"),
        };
        secrets.add(&header.name, &header.value);
        headers.push(header);
    }
    let credentials = headers
        .iter()
        .filter(|header| header.name == header::AUTHORIZATION);
    if credentials.count() > 1 {
        return Err(Usage("there are two `Authorization` headers".to_owned()));
    }
    for Header { name, value } in &headers {
        config = config
            .header(name.as_str(), value)
            .map_err(|error| match error.reason() {
                Reason::Misuse(misuse) => Usage(misuse.mistake().to_string()),
                reason => Usage(reason.to_string()),
            })?;
    }
    Ok((config, secrets))
}

fn plain(text: &str) -> Result<Header, Usage> {
    let (name, value) = split("header", "NAME:VALUE", text, ':')?;
    let refused = [
        header::AUTHORIZATION,
        header::PROXY_AUTHORIZATION,
        header::COOKIE,
    ];
    if refused.contains(&name) {
        let bearer = match name == header::AUTHORIZATION {
            true => "; a bearer token: --bearer-env VAR or --bearer-file FILE",
            false => "",
        };
        return Err(Usage(format!(
            "--header does not take `{name}`: what is on a command line can be seen by others; \
             use --header-env {name}=VAR or --header-file {name}=FILE{bearer}"
        )));
    }
    let value = value.trim().to_owned();
    Ok(Header { name, value })
}

fn secret_ones(arguments: &HeaderArguments) -> Result<Vec<Header>, Usage> {
    let mut headers = Vec::new();
    for text in &arguments.env {
        let (name, variable) = split("header-env", "NAME=VAR", text, '=')?;
        let value = from_environment(&format!("--header-env {name}"), variable)?;
        headers.push(Header { name, value });
    }
    for text in &arguments.file {
        let (name, file) = split("header-file", "NAME=FILE", text, '=')?;
        let value = from_file(&format!("--header-file {name}"), Path::new(file))?;
        headers.push(Header { name, value });
    }
    Ok(headers)
}

fn bearer(arguments: &HeaderArguments) -> Result<Option<String>, Usage> {
    let token = match (&arguments.bearer_env, &arguments.bearer_file) {
        (Some(variable), _) => from_environment("--bearer-env", variable)?,
        (None, Some(file)) => from_file("--bearer-file", file)?,
        (None, None) => return Ok(None),
    };
    if token.contains(char::is_whitespace) {
        return Err(Usage(
            "a bearer token has no blank in it: give the token alone, without `Bearer`".to_owned(),
        ));
    }
    Ok(Some(token))
}

fn split<'a>(
    option: &str,
    shape: &str,
    text: &'a str,
    separator: char,
) -> Result<(HeaderName, &'a str), Usage> {
    let (name, value) = text
        .split_once(separator)
        .ok_or_else(|| Usage(format!("--{option} has to be {shape}")))?;
    let name = HeaderName::from_bytes(name.trim().as_bytes()).map_err(|_| {
        Usage(format!(
            "--{option} has to be {shape}, NAME that of a header"
        ))
    })?;
    Ok((name, value))
}

fn from_environment(option: &str, variable: &str) -> Result<String, Usage> {
    // `var` has no answer for these.
    let value = match variable.is_empty() || variable.contains(['=', '\0']) {
        true => None,
        false => env::var_os(variable),
    };
    let value = value.ok_or_else(|| {
        Usage(format!(
            "{option}: that environment variable is not set (give its name, not the secret)"
        ))
    })?;
    let value = value
        .into_string()
        .map_err(|_| Usage(format!("{option}: the variable's value is no text")))?;
    trimmed(option, &value)
}

fn from_file(option: &str, path: &Path) -> Result<String, Usage> {
    let largest = LARGEST_KIB << 10;
    let mut value = String::new();
    let read = File::open(path)
        .and_then(|file| file.take(largest + 1).read_to_string(&mut value))
        .map_err(|error| Usage(format!("{option}: that file cannot be read: {error}")))?;
    if read as u64 > largest {
        return Err(Usage(format!(
            "{option}: that file is larger than {LARGEST_KIB} KiB"
        )));
    }
    trimmed(option, &value)
}

/// Without the end of line that editors and `echo` leave.
fn trimmed(option: &str, value: &str) -> Result<String, Usage> {
    let value = value.trim_end_matches(['\r', '\n']);
    if value.is_empty() {
        return Err(Usage(format!("{option}: the value is empty")));
    }
    Ok(value.to_owned())
}
