//! deploy/compose/compose.yml as it is, by podman-compose: two edges behind the proxy, on a database and a gateway of this test's.
#![expect(clippy::expect_used, reason = "a test fails by panicking")]

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Output};

use mps_e2e::{Token, fresh, in_time, make_certificates, variable};
use mps_images_tests::{Container, done, image, make_readable, podman, status_of, text_of, with_settings};
use mps_operations_tests::{Gateway, empty_database, mps, people};
use serde_json::{Value, json};

const ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
const JWT_SECRET: &str = "a-secret-of-more-than-32-letters-of-a-test";
const OPS_TOKEN: &str = "an-operator-s-token-of-32-letters-or-more";
/// This machine, as containers of compose.yml see it.
const MACHINE: &str = "172.30.87.1";

/// What an operator has in one folder.
struct Project {
    folder: tempfile::TempDir,
    name: String,
    https: u16,
    http: u16,
}

/// What the edges are told that ask this gateway.
fn variables(gateway: &str) -> String {
    let service = Token::of("service").with("role", json!("service_role")).with("sub", Value::Null);
    let service = service.with_time("exp", 86_400).sign(JWT_SECRET);
    let gateway = gateway.replace("127.0.0.1", MACHINE);
    [
        format!("SUPABASE_URL={gateway}"),
        format!("SUPABASE_REST_URL={gateway}"),
        "SUPABASE_JWKS_URL=off".to_owned(),
        "SUPABASE_PUBLISHABLE_KEY=sb_publishable_x".to_owned(),
        format!("SUPABASE_SECRET_KEY={service}"),
        format!("SUPABASE_JWT_SECRET={JWT_SECRET}"),
        format!("OPS_TOKEN={OPS_TOKEN}"),
    ]
    .join("\n")
}

