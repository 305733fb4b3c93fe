//! The profile `restricted` of the Pod Security Standards, which the namespaces enforce: what of it a pod would be refused for.

use serde_json::Value;

const VOLUMES: &[&str] = &[
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

const SYSCTLS: &[&str] = &[
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.ping_group_range",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_syncookies",
];

const SELINUX_TYPES: &[&str] =
    &["", "container_t", "container_init_t", "container_kvm_t", "container_engine_t"];

/// Of a pod's template, each thing that the profile forbids or misses.
pub(super) fn violations(template: &Value) -> Vec<String> {
    let pod = &template["spec"];
    let mut found = Vec::new();
    for field in ["hostNetwork", "hostPID", "hostIPC"] {
        if is_set(&pod[field]) {
            found.push(format!("{field} is set"));
        }
    }
    for volume in list(&pod["volumes"]) {
        let kinds = volume.as_object().into_iter().flatten().map(|(key, _)| key.as_str());
        for kind in kinds.filter(|key| *key != "name" && !VOLUMES.contains(key)) {
            found.push(format!("the volume {} is a {kind}", text(&volume["name"])));
        }
    }
    for sysctl in list(&pod["securityContext"]["sysctls"]) {
        if !SYSCTLS.contains(&text(&sysctl["name"])) {
            found.push(format!("the sysctl {} is not safe", text(&sysctl["name"])));
        }
    }
    for (key, profile) in template["metadata"]["annotations"].as_object().into_iter().flatten() {
        if key.starts_with("container.apparmor.security.beta.kubernetes.io/")
            && !(profile == "runtime/default" || text(profile).starts_with("localhost/"))
        {
            found.push("AppArmor is off by an annotation".to_owned());
        }
    }
    found.extend(of_security_context(&pod["securityContext"]));
    for container in containers(pod) {
        let name = text(&container["name"]);
        let of_it = of_container(container, &pod["securityContext"]);
        found.extend(of_it.into_iter().map(|what| format!("container {name}: {what}")));
    }
    if containers(pod).next().is_none() {
        found.push("it has no container".to_owned());
    }
    found
}

fn containers(pod: &Value) -> impl Iterator<Item = &Value> {
    ["initContainers", "containers", "ephemeralContainers"].into_iter().flat_map(|field| list(&pod[field]))
}

/// What holds for a pod's and for a container's.
fn of_security_context(context: &Value) -> Vec<String> {
    let mut found = Vec::new();
    if context["runAsUser"] == 0 {
        found.push("runAsUser is 0".to_owned());
    }
    let seccomp = &context["seccompProfile"]["type"];
    if !seccomp.is_null() && !is_confined(seccomp) {
        found.push(format!("seccompProfile is {}", text(seccomp)));
    }
    let app_armor = &context["appArmorProfile"]["type"];
    if !app_armor.is_null() && !is_confined(app_armor) {
        found.push(format!("appArmorProfile is {}", text(app_armor)));
    }
    let selinux = &context["seLinuxOptions"];
    if !SELINUX_TYPES.contains(&text(&selinux["type"]))
        || !text(&selinux["user"]).is_empty()
        || !text(&selinux["role"]).is_empty()
    {
        found.push("seLinuxOptions say more than a container's type".to_owned());
    }
    if is_set(&context["windowsOptions"]["hostProcess"]) {
        found.push("windowsOptions.hostProcess is set".to_owned());
    }
    found
}

fn of_container(container: &Value, pod: &Value) -> Vec<String> {
    let context = &container["securityContext"];
    let mut found = of_security_context(context);
    if is_set(&context["privileged"]) {
        found.push("it is privileged".to_owned());
    }
    if context["allowPrivilegeEscalation"] != false {
        found.push("allowPrivilegeEscalation is not false".to_owned());
    }
    // The container's own word wins over the pod's.
    let either = |pointer: &str| {
        context.pointer(pointer).or_else(|| pod.pointer(pointer)).cloned().unwrap_or_default()
    };
    if either("/runAsNonRoot") != true {
        found.push("runAsNonRoot is not true".to_owned());
    }
    if either("/seccompProfile/type").is_null() {
        found.push("it has no seccompProfile".to_owned());
    }
    if !list(&context["capabilities"]["drop"]).any(|name| name == "ALL") {
        found.push("capabilities are not all dropped".to_owned());
    }
    for name in list(&context["capabilities"]["add"]).filter(|name| *name != "NET_BIND_SERVICE") {
        found.push(format!("the capability {} is added", text(name)));
    }
    if !matches!(text(&context["procMount"]), "" | "Default") {
        found.push("procMount is not Default".to_owned());
    }
    if list(&container["ports"]).any(|port| port["hostPort"].as_u64().is_some_and(|port| port != 0)) {
        found.push("it has a hostPort".to_owned());
    }
    let handlers =
        ["/livenessProbe", "/readinessProbe", "/startupProbe", "/lifecycle/preStop", "/lifecycle/postStart"];
    for handler in handlers.into_iter().filter_map(|pointer| container.pointer(pointer)) {
        if ["httpGet", "tcpSocket"].iter().any(|kind| !text(&handler[kind]["host"]).is_empty()) {
            found.push("a probe or a hook asks another host".to_owned());
        }
    }
    found
}

fn is_confined(profile: &Value) -> bool {
    matches!(text(profile), "RuntimeDefault" | "Localhost")
}

fn is_set(value: &Value) -> bool {
    !(value.is_null() || value == false)
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::violations;

    /// As little as the profile takes.
    fn template() -> Value {
        let context = json!({"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}});
        let container = json!({"name": "a", "securityContext": context});
        json!({"metadata": {"annotations": {}}, "spec": {
            "containers": [container], "initContainers": [container], "ephemeralContainers": [container],
            "securityContext": {"runAsNonRoot": true, "seccompProfile": {"type": "RuntimeDefault"}},
        }})
    }

    #[test]
    fn what_the_profile_takes_passes() {
        assert_eq!(violations(&template()), Vec::<String>::new());
        let mut other = template();
        other["spec"]["volumes"] = json!([{"name": "a", "emptyDir": {}}, {"name": "b", "secret": {}}]);
        other["spec"]["containers"][0]["securityContext"]["capabilities"]["add"] =
            json!(["NET_BIND_SERVICE"]);
        other["spec"]["containers"][0]["securityContext"]["seLinuxOptions"] = json!({"type": "container_t"});
        assert_eq!(violations(&other), Vec::<String>::new());
    }

    #[test]
    fn each_fault_of_a_pod_is_found() {
        for (place, value, found) in [
            ("hostNetwork", json!(true), "hostNetwork"),
            ("hostPID", json!(true), "hostPID"),
            ("hostIPC", json!(true), "hostIPC"),
            ("volumes", json!([{"name": "v", "hostPath": {"path": "/"}}]), "v is a hostPath"),
            ("volumes", json!([{"name": "v", "nfs": {}}]), "v is a nfs"),
            ("securityContext", json!({"seccompProfile": {"type": "RuntimeDefault"}}), "runAsNonRoot"),
            ("securityContext", json!({"runAsNonRoot": true}), "no seccompProfile"),
            ("securityContext", json!({"seccompProfile": {"type": "Unconfined"}}), "is Unconfined"),
            ("securityContext", json!({"runAsUser": 0}), "runAsUser is 0"),
            ("securityContext", json!({"sysctls": [{"name": "kernel.msgmax"}]}), "kernel.msgmax"),
            ("securityContext", json!({"windowsOptions": {"hostProcess": true}}), "hostProcess"),
            ("containers", json!([]), "no container"),
        ] {
            let mut template = template();
            template["spec"][place] = value;
            if place == "containers" {
                template["spec"] = json!({});
            }
            let all = violations(&template).join("\n");
            assert!(all.contains(found), "{found}: {all}");
        }
        let mut template = template();
        template["metadata"]["annotations"]["container.apparmor.security.beta.kubernetes.io/a"] =
            json!("unconfined");
        assert_eq!(violations(&template), ["AppArmor is off by an annotation"]);
    }

    #[test]
    fn each_fault_of_a_container_of_any_kind_is_found() {
        for (place, value, found) in [
            ("/securityContext/privileged", json!(true), "privileged"),
            ("/securityContext/allowPrivilegeEscalation", json!(true), "allowPrivilegeEscalation"),
            ("/securityContext/allowPrivilegeEscalation", Value::Null, "allowPrivilegeEscalation"),
            ("/securityContext/runAsNonRoot", json!(false), "runAsNonRoot"),
            ("/securityContext/runAsUser", json!(0), "runAsUser is 0"),
            ("/securityContext/seccompProfile", json!({"type": "Unconfined"}), "is Unconfined"),
            ("/securityContext/appArmorProfile", json!({"type": "Unconfined"}), "appArmorProfile"),
            ("/securityContext/capabilities", json!({"drop": ["NET_RAW"]}), "not all dropped"),
            ("/securityContext/capabilities", json!({"drop": ["ALL"], "add": ["SYS_TIME"]}), "SYS_TIME"),
            ("/securityContext/procMount", json!("Unmasked"), "procMount"),
            ("/securityContext/seLinuxOptions", json!({"type": "spc_t"}), "seLinuxOptions"),
            ("/securityContext/seLinuxOptions", json!({"user": "system_u"}), "seLinuxOptions"),
            ("/securityContext/windowsOptions", json!({"hostProcess": true}), "hostProcess"),
            ("/ports", json!([{"containerPort": 1, "hostPort": 1}]), "hostPort"),
            ("/livenessProbe", json!({"httpGet": {"host": "10.0.0.1"}}), "another host"),
            ("/lifecycle", json!({"preStop": {"tcpSocket": {"host": "10.0.0.1"}}}), "another host"),
        ] {
            for kind in ["containers", "initContainers", "ephemeralContainers"] {
                let mut template = template();
                let (parent, field) = place.rsplit_once('/').unwrap();
                let container = template.pointer_mut(&format!("/spec/{kind}/0{parent}")).unwrap();
                container[field] = value.clone();
                let all = violations(&template);
                assert_eq!(all.len(), 1, "{kind} {place}: {all:?}");
                assert!(all[0].starts_with("container a: ") && all[0].contains(found), "{all:?}");
            }
        }
    }
}
