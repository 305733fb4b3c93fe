//! What MPS wants of its containers under compose. Each rule is a function of all services.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

/// The services as compose starts them, and what they must agree with.
pub(super) struct Installation {
    pub(super) services: BTreeMap<String, Value>,
    pub(super) networks: Value,
    pub(super) secrets: Value,
    /// deploy/compose/mps.yml.
    pub(super) config: Value,
    /// The variables of edge/workerd.capnp.
    pub(super) variables: BTreeSet<String>,
}

type Rule = (&'static str, fn(&Installation) -> Vec<String>);

pub(super) const RULES: &[Rule] = &[
    ("a container has no more rights than it uses", rights_are_few),
    ("only the proxy is published", only_the_proxy_is_published),
    ("what a container may use up has a bound", use_is_bounded),
    ("an image is said by a variable, and no registry is named", images_are_said),
    ("a container has more time to stop than it takes", stops_have_time),
    ("each container is watched, or is said not to be", containers_are_watched),
    ("who waits for another one waits for what comes", dependencies_come),
    ("no secret is in a file of ours", secrets_are_elsewhere),
    ("what is mounted of the machine cannot be written to", mounts_are_read_only),
    ("the database cannot be reached from outside, nor reach it", the_database_is_inside),
    ("addresses are those of the networks, each once", addresses_are_right),
    ("the proxy and the jobs know every edge", edges_are_known),
    ("variables are names that the edge reads", variables_are_read),
];

/// Rights that a container takes back, each for a reason that stands beside it.
const TAKEN_BACK: &[(&str, &[&str])] =
    &[("database", &["CHOWN", "DAC_OVERRIDE", "FOWNER", "SETGID", "SETUID"])];

/// Who begins as root and goes on as another one.
const BEGINS_AS_ROOT: &str = "database";

const PROXY: &str = "proxy";

/// What must not have a way out.
const INSIDE: [&str; 3] = ["database", "rest", "migrate"];

fn rights_are_few(installation: &Installation) -> Vec<String> {
    each(installation, |name, service, found| {
        if service["read_only"] != true {
            found.push("its root can be written to".to_owned());
        }
        if service["cap_drop"] != json!(["ALL"]) {
            found.push("it keeps capabilities".to_owned());
        }
        let back = TAKEN_BACK.iter().find(|(service, _)| *service == name).map_or(&[][..], |(_, all)| all);
        for right in texts(&service["cap_add"]).filter(|right| !back.contains(right)) {
            found.push(format!("it takes {right} back"));
        }
        if !texts(&service["security_opt"]).any(|option| option == "no-new-privileges:true") {
            found.push("it may gain rights".to_owned());
        }
        for (key, value) in service.as_object().into_iter().flatten() {
            let is_wide = ["privileged", "devices", "pid", "ipc", "userns_mode", "network_mode", "cgroup"];
            if is_wide.contains(&key.as_str()) {
                found.push(format!("it has {key}: {value}"));
            }
        }
        let user = service["user"].as_str().unwrap_or("0");
        if user.split(':').next() == Some("0") && name != BEGINS_AS_ROOT {
            found.push("it is root".to_owned());
        }
    })
}

fn only_the_proxy_is_published(installation: &Installation) -> Vec<String> {
    let mut found = each(installation, |name, service, found| {
        if name != PROXY && !service["ports"].is_null() {
            found.push("it is published".to_owned());
        }
    });
    if installation.services.get(PROXY).is_none_or(|proxy| texts(&proxy["ports"]).count() != 2) {
        found.push("the proxy is not, by two ports".to_owned());
    }
    found
}

fn use_is_bounded(installation: &Installation) -> Vec<String> {
    each(installation, |_, service, found| {
        let limits = &service["deploy"]["resources"]["limits"];
        for what in ["cpus", "memory", "pids"] {
            if limits[what].is_null() {
                found.push(format!("its {what} have no bound"));
            }
        }
        if service["logging"]["options"]["max-size"].is_null() {
            found.push("its log has no bound".to_owned());
        }
        for place in texts(&service["tmpfs"]).filter(|place| !place.contains("size=")) {
            found.push(format!("{place} has no bound"));
        }
    })
}

fn images_are_said(installation: &Installation) -> Vec<String> {
    each(installation, |_, service, found| {
        let image = service["image"].as_str().unwrap_or_default();
        let is_said = image.starts_with("${") && image.contains("_IMAGE:?") && image.ends_with('}');
        if !is_said || !service["build"].is_null() {
            found.push(format!("its image is {image:?}"));
        }
    })
}

/// `mps serve` waits for --stop-seconds; after its time a container is ended in the middle of a charge.
fn stops_have_time(installation: &Installation) -> Vec<String> {
    each(installation, |_, service, found| {
        let grace = service["stop_grace_period"].as_str().and_then(|text| text.strip_suffix('s'));
        let grace = grace.and_then(|seconds| seconds.parse::<u64>().ok()).unwrap_or(0);
        let flag = |flag: &str| {
            let mut values = texts(&service["command"]).filter_map(|word| word.strip_prefix(flag));
            values.next().and_then(|value| value.parse::<u64>().ok()).unwrap_or(0)
        };
        let is_edge = texts(&service["command"]).next() == Some("serve");
        let stop = if is_edge { flag("--stop-delay=") + flag("--stop-seconds=").max(1) } else { 10 };
        if grace <= stop {
            found.push(format!("{grace} s for {stop} s"));
        }
    })
}

fn containers_are_watched(installation: &Installation) -> Vec<String> {
    each(installation, |_, service, found| {
        let check = &service["healthcheck"];
        let is_watched = texts(&check["test"]).next() == Some("CMD")
            && ["interval", "timeout", "retries", "start_period"].iter().all(|field| !check[field].is_null());
        if !is_watched && check["disable"] != true {
            found.push("nobody asks whether it is well".to_owned());
        }
        let restart = &service["restart"];
        let is_once = texts(&service["command"]).next() == Some("migrate");
        if *restart != *(if is_once { "no" } else { "unless-stopped" }) {
            found.push(format!("restart is {restart}"));
        }
    })
}

fn dependencies_come(installation: &Installation) -> Vec<String> {
    each(installation, |_, service, found| {
        if service["depends_on"].is_array() {
            found.push("it does not say what it waits for".to_owned());
        }
        for (name, wait) in service["depends_on"].as_object().into_iter().flatten() {
            let other = installation.services.get(name).unwrap_or(&Value::Null);
            let comes = match wait["condition"].as_str() {
                Some("service_started") => !other.is_null(),
                Some("service_healthy") => !other["healthcheck"]["test"].is_null(),
                Some("service_completed_successfully") => other["restart"] == "no",
                _ => false,
            };
            if !comes {
                found.push(format!("{name} never is {}", wait["condition"]));
            }
        }
    })
}

/// By their names: what may be read by everybody is said where it is.
fn secrets_are_elsewhere(installation: &Installation) -> Vec<String> {
    let mut found = each(installation, |_, service, found| {
        let words = ["SECRET", "PASSWORD", "TOKEN", "_KEY", "DB_URI", "DATABASE_URL", "JWT_KEYS"];
        for (name, _) in service["environment"].as_object().into_iter().flatten() {
            if words.iter().any(|word| name.contains(word)) && !name.ends_with("_FILE") {
                found.push(format!("{name} is said here"));
            }
        }
        for file in texts(&service["env_file"]).filter(|file| !file.starts_with("./secrets/")) {
            found.push(format!("{file} is not below secrets/"));
        }
        for name in texts(&service["secrets"]).filter(|name| installation.secrets[name].is_null()) {
            found.push(format!("there is no secret {name}"));
        }
    });
    for (name, secret) in installation.secrets.as_object().into_iter().flatten() {
        if !secret["file"].as_str().is_some_and(|file| file.starts_with("./secrets/")) {
            found.push(format!("{name} is not below secrets/"));
        }
    }
    found
}

fn mounts_are_read_only(installation: &Installation) -> Vec<String> {
    each(installation, |_, service, found| {
        for mount in texts(&service["volumes"]).filter(|mount| mount.starts_with(['.', '/', '~'])) {
            if !mount.starts_with("./") || !mount.ends_with(":ro") {
                found.push(format!("{mount} can be written to, or is of one machine"));
            }
        }
    })
}

fn the_database_is_inside(installation: &Installation) -> Vec<String> {
    each(installation, |name, service, found| {
        let networks = keys(&service["networks"]);
        let is_inside = |network: &&str| installation.networks[network]["internal"] == true;
        let has_way_out = networks.is_empty() || !networks.iter().all(is_inside);
        if INSIDE.contains(&name) && has_way_out {
            found.push("it is in a network that has a way out".to_owned());
        }
    })
}

fn addresses_are_right(installation: &Installation) -> Vec<String> {
    let mut seen = BTreeSet::new();
    each(installation, |_, service, found| {
        let networks = keys(&service["networks"]);
        if networks.is_empty() {
            found.push("it is in no network of ours".to_owned());
        }
        for network in networks {
            let address = service["networks"][network]["ipv4_address"].as_str().unwrap_or_default();
            let subnet = installation.networks[network]["ipam"]["config"][0]["subnet"].as_str();
            let begin = subnet.and_then(|subnet| subnet.strip_suffix("0/24"));
            if !begin.is_some_and(|begin| address.starts_with(begin)) {
                found.push(format!("{address:?} is not in {network}"));
            }
            if !seen.insert(address.to_owned()) {
                found.push(format!("{address} is another's too"));
            }
        }
    })
}

fn edges_are_known(installation: &Installation) -> Vec<String> {
    let is_edge = |service: &&Value| texts(&service["command"]).next() == Some("serve");
    let edges: BTreeSet<String> = installation
        .services
        .values()
        .filter(is_edge)
        .filter_map(|edge| edge["networks"]["front"]["ipv4_address"].as_str())
        .map(|address| format!("{address}:8787"))
        .collect();
    let of_proxy: BTreeSet<String> =
        texts(&installation.config["proxy"]["edges"]).map(str::to_owned).collect();
    let of_jobs: BTreeSet<String> = installation
        .services
        .get("jobs")
        .into_iter()
        .flat_map(|jobs| texts(&jobs["command"]))
        .filter_map(|word| word.strip_prefix("--edge=http://"))
        .map(str::to_owned)
        .collect();
    let mut found = Vec::new();
    for (name, known) in [("the proxy", of_proxy), ("jobs", of_jobs)] {
        if known != edges || edges.len() < 2 {
            found.push(format!("{name} has {known:?}, there are {edges:?}"));
        }
    }
    found
}

fn variables_are_read(installation: &Installation) -> Vec<String> {
    each(installation, |_, service, found| {
        if texts(&service["command"]).next() != Some("serve") {
            return;
        }
        for name in keys(&service["environment"]) {
            if !installation.variables.contains(name) {
                found.push(format!("the edge reads no {name}"));
            }
        }
    })
}

/// What is found of each service, with its name.
fn each(installation: &Installation, mut find: impl FnMut(&str, &Value, &mut Vec<String>)) -> Vec<String> {
    let mut all = Vec::new();
    for (name, service) in &installation.services {
        let mut found = Vec::new();
        find(name, service, &mut found);
        all.extend(found.into_iter().map(|what| format!("{name}: {what}")));
    }
    all
}

fn texts(list: &Value) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str)
}

fn keys(map: &Value) -> Vec<&str> {
    map.as_object().into_iter().flatten().map(|(name, _)| name.as_str()).collect()
}

#[cfg(test)]
mod tests;
