//! Rules, routes and inhibitions as they are committed: whoever is to be told is told, and told when it is over.

use std::collections::BTreeMap;

use mps_alerts_tests::{Addresses, Chat, Edge, MailServer, Watch};
use mps_e2e::in_time;
use mps_e2e::{JOBS, fresh};

const PAID: &str = r#"payment_transactions_total{type="payment",status="ok"}"#;
const FAILED: &str = r#"payment_transactions_total{type="payment",status="failed"}"#;
const BOOKS: &str = r#"ledger_check_ok{check="ledger_verified"}"#;

struct Scene {
    edges: [Edge; 2],
    chat: Chat,
    mail: MailServer,
    watch: Watch,
}

impl Scene {
    fn start() -> Self {
        let (token, password) = (fresh("token-"), fresh("password-"));
        let edges = [(); 2].map(|()| Edge::start(&token));
        let exporters = Edge::open();
        for edge in &edges {
            edge.grow(PAID, 10.0);
            edge.grow(FAILED, 0.0);
            edge.set(BOOKS, 1.0);
            edge.set("ledger_answered", 1.0);
            for (job, _) in JOBS {
                edge.grow(&success_of(job), 1.0);
            }
        }
        let (chat, mail) = (Chat::new(), MailServer::start(&password));
        let addresses = Addresses {
            edges: edges.each_ref().map(|edge| edge.address),
            exporters: exporters.address,
            chat: chat.address,
            mail: mail.address,
        };
        let watch = Watch::start(&token, &password, &addresses);
        Self { edges, chat, mail, watch }
    }

    fn of_edges(&self, what: impl Fn(&Edge)) {
        self.edges.iter().for_each(what);
    }

    /// Whoever is woken has a mail and a message in the chat.
    fn pages(&self, status: &str, alert: &str) {
        in_time(&format!("a {status} mail about {alert}"), || self.mailed("on-call@", status, alert));
        in_time(&format!("a {status} message about {alert}"), || {
            self.chat.find(&[&format!("[{status}] {alert}")])
        });
    }

    /// Who comes in the morning has a mail.
    fn tickets(&self, status: &str, alert: &str) {
        in_time(&format!("a {status} mail about {alert}"), || self.mailed("operations@", status, alert));
        assert!(self.chat.find(&[alert]).is_none(), "nobody is woken by {alert}");
    }

    fn mailed(&self, to: &str, status: &str, alert: &str) -> Option<()> {
        let mails = self.mail.mails();
        let mut of_it = mails.iter().filter(|mail| mail.subject.contains(&format!("({alert})")));
        let mail = of_it.find(|mail| mail.subject.starts_with(&format!("[{status}]")))?;
        assert!(mail.to.contains(to), "{mail:?}");
        let runbook = format!("https://docs.mps.example.com/operations/alerts.md#{}", alert.to_lowercase());
        assert!(mail.text.contains(&runbook), "no {runbook} in {}", mail.text);
        assert!(!mail.text.contains("docs ="), "that label is Prometheus' own: {}", mail.text);
        Some(())
    }
}

fn success_of(job: &str) -> String {
    format!(r#"cron_runs_total{{name="{job}",outcome="ok"}}"#)
}

#[test]
fn what_is_wrong_is_told_to_whom_it_concerns_and_told_when_it_is_over() {
    let scene = Scene::start();
    the_jobs_of_the_rules_are_those_of_the_edge(&scene.watch);
    while_all_is_well_nobody_is_told(&scene);

    // One payment in six fails, the books do not agree, and one job stands still.
    scene.of_edges(|edge| {
        edge.grow(FAILED, 2.0);
        edge.grow(&success_of("seal"), 0.0);
    });
    scene.edges[1].set(BOOKS, 0.0);
    scene.pages("firing", "LedgerCheckFailed");
    scene.pages("firing", "PaymentFailureRate");
    scene.tickets("firing", "JobLate");
    scene.of_edges(|edge| {
        edge.grow(FAILED, 0.0);
        edge.grow(&success_of("seal"), 1.0);
    });
    scene.edges[1].set(BOOKS, 1.0);
    scene.pages("resolved", "LedgerCheckFailed");
    scene.tickets("resolved", "JobLate");
    scene.pages("resolved", "PaymentFailureRate");

    // Both edges are away: that is told, and not that each of them is.
    scene.of_edges(|edge| edge.go_away(true));
    scene.pages("firing", "MPSAppDown");
    in_time("MPSEdgeDown, kept back", || {
        scene.watch.inhibited().contains(&"MPSEdgeDown".to_owned()).then_some(())
    });
    assert_eq!(scene.mail.find("@", "MPSEdgeDown").map(|mail| mail.subject), None);
    // One of them may be back before the other, which is then told.
    scene.of_edges(|edge| edge.go_away(false));
    scene.pages("resolved", "MPSAppDown");
}

/// With their periods.
fn the_jobs_of_the_rules_are_those_of_the_edge(watch: &Watch) {
    let known = in_time("the list of jobs", || {
        let jobs = watch.query("mps_job_period_seconds");
        (!jobs.is_empty()).then_some(jobs)
    });
    let known: BTreeMap<String, String> = known
        .iter()
        .map(|(labels, seconds)| {
            (labels["name"].as_str().unwrap_or_default().to_owned(), seconds.to_string())
        })
        .collect();
    let period = |schedule: &str| match schedule {
        "* * * * *" => "60",
        "*/5 * * * *" => "300",
        "7 * * * *" => "3600",
        "23 2 * * *" => "86400",
        other => panic!("nobody knows how often {other} is"),
    };
    let wanted: BTreeMap<String, String> =
        JOBS.iter().map(|(name, schedule)| ((*name).to_owned(), period(schedule).to_owned())).collect();
    assert_eq!(known, wanted);
}

/// For as long as a job of every minute may be late.
fn while_all_is_well_nobody_is_told(scene: &Scene) {
    in_time("a look of some time ago", || {
        (!scene.watch.query("up{job=\"mps-app\"} offset 12s").is_empty()).then_some(())
    });
    assert_eq!(scene.watch.firing(), Vec::<String>::new());
    assert!(scene.mail.mails().is_empty() && scene.chat.messages().is_empty());
    assert_eq!(scene.edges.each_ref().map(Edge::refused), [0, 0], "Prometheus has the token");
}