impl Project {
    fn make(gateway: &Gateway) -> Self {
        let port = || {
            let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
            listener.local_addr().expect("an address").port()
        };
        let folder = tempfile::tempdir().expect("a folder");
        let project = Self { folder, name: fresh("mps"), https: port(), http: port() };
        for part in ["nginx", "tls", "acme", "run", "secrets"] {
            fs::create_dir(project.at(part)).expect("a folder");
        }
        for file in ["compose.yml", "mps.yml"] {
            let text = fs::read_to_string(Path::new(ROOT).join("deploy/compose").join(file)).expect(file);
            fs::write(project.at(file), text.replace("pay.example.com", "localhost")).expect("a file");
        }
        // Production is reached by its name.
        let config = fs::read_to_string(project.at("mps.yml")).expect("mps.yml");
        let config = config.replace("environment: production", "environment: staging");
        fs::write(project.at("mps.yml"), config).expect("a file");
        fs::write(project.at("config.json"), r#"{"edgeUrl":"https://localhost"}"#).expect("a file");
        fs::write(project.at("secrets/edge.env"), variables(&gateway.url)).expect("a file");
        fs::write(project.at("secrets/jobs.env"), format!("OPS_TOKEN={OPS_TOKEN}\n")).expect("a file");
        make_certificates(&project.at("tls"));
        for (from, to) in [("server.pem", "fullchain.pem"), ("server.key", "privkey.pem")] {
            fs::rename(project.at("tls").join(from), project.at("tls").join(to)).expect("a file");
        }
        make_readable(project.folder.path());
        project.render();
        project
    }

    fn at(&self, part: &str) -> std::path::PathBuf {
        self.folder.path().join(part)
    }

    /// As README.md says: in the image, where paths are those of containers.
    fn render(&self) {
        let mounts = ["nginx:/etc/mps/nginx", "mps.yml:/etc/mps/mps.yml:ro"];
        let mut command = podman();
        command.args(["run", "--rm", "--network", "none", "--user", "0"]);
        for mount in mounts {
            command.arg("--volume").arg(format!("{}/{mount}", self.folder.path().display()));
        }
        command.args([&image("mps-edge"), "config", "render", "/etc/mps/mps.yml", "--for", "nginx"]);
        done(command.args(["--out", "/etc/mps/nginx"]));
        make_readable(self.folder.path());
    }

    fn compose(&self, arguments: &[&str]) -> Output {
        let mut command = with_settings(Command::new(variable("MPS_IMAGES_COMPOSE")));
        command.current_dir(self.folder.path()).args(["--project-name", &self.name]).args(arguments);
        command.env("MPS_EDGE_IMAGE", image("mps-edge")).env("MPS_WEB_IMAGE", image("mps-web"));
        command.env("MPS_HTTP_PORT", format!("127.0.0.1:{}", self.http));
        command.env("MPS_HTTPS_PORT", format!("127.0.0.1:{}", self.https));
        command.output().expect("podman-compose")
    }

    fn container(&self, service: &str) -> std::mem::ManuallyDrop<Container> {
        Container::named(&format!("{}_{service}_1", self.name))
    }

    fn smoke(&self, (member, cashier, _, merchant): &(String, String, String, String)) -> Output {
        let mut command = mps();
        command.args(["--json", "smoke", "--merchant", merchant, "--url"]);
        command.arg(format!("https://localhost:{}", self.https));
        command.args(["--member-user", member, "--cashier-user", cashier, "--cacert"]);
        command.arg(self.at("tls/authority.pem")).env("SUPABASE_JWT_SECRET", JWT_SECRET);
        command.output().expect("mps")
    }

    /// The status of a page or an endpoint behind the proxy.
    fn status(&self, path: &str) -> String {
        self.status_for("", path)
    }

    /// The same for the bearer of a token.
    fn status_for(&self, token: &str, path: &str) -> String {
        let mut command = Command::new("curl");
        command.args(["--header", &format!("authorization: Bearer {token}")]);
        command.args(["--silent", "--noproxy", "*", "--output", "/dev/null", "--write-out", "%{http_code}"]);
        command.arg("--cacert").arg(self.at("tls/authority.pem"));
        let output = command.arg(format!("https://localhost:{}{path}", self.https)).output().expect("curl");
        String::from_utf8_lossy(&output.stdout).into_owned()
    }
}

impl Project {
    /// The proxy leaves an edge that took no connection alone for ten seconds. Whom it asks depends on the token.
    fn wait_until_asked(&self, edge: &str) {
        let asked = || self.container(edge).log().matches("/api/member/me").count();
        let before = asked();
        in_time(edge, || {
            self.status_for(&format!("a.b.{}{}", fresh(""), fresh("")), "/api/member/me");
            (asked() > before).then_some(())
        });
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let _ = self.compose(&["down", "--volumes", "--timeout", "5"]);
    }
}

/// The image migrates the database itself, as `compose.database.yml` has it do.
fn migrate(database_url: &str) {
    let variable = format!("DATABASE_URL={database_url}");
    let mut command = podman();
    command.args(["run", "--rm", "--network", "host", "--read-only", "--env", &variable]);
    let said = done(command.args([&image("mps-edge"), "--json", "migrate", "up", "--plain"]));
    assert!(said.contains("applied"), "{said}");
}

const SERVICES: [&str; 4] = ["proxy", "edge-1", "edge-2", "jobs"];

#[test]
fn two_edges_behind_the_proxy_take_payments_and_one_is_enough() {
    let (mut database, url) = empty_database();
    migrate(&url);
    let fixtures = fs::read_to_string(Path::new(ROOT).join("supabase/tests/fixtures.sql")).expect("fixtures");
    database.batch_execute(&fixtures).expect("fixtures");
    let shops = people(&mut database, 1);
    let gateway = Gateway::start_for_containers(&url, JWT_SECRET);
    let project = Project::make(&gateway);

    let said = project.compose(&["up", "--detach"]);
    assert!(said.status.success(), "{}", text_of(&said));
    in_time("the proxy", || (project.status("/ready") == "200").then_some(()));
    let paid = project.smoke(&shops[0]);
    assert!(paid.status.success(), "{}", text_of(&paid));
    assert_eq!(
        ["/", "/member", "/config.json", "/metrics", "/ops/cron"].map(|path| project.status(path)),
        ["200", "200", "200", "404", "404"]
    );
    in_time("the jobs", || project.container("jobs").log().contains("11 jobs are started").then_some(()));
    for service in SERVICES {
        is_hardened(service, &project.container(service));
    }
    for edge in ["edge-1", "edge-2"] {
        assert_eq!(project.container(edge).health(), "healthy", "{edge}");
    }

    // Whichever holds this member, the other one takes over.
    for (gone, name) in [("edge-1", "edge-2"), ("edge-2", "edge-1")] {
        done(podman().args(["stop", "--time", "40", &project.container(gone).name]));
        assert_eq!(project.container(gone).inspect()["State"]["ExitCode"], 0, "{gone}");
        let paid = project.smoke(&shops[0]);
        assert!(paid.status.success(), "{name} alone: {}", text_of(&paid));
        done(podman().args(["start", &project.container(gone).name]));
        project.wait_until_asked(gone);
    }

    // At work on the system.
    fs::write(project.at("run/maintenance"), "").expect("a file");
    assert_eq!(["/", "/api/member/me"].map(|path| project.status(path)), ["503", "503"]);
}

fn is_hardened(service: &str, container: &Container) {
    let about = container.inspect();
    let host = &about["HostConfig"];
    assert_eq!(host["ReadonlyRootfs"], true, "{service}");
    assert_eq!(about["EffectiveCaps"].as_array().map_or(0, Vec::len), 0, "{service}");
    assert!(host["Memory"].as_u64() > Some(0) && host["PidsLimit"].as_i64() > Some(0), "{service}: {host}");
    let is_published =
        host["PortBindings"].as_object().is_some_and(|ports| ports.values().any(|places| !places.is_null()));
    assert_eq!(is_published, service == "proxy", "{service}: {}", host["PortBindings"]);
    for (program, process) in container.processes() {
        assert_eq!(status_of(&process, "Uid"), "65532 65532 65532 65532", "{service} {program}");
        assert_eq!(status_of(&process, "CapBnd"), "0000000000000000", "{service} {program}");
        assert_eq!(status_of(&process, "NoNewPrivs"), "1", "{service} {program}");
    }
}
