//! The files of deploy/nginx with the configuration's values.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::model::{Config, Proxy, Rate};

macro_rules! files {
    ($($name:literal),* $(,)?) => {
        &[$(($name, include_str!(concat!("../../../../deploy/nginx/", $name)))),*]
    };
}

const FILES: &[(&str, &str)] = files![
    "nginx.conf",
    "mps.conf",
    "mps/http.conf",
    "mps/edge.conf",
    "mps/pages.conf",
    "mps/problems.conf",
    "mps/problem_headers.conf",
    "mps/site.conf",
    "pages/maintenance.html",
];

/// Where nginx itself writes, below its prefix.
const WRITTEN: [&str; 2] = ["run", "logs"];

/// Writes them into the folder that nginx has as its prefix.
pub(crate) fn write(config: &Config, folder: &Path) -> Result<()> {
    let Some(proxy) = &config.proxy else {
        bail!("the configuration has no `proxy`: nothing to render for nginx")
    };
    // A folder's name becomes a word of nginx's language too.
    let place = folder.display().to_string();
    if place.contains(|letter: char| letter.is_whitespace() || ";{}'\"$".contains(letter)) {
        bail!("{place}: nginx takes no such letters in a path");
    }
    for name in WRITTEN {
        fs::create_dir_all(folder.join(name)).with_context(|| format!("cannot make {place}/{name}"))?;
    }
    for (name, text) in rendered(proxy, &config.security.cors.origin, &place) {
        let path = folder.join(name);
        fs::create_dir_all(path.parent().unwrap_or(folder))
            .with_context(|| format!("cannot make {place}"))?;
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// An edge that failed is asked again a second later: where all failed at once nobody is served until then, and a supervisor has them
/// back sooner than nginx's own ten seconds.
fn server(edge: &String) -> String {
    format!("server {edge} max_fails=1 fail_timeout=1s;")
}

fn rendered(proxy: &Proxy, origins: &[String], folder: &str) -> Vec<(&'static str, String)> {
    let rate = |Rate { per_second, .. }: Rate| format!("{per_second}r/s");
    let servers: Vec<String> = proxy.edges.iter().map(server).collect();
    let origins: Vec<String> = origins.iter().map(|origin| format!("{origin} {origin};")).collect();
    let values = [
        ("MPS_EDGES", servers.join("\n  ")),
        ("MPS_ORIGINS", origins.join("\n  ")),
        ("MPS_HOST", proxy.host.clone()),
        ("MPS_HTTP_LISTEN", proxy.http_listen.clone()),
        ("MPS_HTTPS_LISTEN", proxy.https_listen.clone()),
        ("MPS_CERTIFICATE", proxy.certificate.clone()),
        ("MPS_CERTIFICATE_KEY", proxy.certificate_key.clone()),
        ("MPS_ACME_ROOT", proxy.acme_root.clone()),
        ("MPS_SITE_ROOT", proxy.site_root.clone()),
        ("MPS_SITE_CONFIG", proxy.site_config.clone()),
        ("MPS_NGINX_FOLDER", folder.to_owned()),
        ("MPS_MAINTENANCE_FILE", proxy.maintenance_file.clone()),
        ("MPS_PID_FILE", proxy.pid_file.clone()),
        ("MPS_LOG_FILE", proxy.log_file.clone()),
        ("MPS_RATE_API", rate(proxy.api)),
        ("MPS_BURST_API", proxy.api.burst.to_string()),
        ("MPS_RATE_PAYMENT", rate(proxy.payment)),
        ("MPS_BURST_PAYMENT", proxy.payment.burst.to_string()),
        ("MPS_RATE_ADDRESS", rate(proxy.address)),
        ("MPS_BURST_ADDRESS", proxy.address.burst.to_string()),
    ];
    let fill = |text: &str| {
        values
            .iter()
            .fold(text.to_owned(), |text, (name, value)| text.replace(&format!("${{{name}}}"), value))
    };
    FILES.iter().map(|(name, text)| (*name, fill(text))).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn all_files_are_written_and_no_value_is_left_open() -> Result<()> {
        let config = Config::parse(include_str!("../../../../deploy/config/environments/production.yml"))?;
        let folder = tempfile::tempdir()?;
        write(&config, folder.path())?;
        let mut written = BTreeSet::new();
        for (name, _) in FILES {
            let text = fs::read_to_string(folder.path().join(name))?;
            assert!(!text.contains("${"), "{name}");
            written.insert((*name).to_owned());
        }
        let main = fs::read_to_string(folder.path().join("mps.conf"))?;
        assert!(
            main.contains("server 127.0.0.1:8787 max_fails=1 fail_timeout=1s;")
                && main.contains("server_name api.mps.example.com;")
        );
        // Nothing of the folder is forgotten here.
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy/nginx");
        let mut committed = BTreeSet::new();
        for part in ["", "mps", "pages"] {
            for entry in fs::read_dir(root.join(part))? {
                let path = entry?.path();
                if path.is_file() && path.extension().is_some_and(|ending| ending != "md") {
                    committed.insert(path.strip_prefix(&root)?.display().to_string());
                }
            }
        }
        assert_eq!(written, committed);
        Ok(())
    }

    #[test]
    fn a_path_that_would_say_something_to_nginx_is_refused() -> Result<()> {
        let config = Config::parse(include_str!("../../../../deploy/config/environments/production.yml"))?;
        assert!(write(&config, Path::new("/tmp/a; include b;")).is_err());
        Ok(())
    }
}
