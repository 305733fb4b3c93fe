//! What MPS wants of its objects on Kubernetes and no schema knows. Each rule is a function of all objects of an overlay.

mod ingress;
mod references;

use std::collections::BTreeSet;

use serde_json::Value;

use super::render::name_of;
use super::restricted;

/// An overlay as it is rendered, and what the edge reads.
pub(super) struct Installation {
    pub(super) objects: Vec<Value>,
    /// The variables of edge/workerd.capnp.
    pub(super) variables: BTreeSet<String>,
}

impl Installation {
    fn of_kind(&self, kind: &str) -> impl Iterator<Item = &Value> {
        self.objects.iter().filter(move |object| object["kind"] == *kind)
    }

    fn find(&self, kind: &str, name: &Value) -> Option<&Value> {
        self.of_kind(kind).find(|object| object["metadata"]["name"] == *name)
    }

    /// Each Deployment with each of its containers.
    pub(super) fn containers(&self) -> impl Iterator<Item = (&Value, &Value)> {
        self.of_kind("Deployment").flat_map(|object| {
            let pod = &object["spec"]["template"]["spec"];
            list(&pod["initContainers"])
                .chain(list(&pod["containers"]))
                .map(move |container| (object, container))
        })
    }
}

type Rule = (&'static str, fn(&Installation) -> Vec<String>);

pub(super) const RULES: &[Rule] = &[
    ("pods are restricted, and the namespace takes no others", pods_are_restricted),
    ("no secret is in a file", secrets_are_elsewhere),
    ("variables are names that the edge reads", variables_are_read),
    ("the edge believes the ingress alone about a client's address", addresses_are_the_ingresss),
    ("the pages know this installation's addresses and key", pages_know_their_edge),
    ("a pod has more time to stop than its edge takes", stops_have_time),
    ("how many replicas there are is said in one place", replicas_are_said_once),
    ("an update takes no replica away", updates_take_nothing_away),
    ("nobody speaks with a pod unless a policy says who", policies_say_who),
    ("what is referred to is there", references::are_there),
    ("no request is repeated, and a caller stays with one replica", ingress::requests_are_safe),
    (
        "the ingress speaks TLS for its own hosts only, and shows nothing of the operator",
        ingress::hosts_are_closed,
    ),
];

fn pods_are_restricted(installation: &Installation) -> Vec<String> {
    let mut found = Vec::new();
    for object in installation.of_kind("Deployment") {
        let all = restricted::violations(&object["spec"]["template"]);
        found.extend(all.into_iter().map(|what| format!("{}: {what}", name_of(object))));
    }
    let enforces =
        |object: &&Value| object["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted";
    if installation.of_kind("Namespace").filter(enforces).count() != 1 {
        found.push("there is no namespace that enforces it".to_owned());
    }
    found
}

fn secrets_are_elsewhere(installation: &Installation) -> Vec<String> {
    installation.of_kind("Secret").map(|secret| format!("{} is in one", name_of(secret))).collect()
}

fn variables_are_read(installation: &Installation) -> Vec<String> {
    let mut named = Vec::new();
    for (_, container) in installation.containers() {
        for map in list(&container["envFrom"]).map(|from| &from["configMapRef"]["name"]) {
            let data = installation.find("ConfigMap", map).and_then(|map| map["data"].as_object());
            named.extend(data.into_iter().flatten().map(|(name, _)| name.as_str()));
        }
        for variable in list(&container["env"]) {
            named.extend(variable["name"].as_str());
            named.extend(variable["valueFrom"]["secretKeyRef"]["key"].as_str());
        }
    }
    let mut found: Vec<String> = named
        .iter()
        .filter(|name| !installation.variables.contains(**name))
        .map(|name| format!("the edge reads no {name}"))
        .collect();
    if named.is_empty() {
        found.push("there are none".to_owned());
    }
    found
}

/// ingress-nginx overwrites this header and passes on whatever a client sends under another one.
fn addresses_are_the_ingresss(installation: &Installation) -> Vec<String> {
    let header = edge_map(installation).map(|map| &map["data"]["TRUSTED_ADDRESS_HEADER"]);
    match header {
        Some(header) if header == "X-Real-IP" => Vec::new(),
        header => {
            vec![format!("TRUSTED_ADDRESS_HEADER is {}, not X-Real-IP", header.unwrap_or(&Value::Null))]
        }
    }
}

fn pages_know_their_edge(installation: &Installation) -> Vec<String> {
    let pages = installation.find("ConfigMap", &"mps-web".into()).map(|map| &map["data"]["config.json"]);
    let pages: Value =
        pages.and_then(Value::as_str).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
    let edge = edge_map(installation).map(|map| map["data"].clone()).unwrap_or_default();
    [
        ("edgeUrl", "PUBLIC_URL"),
        ("supabaseUrl", "SUPABASE_URL"),
        ("supabasePublishableKey", "SUPABASE_PUBLISHABLE_KEY"),
    ]
    .iter()
    .filter(|(field, variable)| pages[field].is_null() || pages[field] != edge[variable])
    .map(|(field, variable)| format!("{field} is {}, {variable} is {}", pages[field], edge[variable]))
    .collect()
}

fn edge_map(installation: &Installation) -> Option<&Value> {
    installation.find("ConfigMap", &"mps-edge".into())
}

/// `mps serve` goes on for --stop-delay, then waits for --stop-seconds; after its time Kubernetes ends it in the middle of a charge.
fn stops_have_time(installation: &Installation) -> Vec<String> {
    let mut found = Vec::new();
    let is_edge = |container: &Value| list(&container["command"]).any(|word| word == "serve");
    for (object, container) in installation.containers().filter(|(_, container)| is_edge(container)) {
        let seconds = |flag: &str| {
            let mut values = list(&container["args"]).filter_map(|word| word.as_str()?.strip_prefix(flag));
            values.next().and_then(|value| value.parse::<u64>().ok()).unwrap_or(0)
        };
        let (delay, stop) = (seconds("--stop-delay="), seconds("--stop-seconds="));
        let grace =
            object["spec"]["template"]["spec"]["terminationGracePeriodSeconds"].as_u64().unwrap_or(30);
        if delay == 0 || stop == 0 || grace <= delay + stop {
            found.push(format!("{}: {grace} s for {delay} s and {stop} s", name_of(object)));
        }
    }
    found
}

fn replicas_are_said_once(installation: &Installation) -> Vec<String> {
    let mut found = Vec::new();
    for scaler in installation.of_kind("HorizontalPodAutoscaler") {
        let spec = &scaler["spec"];
        let target = installation.find("Deployment", &spec["scaleTargetRef"]["name"]);
        if target.is_some_and(|target| !target["spec"]["replicas"].is_null()) {
            found.push(format!("{}: its Deployment says it too", name_of(scaler)));
        }
        if spec["minReplicas"].as_u64().is_none_or(|replicas| replicas < 2) {
            found.push(format!("{}: one replica is none while it is exchanged", name_of(scaler)));
        }
    }
    found
}

fn updates_take_nothing_away(installation: &Installation) -> Vec<String> {
    let selected: Vec<&Value> =
        installation.of_kind("Service").map(|service| &service["spec"]["selector"]).collect();
    let is_served = |object: &&Value| {
        selected.iter().any(|selector| selects(selector, &object["spec"]["template"]["metadata"]["labels"]))
    };
    installation
        .of_kind("Deployment")
        .filter(is_served)
        .filter(|object| object["spec"]["strategy"]["rollingUpdate"]["maxUnavailable"] != 0)
        .map(|object| format!("{}: maxUnavailable is not 0", name_of(object)))
        .collect()
}

fn policies_say_who(installation: &Installation) -> Vec<String> {
    let mut found = Vec::new();
    let is_for_all = |policy: &&Value| {
        let spec = &policy["spec"];
        let types: Vec<&Value> = list(&spec["policyTypes"]).collect();
        spec["podSelector"].as_object().is_some_and(serde_json::Map::is_empty)
            && ["Ingress", "Egress"].iter().all(|kind| types.iter().any(|name| *name == kind))
            && spec["ingress"].is_null()
            && spec["egress"].is_null()
    };
    if installation.of_kind("NetworkPolicy").filter(is_for_all).count() == 0 {
        found.push("no policy is for all pods and lets nobody in or out".to_owned());
    }
    for policy in installation.of_kind("NetworkPolicy") {
        for (direction, peers) in [("ingress", "from"), ("egress", "to")] {
            for rule in list(&policy["spec"][direction]) {
                let is_open = |peer: &Value| {
                    let fields = peer.as_object();
                    fields.is_none_or(|fields| {
                        fields
                            .values()
                            .all(|selector| selector.as_object().is_some_and(serde_json::Map::is_empty))
                    })
                };
                let has_none = list(&rule[peers]).next().is_none();
                if has_none || list(&rule[peers]).any(is_open) || list(&rule["ports"]).next().is_none() {
                    found.push(format!(
                        "{}: its {direction} is for everybody or for every port",
                        name_of(policy)
                    ));
                }
            }
        }
    }
    found
}

/// Whether all labels of a selector are there; one of none selects nothing here.
fn selects(selector: &Value, labels: &Value) -> bool {
    selector.as_object().is_some_and(|selector| {
        !selector.is_empty() && selector.iter().all(|(name, value)| labels[name] == *value)
    })
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests;
