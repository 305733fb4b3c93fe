//! What ingress-nginx is told: annotations are texts, and one that is misspelt has no effect and no error.

use serde_json::Value;

use super::{Installation, list};
use crate::test::manifests::render::name_of;

const EDGE: &str = "mps-edge";

/// Of everything that leads to an edge: these and no others, without the controller's prefix.
const REQUIRED: &[(&str, &str)] = &[
    ("connection-proxy-header", "close"),
    ("proxy-body-size", "64k"),
    ("proxy-next-upstream", "error timeout"),
    ("proxy-request-buffering", "on"),
    ("ssl-redirect", "true"),
    ("upstream-hash-by", "$http_authorization"),
];

/// The operator's endpoints.
const PRIVATE: &[&str] = &["/metrics", "/ops/cron"];

fn annotation<'a>(ingress: &'a Value, name: &str) -> &'a Value {
    &ingress["metadata"]["annotations"][format!("nginx.ingress.kubernetes.io/{name}")]
}

fn paths(ingress: &Value) -> impl Iterator<Item = &Value> {
    list(&ingress["spec"]["rules"]).flat_map(|rule| list(&rule["http"]["paths"]))
}

fn leads_to_edge(path: &Value) -> bool {
    path["backend"]["service"]["name"] == EDGE
}

pub(super) fn requests_are_safe(installation: &Installation) -> Vec<String> {
    let mut found = Vec::new();
    for ingress in installation.of_kind("Ingress").filter(|ingress| paths(ingress).any(leads_to_edge)) {
        for (name, value) in REQUIRED {
            let said = annotation(ingress, name);
            if said != *value {
                found.push(format!("{}: {name} is {said}, not {value}", name_of(ingress)));
            }
        }
    }
    if !installation.of_kind("Ingress").flat_map(paths).any(leads_to_edge) {
        found.push("nothing leads to the edges".to_owned());
    }
    found
}

pub(super) fn hosts_are_closed(installation: &Installation) -> Vec<String> {
    let mut found = Vec::new();
    let mut asked_for = 0;
    for ingress in installation.of_kind("Ingress") {
        let name = name_of(ingress);
        let with_tls: Vec<&Value> =
            list(&ingress["spec"]["tls"]).flat_map(|tls| list(&tls["hosts"])).collect();
        for host in list(&ingress["spec"]["rules"]).map(|rule| &rule["host"]) {
            if !with_tls.contains(&host) {
                found.push(format!("{name}: {host} has no TLS"));
            }
        }
        for host in with_tls.iter().filter_map(|host| host.as_str()).filter(|host| host.ends_with(".invalid"))
        {
            found.push(format!("{name}: {host} is the base's, and no overlay's"));
        }
        for path in paths(ingress).filter(|path| leads_to_edge(path)).filter_map(|path| path["path"].as_str())
        {
            if PRIVATE.iter().any(|private| private.starts_with(path)) {
                found.push(format!("{name}: {path} shows the operator's endpoints"));
            }
        }
        let annotations = ingress["metadata"]["annotations"].as_object();
        for key in annotations.into_iter().flatten().map(|(key, _)| key) {
            if key.ends_with("-snippet") || key.ends_with("/custom-http-errors") {
                found.push(format!("{name}: {key} is not safe"));
            }
            if key.starts_with("cert-manager.io/") {
                asked_for += 1;
            }
        }
    }
    if asked_for != 1 {
        found.push(format!("{asked_for} objects ask cert-manager for the certificate, not one"));
    }
    found
}
