//! The Deployments of deploy/kubernetes, rendered, by `podman kube play`. What podman 4 does not take is written where it is changed; it does not look
//! at probes of HTTP without a shell in the image, at topology, at grace periods and at limits of volumes.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::process::Stdio;

use mps_e2e::{Answer, fresh, in_time, try_send, variable};
use mps_images_tests::{Container, done, image, podman, status_of, text_of};
use serde_json::{Value, json};

/// Everything that is started goes with it.
struct Pod {
    network: String,
    file: tempfile::NamedTempFile,
}

impl Pod {
    /// Of the rendered objects, those of this Deployment.
    fn play(deployment: &str, configs: &[&str]) -> Self {
        let text = fs::read_to_string(variable("MPS_IMAGES_KUBERNETES")).expect("the rendered objects");
        let all: Vec<Value> = serde_json::from_str(&text).expect("JSON");
        let is = |object: &Value, kind: &str, name: &str| {
            object["kind"] == kind && object["metadata"]["name"] == name
        };
        let mut objects: Vec<Value> = all
            .into_iter()
            .filter(|object| {
                is(object, "Deployment", deployment)
                    || configs.iter().any(|name| is(object, "ConfigMap", name))
            })
            .collect();
        assert_eq!(objects.len(), configs.len() + 1);
        for object in objects.iter_mut().filter(|object| object["kind"] == "Deployment") {
            let container = &mut object["spec"]["template"]["spec"]["containers"][0];
            container["image"] = image(deployment).into();
            // podman would publish them on this machine.
            container["ports"].take();
            // It puts `curl` into a shell for them, and the image has neither.
            for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
                container[probe].take();
            }
        }
        let file = tempfile::NamedTempFile::new().expect("a file");
        let texts: Vec<String> = objects.iter().map(ToString::to_string).collect();
        fs::write(file.path(), texts.join("\n---\n")).expect("a file");
        let network = fresh("mps-");
        done(podman().args(["network", "create", &network]));
        let pod = Self { network, file };
        let mut command = podman();
        command.args(["kube", "play", "--network", &pod.network]).arg(pod.file.path());
        done(command.stdin(Stdio::null()));
        pod
    }

    fn address(&self, container: &Container) -> String {
        let infra = container.inspect()["NetworkSettings"]["Networks"][&self.network]["IPAddress"].clone();
        infra.as_str().expect("an address").to_owned()
    }
}

impl Drop for Pod {
    fn drop(&mut self) {
        let _ = podman().args(["kube", "down"]).arg(self.file.path()).output();
        let _ = podman().args(["network", "rm", "--force", &self.network]).output();
    }
}

/// The container of the Deployment's only pod.
fn container(name: &str) -> std::mem::ManuallyDrop<Container> {
    Container::named(&format!("{name}-pod-0-{name}"))
}

fn get(url: &str) -> Answer {
    in_time(url, || try_send("GET", url, &[], ""))
}

fn is_restricted(running: &Container, program: &str) {
    let process = running.process(program);
    assert_eq!(status_of(&process, "Uid"), "65532 65532 65532 65532");
    assert_eq!(status_of(&process, "CapEff"), "0000000000000000");
    assert_eq!(status_of(&process, "NoNewPrivs"), "1");
    assert_eq!(status_of(&process, "Seccomp"), "2", "it may call anything of the kernel");
    assert_eq!(running.inspect()["HostConfig"]["ReadonlyRootfs"], true);
}

#[test]
fn the_edges_pod_serves_and_stops() {
    // podman 4.3 writes a Secret down in YAML and reads it as JSON: its own kind of secret in place of one.
    let keys = [
        ("SUPABASE_SECRET_KEY", "c2Jfc2VjcmV0X3g="),
        ("OPS_TOKEN", "YW4tb3BlcmF0b3Itcy10b2tlbi1vZi0zMi1sZXR0ZXJz"),
    ];
    let secret = tempfile::NamedTempFile::new().expect("a file");
    fs::write(secret.path(), json!(std::collections::BTreeMap::from(keys)).to_string()).expect("a file");
    let _ = podman().args(["secret", "rm", "mps-edge"]).output();
    done(podman().args(["secret", "create", "mps-edge"]).arg(secret.path()));
    let pod = Pod::play("mps-edge", &["mps-edge"]);
    let running = container("mps-edge");
    let infra = Container::named(&infra_of(&running));
    assert_eq!(get(&format!("http://{}:8787/health", pod.address(&infra))).status, 200, "{}", running.log());
    is_restricted(&running, "workerd");
    let places: Vec<Value> = running.inspect()["Mounts"].as_array().expect("mounts").clone();
    let mut places: Vec<&str> = places.iter().filter_map(|mount| mount["Destination"].as_str()).collect();
    places.sort_unstable();
    assert_eq!(places, ["/tmp", "/var/lib/mps"]);
    // It goes on serving for --stop-delay before it stops.
    assert_eq!(running.stop("45"), 0, "{}", running.log());
    assert!(running.log().contains("stopped after"), "{}", running.log());
}

#[test]
fn the_pages_pod_serves() {
    let pod = Pod::play("mps-web", &["mps-web"]);
    let running = container("mps-web");
    let infra = Container::named(&infra_of(&running));
    let place = format!("http://{}:8080", pod.address(&infra));
    assert_eq!(get(&place).status, 200, "{}", running.log());
    let config = get(&format!("{place}/config.json"));
    assert!(config.body["edgeUrl"].is_string(), "{}", config.text);
    is_restricted(&running, "nginx");
}

/// The one that holds the pod's network.
fn infra_of(container: &Container) -> String {
    let pod = container.inspect()["Pod"].as_str().expect("a pod").to_owned();
    let said = podman().args(["pod", "inspect", &pod, "--format", "{{.InfraContainerID}}"]).output();
    let said = said.expect("podman");
    assert!(said.status.success(), "{}", text_of(&said));
    String::from_utf8_lossy(&said.stdout).trim().to_owned()
}
