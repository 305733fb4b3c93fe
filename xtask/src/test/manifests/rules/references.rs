//! Names by which one object means another.

use serde_json::Value;

use super::{Installation, list, selects};
use crate::test::manifests::render::name_of;

/// Comes by `mps secrets render` and is in no file.
const SECRET: &str = "mps-edge";

/// A pod that cert-manager makes.
const OF_OTHERS: &str = "acme.cert-manager.io/http01-solver";

pub(super) fn are_there(installation: &Installation) -> Vec<String> {
    let mut found = Vec::new();
    of_services(installation, &mut found);
    of_ingresses(installation, &mut found);
    of_scalers(installation, &mut found);
    of_selectors(installation, &mut found);
    of_pods(installation, &mut found);
    found
}

/// The Deployment whose pods have these labels.
fn selected<'a>(installation: &'a Installation, selector: &Value) -> Option<&'a Value> {
    installation
        .of_kind("Deployment")
        .find(|object| selects(selector, &object["spec"]["template"]["metadata"]["labels"]))
}

fn has_port(deployment: &Value, name: &Value) -> bool {
    let containers = list(&deployment["spec"]["template"]["spec"]["containers"]);
    containers
        .flat_map(|container| list(&container["ports"]))
        .any(|port| port["name"] == *name || port["containerPort"] == *name)
}

fn of_services(installation: &Installation, found: &mut Vec<String>) {
    for service in installation.of_kind("Service") {
        let Some(pods) = selected(installation, &service["spec"]["selector"]) else {
            found.push(format!("{} selects no pod", name_of(service)));
            continue;
        };
        for port in list(&service["spec"]["ports"]).map(|port| &port["targetPort"]) {
            if !has_port(pods, port) {
                found.push(format!("{}: {} has no port {port}", name_of(service), name_of(pods)));
            }
        }
    }
}

fn of_ingresses(installation: &Installation, found: &mut Vec<String>) {
    for ingress in installation.of_kind("Ingress") {
        let rules = list(&ingress["spec"]["rules"]);
        for backend in
            rules.flat_map(|rule| list(&rule["http"]["paths"])).map(|path| &path["backend"]["service"])
        {
            let service = installation.find("Service", &backend["name"]);
            let ports = list(service.map_or(&Value::Null, |service| &service["spec"]["ports"]));
            let wanted = &backend["port"];
            let mut ports = ports.filter(|port| {
                port["name"] == wanted["name"]
                    || (wanted["name"].is_null() && port["port"] == wanted["number"])
            });
            if ports.next().is_none() {
                found.push(format!("{}: there is no Service {backend}", name_of(ingress)));
            }
        }
    }
}

fn of_scalers(installation: &Installation, found: &mut Vec<String>) {
    for scaler in installation.of_kind("HorizontalPodAutoscaler") {
        let target = &scaler["spec"]["scaleTargetRef"];
        if target["kind"] != "Deployment" || installation.find("Deployment", &target["name"]).is_none() {
            found.push(format!("{}: there is no {target}", name_of(scaler)));
        }
    }
}

fn of_selectors(installation: &Installation, found: &mut Vec<String>) {
    for budget in installation.of_kind("PodDisruptionBudget") {
        if selected(installation, &budget["spec"]["selector"]["matchLabels"]).is_none() {
            found.push(format!("{} selects no pod", name_of(budget)));
        }
    }
    for policy in installation.of_kind("NetworkPolicy") {
        let labels = &policy["spec"]["podSelector"]["matchLabels"];
        let is_of_others = !labels[OF_OTHERS].is_null();
        let pods = selected(installation, labels);
        if !labels.is_null() && !is_of_others && pods.is_none() {
            found.push(format!("{} selects no pod", name_of(policy)));
        }
        for port in
            list(&policy["spec"]["ingress"]).flat_map(|rule| list(&rule["ports"])).map(|port| &port["port"])
        {
            if pods.is_some_and(|pods| !has_port(pods, port)) {
                found.push(format!("{}: the pod has no port {port}", name_of(policy)));
            }
        }
        let rules = ["ingress", "egress"].iter().flat_map(|direction| list(&policy["spec"][direction]));
        for peer in rules.flat_map(|rule| list(&rule["from"]).chain(list(&rule["to"]))) {
            let is_here = peer["namespaceSelector"].is_null() && !peer["podSelector"].is_null();
            if is_here && selected(installation, &peer["podSelector"]["matchLabels"]).is_none() {
                found.push(format!("{}: {peer} is no pod here", name_of(policy)));
            }
        }
    }
    for object in installation.of_kind("Deployment") {
        let labels = &object["spec"]["template"]["metadata"]["labels"];
        for spread in list(&object["spec"]["template"]["spec"]["topologySpreadConstraints"]) {
            if !selects(&spread["labelSelector"]["matchLabels"], labels) {
                found.push(format!("{} spreads other pods than its own", name_of(object)));
            }
        }
    }
}

fn of_pods(installation: &Installation, found: &mut Vec<String>) {
    for (object, container) in installation.containers() {
        let volumes = || list(&object["spec"]["template"]["spec"]["volumes"]);
        let from = list(&container["envFrom"]).map(|from| &from["configMapRef"]["name"]);
        let mounted = volumes().map(|volume| &volume["configMap"]["name"]);
        for name in from.chain(mounted).filter(|name| !name.is_null()) {
            if installation.find("ConfigMap", name).is_none() {
                found.push(format!("{}: there is no ConfigMap {name}", name_of(object)));
            }
        }
        let from = list(&container["envFrom"]).map(|from| &from["secretRef"]["name"]);
        let keys = list(&container["env"]).map(|variable| &variable["valueFrom"]["secretKeyRef"]["name"]);
        for name in from.chain(keys).filter(|name| !name.is_null() && **name != SECRET) {
            found.push(format!("{}: nobody makes the Secret {name}", name_of(object)));
        }
        for mount in list(&container["volumeMounts"]).map(|mount| &mount["name"]) {
            if !volumes().any(|volume| volume["name"] == *mount) {
                found.push(format!("{}: there is no volume {mount}", name_of(object)));
            }
        }
        for probe in ["startupProbe", "livenessProbe", "readinessProbe"] {
            let port = &container[probe]["httpGet"]["port"];
            if !port.is_null() && !has_port(object, port) {
                found.push(format!("{}: {probe} asks a port {port} that is not there", name_of(object)));
            }
        }
    }
}
